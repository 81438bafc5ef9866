// The kernel's TCP and Unix sockets behind Network. TCP_NODELAY on every connection; epoll.
#pragma once

#include <limits>
#include <vector>

#include "net/io/network.h"
#include "net/io/shard_pool.h"

namespace godwit::net {

/// The listening sockets a service manager handed us (LISTEN_PID, LISTEN_FDS; sd_listen_fds(3)),
/// set close-on-exec. Empty when there are none. Call once, before other threads run.
std::vector<int> inherited_sockets();

/// Connections are handed to the shards in turn. When the process has no descriptors left for
/// sockets, a listener refuses the next connection (with its spare one where there is none at all)
/// and rests (limits.h accept_rest).
class AsioNetwork final : public Network {
public:
    struct Options {
        /// A listen() whose address matches one uses it instead of binding. Owned.
        std::vector<int> inherited{};
        /// No connection has a descriptor from this number on: the kernel gives the lowest that is
        /// free, so that as many above it are left for files.
        int sockets_below = std::numeric_limits<int>::max();
    };
    /// The pool outlives it.
    explicit AsioNetwork(ShardPool* pool) : AsioNetwork(pool, Options{}) {}
    AsioNetwork(ShardPool* pool, Options options);
    ~AsioNetwork() override;

    Task<Result<std::unique_ptr<Stream>>> connect(ConnectRequest request) override;
    Result<std::unique_ptr<Listener>> listen(const Endpoint& at, ListenOptions options,
                                             AcceptHandler handler) override;
    [[nodiscard]] std::vector<IpAddress> local_addresses() const override { return addresses_; }

private:
    int take_inherited(const Endpoint& at);
    ShardPool* pool_;
    std::vector<int> inherited_;
    int sockets_below_;
    std::vector<IpAddress> addresses_;
};

}  // namespace godwit::net
