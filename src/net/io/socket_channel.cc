// Steps go straight to the kernel; the event loop is asked only when it says EAGAIN.
#include "net/io/socket_channel.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "net/io/channel_stream.h"
#include "net/io/socket_address.h"

namespace godwit::net {

namespace {

class SocketChannel final : public Channel {
public:
    explicit SocketChannel(std::unique_ptr<DescriptorWatch> watch)
        : watch_(std::move(watch)),
          local_(local_endpoint(watch_->number())),
          peer_(peer_endpoint(watch_->number())) {
        if (!local_.is_unix()) {
            int on = 1;
            setsockopt(watch_->number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        }
    }

    IoStep read(std::span<char> buffer) override {
        return step(recv(watch_->number(), buffer.data(), buffer.size(), MSG_DONTWAIT),
                    Direction::Read);
    }
    IoStep peek() override {
        char first = 0;
        return step(recv(watch_->number(), &first, 1, MSG_PEEK | MSG_DONTWAIT), Direction::Read);
    }
    IoStep write(std::string_view bytes) override {
        return step(send(watch_->number(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT),
                    Direction::Write);
    }
    void wait(Direction direction, Waiter& waiter) override { watch_->wait(direction, waiter); }
    void wake() override { watch_->wake(); }
    void shutdown_write() override { ::shutdown(watch_->number(), SHUT_WR); }
    void close() override { watch_->close(); }
    void reset() override {
        linger hard{.l_onoff = 1, .l_linger = 0};
        setsockopt(watch_->number(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        watch_->close();
    }
    bool needs_linger() const override { return !local_.is_unix(); }
    void detach() override { watch_->detach(); }
    Result<> attach(Shard& shard) override { return watch_->attach(shard); }
    const Endpoint& local() const override { return local_; }
    const Endpoint& peer() const override { return peer_; }
    std::optional<PeerCredentials> credentials() const override {
        ucred who{};
        socklen_t size = sizeof who;
        if (!local_.is_unix() ||
            getsockopt(watch_->number(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) {
            return std::nullopt;
        }
        return PeerCredentials{.user_id = who.uid, .group_id = who.gid, .process_id = who.pid};
    }

private:
    static IoStep step(ssize_t result, Direction direction) {
        if (result >= 0) {
            return IoStep::done(static_cast<std::size_t>(result));
        }
        // A non-blocking call is not interrupted in practice; waiting is right in that case too.
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
            return IoStep::would_block(direction);
        }
        return IoStep::failed(errno);
    }
    std::unique_ptr<DescriptorWatch> watch_;
    Endpoint local_;
    Endpoint peer_;
};

}  // namespace

std::unique_ptr<Stream> make_socket_stream(std::unique_ptr<DescriptorWatch> watch, Shard& shard) {
    return make_stream(std::make_unique<SocketChannel>(std::move(watch)), shard);
}

Result<std::unique_ptr<Stream>> make_socket_stream(Descriptor socket, Shard& shard) {
    auto watch = std::make_unique<DescriptorWatch>(std::move(socket));
    TRY(watch->attach(shard));
    return make_socket_stream(std::move(watch), shard);
}

}  // namespace godwit::net
