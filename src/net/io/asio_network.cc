#include "net/io/asio_network.h"

#include <netinet/in.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/ascii.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "net/io/channel_stream.h"
#include "net/io/socket_address.h"
#include "net/io/socket_channel.h"

namespace godwit::net {

namespace {

constexpr int kFirstInherited = 3;  // SD_LISTEN_FDS_START, sd_listen_fds(3)

bool set_flags(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags >= 0 && fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0;
}

std::vector<IpAddress> addresses_of_machine() {
    std::vector<IpAddress> found;
    ifaddrs* first = nullptr;
    if (getifaddrs(&first) != 0) {
        log::warn("net.no_interfaces", {{"error", strerrordesc_np(errno)}});
        return found;
    }
    for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
        const int family = each->ifa_addr == nullptr ? AF_UNSPEC : each->ifa_addr->sa_family;
        if (family == AF_INET || family == AF_INET6) {
            SocketAddress address;
            address.size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
            std::memcpy(&address.storage, each->ifa_addr, address.size);
            found.push_back(address.endpoint().address());
        }
    }
    freeifaddrs(first);
    return found;
}

// --- listening --------------------------------------------------------------------------------

/// Two lifetimes: the Listener in the house, and the accepting task on its shard.
struct Door {
    ListenOptions options;
    AcceptHandler handler;
    Endpoint local;
    ShardPool* pool = nullptr;
    Shard* shard = nullptr;
    std::unique_ptr<DescriptorWatch> unwatched;  // Until the task takes it.
    DescriptorWatch* watch = nullptr;            // On the shard, while the task runs.
    Descriptor spare;
    int sockets_below = 0;
    bool is_stopped = false;  // On the shard.
    bool owns_path = false;
};

void deliver(const std::shared_ptr<Door>& door, Descriptor socket) {
    Shard& target = door->pool->next_shard();
    target.post([door, &target, socket = std::move(socket)]() mutable {
        auto stream = make_socket_stream(std::move(socket), target);
        if (stream) {
            door->handler(std::move(*stream));
        }
    });
}

bool is_out_of_descriptors(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

void note_exhausted(const Door& door, int error) {
    log::warn("listener.exhausted",
              {{"listener", door.options.name}, {"error", strerrordesc_np(error)}});
    count(Metric::ConnectionsRefused);
    probe<"net.out_of_descriptors">();
}

/// With the spare descriptor takes one connection and closes it, so that the peer knows.
void refuse_one(Door& door, int error) {
    note_exhausted(door, error);
    door.spare = Descriptor();
    {
        Descriptor refused(accept4(door.watch->number(), nullptr, nullptr, SOCK_CLOEXEC));
    }
    door.spare = Descriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

/// The task's hold on its door: the event loop may be gone when the Listener dies.
class Doorkeeper {
public:
    explicit Doorkeeper(Door* door) : door_(door), watch_(std::move(door->unwatched)) {
        door_->watch = watch_.get();
    }
    Doorkeeper(const Doorkeeper&) = delete;
    Doorkeeper& operator=(const Doorkeeper&) = delete;
    ~Doorkeeper() { door_->watch = nullptr; }

private:
    Door* door_;
    std::unique_ptr<DescriptorWatch> watch_;
};

Task<void> accept_connections(std::shared_ptr<Door> door) {
    Doorkeeper keeper(door.get());
    if (auto attached = door->watch->attach(*door->shard); !attached) {
        log::error("listener.failed",
                   {{"listener", door->options.name}, {"error", attached.error().text}});
        co_return;
    }
    std::size_t in_turn = 0;
    while (!door->is_stopped) {
        Descriptor socket(
            accept4(door->watch->number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (socket && socket.number() >= door->sockets_below) {
            note_exhausted(*door, EMFILE);
            socket = Descriptor();
            co_await sleep_for(limits::accept_rest);
            continue;
        }
        if (socket) {
            deliver(door, std::move(socket));
            if (++in_turn >= limits::accepts_in_turn_max) {
                in_turn = 0;
                co_await yield_now{};
            }
            continue;
        }
        int error = errno;
        in_turn = 0;
        if (error == EAGAIN || error == EWOULDBLOCK) {
            co_await until_ready(door->watch, Direction::Read);
        } else if (is_out_of_descriptors(error)) {
            refuse_one(*door, error);
            co_await sleep_for(limits::accept_rest);
        } else {
            // A connection that died in the queue (accept(2), ECONNABORTED and network errors).
            co_await yield_now{};
        }
    }
}

class SocketListener final : public Listener {
public:
    explicit SocketListener(std::shared_ptr<Door> door) : door_(std::move(door)) {}
    ~SocketListener() override { stop(); }
    const Endpoint& local() const override { return door_->local; }
    void stop() override {
        if (is_stopped_) {
            return;
        }
        is_stopped_ = true;
        if (door_->owns_path) {
            unlink(door_->local.path().c_str());
        }
        door_->shard->post([door = door_] {
            door->is_stopped = true;
            if (door->watch != nullptr) {
                door->watch->wake();
            }
        });
    }

private:
    std::shared_ptr<Door> door_;
    bool is_stopped_ = false;
};

std::unexpected<Error> listen_failed(const Endpoint& at, std::string_view doing, int error) {
    ErrorCode code = error == EADDRINUSE                 ? ErrorCode::AlreadyExists
                     : error == EACCES || error == EPERM ? ErrorCode::Denied
                                                         : ErrorCode::Io;
    return internal_error(
        code, std::string(doing) + " " + at.to_string() + ": " + strerrordesc_np(error));
}

/// A socket file that nobody listens behind is in the way; one in use is not.
void remove_stale_path(const Endpoint& at, const SocketAddress& address) {
    struct stat facts{};
    if (lstat(at.path().c_str(), &facts) != 0 || !S_ISSOCK(facts.st_mode)) {
        return;
    }
    Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (probe && connect(probe.number(), address.raw(), address.size) != 0 &&
        errno == ECONNREFUSED) {
        unlink(at.path().c_str());
    }
}

Result<Descriptor> open_listener(const Endpoint& at, const ListenOptions& options) {
    SocketAddress address = TRY(SocketAddress::of(at));
    const bool is_every_address =
        at.address().is_v6() && at.address().is_any() && !options.is_v6_only;
    Descriptor made(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!made && errno == EAFNOSUPPORT && is_every_address) {
        // A kernel without IPv6: all addresses are those of IPv4.
        return open_listener(Endpoint(IpAddress(), at.port()), options);
    }
    if (!made) {
        return listen_failed(at, "opening", errno);
    }
    int on = 1;
    if (at.is_unix()) {
        remove_stale_path(at, address);
    } else {
        setsockopt(made.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    if (address.family() == AF_INET6) {
        // [::] stands for all addresses, whatever the kernel's own default (net.ipv6.bindv6only)
        // is. A peer of IPv4 still has an IPv4 name: IpAddress takes mapped addresses apart.
        const int v6_only = is_every_address ? 0 : 1;
        setsockopt(made.number(), IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
    }
    if (bind(made.number(), address.raw(), address.size) != 0) {
        return listen_failed(at, "binding", errno);
    }
    if (at.is_unix() && chmod(at.path().c_str(), options.unix_mode) != 0) {
        return listen_failed(at, "setting the mode of", errno);
    }
    if (listen(made.number(), options.backlog) != 0) {
        return listen_failed(at, "listening on", errno);
    }
    return made;
}

// --- connecting -------------------------------------------------------------------------------

std::unexpected<Error> connect_failed(const Endpoint& to, int error) {
    ErrorCode code = error == ETIMEDOUT    ? ErrorCode::Timeout
                     : error == ECONNRESET ? ErrorCode::Closed  // Taken and dropped at once.
                     : error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH ||
                             error == ENETDOWN || error == EADDRNOTAVAIL || error == EAGAIN ||
                             error == ENOENT || error == EAFNOSUPPORT
                         ? ErrorCode::Unavailable
                         : ErrorCode::Io;
    return temporary_error(code, "connecting to " + to.to_string() + ": " + strerrordesc_np(error));
}

/// A socket whose connect has begun, or is done.
Result<Descriptor> begin_connect(const ConnectRequest& request, int sockets_below) {
    SocketAddress to = TRY(SocketAddress::of(request.to));
    Descriptor made(socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!made) {
        return connect_failed(request.to, errno);
    }
    if (made.number() >= sockets_below) {
        return connect_failed(request.to, EMFILE);
    }
    if (request.source && !request.to.is_unix()) {
        SocketAddress from = TRY(SocketAddress::of(Endpoint(*request.source, 0)));
        if (bind(made.number(), from.raw(), from.size) != 0) {
            return connect_failed(request.to, errno);
        }
    }
    if (connect(made.number(), to.raw(), to.size) != 0 && errno != EINPROGRESS) {
        return connect_failed(request.to, errno);
    }
    return made;
}

/// 0 when connected, EINPROGRESS when not yet, else why not.
int connect_state(int socket) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        return error != 0 ? error : errno;
    }
    sockaddr_storage peer{};
    size = sizeof peer;
    bool is_connected = getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
    return is_connected || errno != ENOTCONN ? 0 : EINPROGRESS;
}

}  // namespace

std::vector<int> inherited_sockets() {
    std::vector<int> found;
    const char* process = std::getenv("LISTEN_PID");
    const char* number = std::getenv("LISTEN_FDS");
    if (process == nullptr || number == nullptr ||
        parse_u64(process) != static_cast<std::uint64_t>(getpid())) {
        return found;
    }
    std::uint64_t count =
        std::min<std::uint64_t>(parse_u64(number).value_or(0), limits::inherited_sockets_max);
    for (int i = 0; i < static_cast<int>(count); ++i) {
        int listening = 0;
        socklen_t size = sizeof listening;
        int socket = kFirstInherited + i;
        bool is_listener = getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0;
        if (is_listener && listening == 1 && set_flags(socket)) {
            found.push_back(socket);
        }
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return found;
}

AsioNetwork::AsioNetwork(ShardPool* pool, Options options)
    : pool_(pool),
      inherited_(std::move(options.inherited)),
      sockets_below_(options.sockets_below),
      addresses_(addresses_of_machine()) {}

AsioNetwork::~AsioNetwork() {
    for (int socket : inherited_) {
        ::close(socket);
    }
}

int AsioNetwork::take_inherited(const Endpoint& at) {
    auto found = std::find_if(inherited_.begin(), inherited_.end(),
                              [&](int socket) { return local_endpoint(socket) == at; });
    if (found == inherited_.end()) {
        return -1;
    }
    int socket = *found;
    inherited_.erase(found);
    return socket;
}

Result<std::unique_ptr<Listener>> AsioNetwork::listen(const Endpoint& at, ListenOptions options,
                                                      AcceptHandler handler) {
    Descriptor socket(take_inherited(at));
    bool is_ours = !socket;
    if (is_ours) {
        socket = TRY(open_listener(at, options));
    }
    auto door = std::make_shared<Door>();
    door->options = std::move(options);
    door->handler = std::move(handler);
    door->local = local_endpoint(socket.number());
    door->pool = pool_;
    door->shard = &pool_->next_shard();
    door->owns_path = is_ours && at.is_unix();
    door->unwatched = std::make_unique<DescriptorWatch>(std::move(socket));
    door->sockets_below = sockets_below_;
    door->spare = Descriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
    spawn(*door->shard, "listener." + door->options.name, accept_connections(door));
    return std::make_unique<SocketListener>(std::move(door));
}

Task<Result<std::unique_ptr<Stream>>> AsioNetwork::connect(ConnectRequest request) {
    Shard& shard = Shard::here();
    auto watch = std::make_unique<DescriptorWatch>(CO_TRY(begin_connect(request, sockets_below_)));
    CO_TRY(watch->attach(shard));
    int error = 0;
    do {
        if (!co_await until_ready(watch.get(), Direction::Write, request.deadline)) {
            co_return connect_failed(request.to, ETIMEDOUT);
        }
        error = connect_state(watch->number());
    } while (error == EINPROGRESS);
    if (error != 0) {
        co_return connect_failed(request.to, error);
    }
    co_return make_socket_stream(std::move(watch), shard);
}

}  // namespace godwit::net
