// The kernel's TCP and Unix sockets behind Network. TCP_NODELAY on every connection; epoll.
#pragma once

#include <vector>

#include "net/io/network.h"
#include "net/io/shard_pool.h"

namespace godwit::net {

/// The listening sockets a service manager handed us (LISTEN_PID, LISTEN_FDS; sd_listen_fds(3)),
/// set close-on-exec. Empty when there are none. Call once, before other threads run.
std::vector<int> inherited_sockets();

/// Connections are handed to the shards in turn. When the process has no descriptors left, a
/// listener uses its spare one to refuse the next connection and rests (limits.h accept_rest).
class AsioNetwork final : public Network {
public:
    /// The pool outlives it. Owns `inherited`; a listen() whose address matches one uses it instead
    /// of binding.
    explicit AsioNetwork(ShardPool* pool, std::vector<int> inherited = {});
    ~AsioNetwork() override;

    Task<Result<std::unique_ptr<Stream>>> connect(ConnectRequest request) override;
    Result<std::unique_ptr<Listener>> listen(const Endpoint& at, ListenOptions options,
                                             AcceptHandler handler) override;

private:
    int take_inherited(const Endpoint& at);
    ShardPool* pool_;
    std::vector<int> inherited_;
};

}  // namespace godwit::net
