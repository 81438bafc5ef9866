// Small whole files, by POSIX calls.
#include "app/file.h"

#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace godwit::app {
namespace {

/// Closes at the end of the scope.
class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int value() const { return fd_; }

private:
    int fd_;
};

std::unexpected<Error> system_error(std::string_view what, const std::string& path) {
    const int code = errno;
    return peer_error(code == ENOENT ? ErrorCode::NotFound : ErrorCode::Io,
                      std::string(what) + " " + path + ": " + std::strerror(code));
}

/// The name that was given to `path` is on disk.
Result<> sync_name(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string above = slash == std::string::npos ? "."
                              : slash == 0               ? "/"
                                                         : path.substr(0, slash);
    const Descriptor folder(::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.value() < 0 || ::fsync(folder.value()) != 0) {
        return system_error("cannot sync folder", above);
    }
    return {};
}

}  // namespace

Result<std::string> read_all(int fd, std::string_view name, std::size_t size_max) {
    std::string out;
    char block[16384];
    for (;;) {
        const ssize_t count = ::read(fd, block, sizeof block);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return system_error("cannot read", std::string(name));
        }
        if (count == 0) {
            return out;
        }
        out.append(block, static_cast<std::size_t>(count));
        if (out.size() > size_max) {
            return peer_error(ErrorCode::LimitExceeded, std::string(name) + " is larger than " +
                                                            std::to_string(size_max) + " octets");
        }
    }
}

Result<std::string> read_file(const std::string& path, std::size_t size_max) {
    if (path == "-") {
        return read_all(STDIN_FILENO, "standard input", size_max);
    }
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.value() < 0) {
        return system_error("cannot open", path);
    }
    return read_all(file.value(), path, size_max);
}

Result<> write_file(const std::string& path, std::string_view content, mode_t mode) {
    const std::string temporary = path + ".new";
    ::unlink(temporary.c_str());
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (file.value() < 0) {
        return system_error("cannot create", temporary);
    }
    if (!write_all(file.value(), content) || ::fchmod(file.value(), mode) != 0 ||
        ::fsync(file.value()) != 0) {
        return system_error("cannot write", temporary);
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        return system_error("cannot rename to", path);
    }
    return sync_name(path);
}

Result<> make_folder(const std::string& path, mode_t mode) {
    std::error_code code;
    if (std::filesystem::is_directory(path, code)) {
        // It may be of a start that was killed before it came to this. Who may not look into the
        // folder above has not made this one.
        (void)sync_name(path);
        return {};
    }
    // Folders above it hold nothing of ours but the way to it.
    for (auto end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
        const std::string above = path.substr(0, end);
        if (::mkdir(above.c_str(), 0755) == 0) {
            if (::chmod(above.c_str(), 0755) != 0) {
                return system_error("cannot make folder", above);
            }
            TRY(sync_name(above));
        }
    }
    // chmod: the process's mask may take bits that are wanted.
    if (::mkdir(path.c_str(), mode) != 0 || ::chmod(path.c_str(), mode) != 0) {
        return system_error("cannot make folder", path);
    }
    return sync_name(path);
}

bool file_exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}
bool is_readable(const std::string& path) {
    return ::access(path.c_str(), R_OK) == 0;
}

bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

}  // namespace godwit::app
