// A blocking UNIX socket client, by POSIX calls.
#include "app/unix_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace godwit::app {

Result<UnixClient> UnixClient::connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return peer_error(ErrorCode::LimitExceeded,
                          "socket path " + path + " is longer than " +
                              std::to_string(sizeof address.sun_path - 1) + " octets");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return temporary_error(ErrorCode::Io,
                               std::string("cannot make a socket: ") + std::strerror(errno));
    }
    UnixClient client(fd);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const int code = errno;
        const std::string text = "cannot reach the server at " + path + ": " + std::strerror(code);
        if (code == EACCES || code == EPERM) {
            return peer_error(ErrorCode::Denied, text);
        }
        return temporary_error(ErrorCode::Closed, text);
    }
    return client;
}

UnixClient::UnixClient(UnixClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), input_(std::move(other.input_)) {}

UnixClient::~UnixClient() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

void UnixClient::end_writing() {
    ::shutdown(fd_, SHUT_WR);
}

Result<> UnixClient::write(std::string_view bytes) {
    while (!bytes.empty()) {
        // MSG_NOSIGNAL: a server that went away is an error, not a SIGPIPE.
        const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return temporary_error(ErrorCode::Closed,
                                   std::string("the server went away: ") + std::strerror(errno));
        }
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

Result<std::string> UnixClient::read_some(std::chrono::seconds patience) {
    pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(patience.count() * 1000));
    if (ready == 0) {
        return temporary_error(ErrorCode::Timeout, "the server did not answer in " +
                                                       std::to_string(patience.count()) + " s");
    }
    char block[16384];
    const ssize_t count = ::read(fd_, block, sizeof block);
    if (count < 0) {
        return temporary_error(ErrorCode::Closed,
                               std::string("the server went away: ") + std::strerror(errno));
    }
    return std::string(block, static_cast<std::size_t>(count));
}

Result<std::string> UnixClient::read_line(std::size_t size_max, std::chrono::seconds patience) {
    for (;;) {
        const std::size_t end = input_.find('\n');
        if (end != std::string::npos) {
            std::string line = input_.substr(0, end);
            input_.erase(0, end + 1);
            return line;
        }
        if (input_.size() > size_max) {
            return peer_error(ErrorCode::LimitExceeded, "the server's answer is too long");
        }
        const std::string more = TRY(read_some(patience));
        if (more.empty()) {
            return temporary_error(ErrorCode::Closed, "the server went away");
        }
        input_.append(more);
    }
}

Result<> UnixClient::read_octets(std::uint64_t count, std::chrono::seconds patience,
                                 const std::function<Result<>(std::string_view)>& sink) {
    while (count > 0) {
        if (input_.empty()) {
            input_ = TRY(read_some(patience));
        }
        if (input_.empty()) {
            return temporary_error(ErrorCode::Closed, "the server went away");
        }
        const std::size_t now = std::min<std::uint64_t>(count, input_.size());
        TRY(sink(std::string_view(input_).substr(0, now)));
        input_.erase(0, now);
        count -= now;
    }
    return {};
}

}  // namespace godwit::app
