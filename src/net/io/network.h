// Connecting and listening as a seam: the kernel's sockets (asio_network.h) or memory
// (memory_network.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/io/endpoint.h"
#include "net/io/stream.h"

namespace godwit::net {

/// Takes a new connection, on the shard the stream belongs to; typically spawn()s a session.
/// Called on several shards at once: it must not change what it captured.
using AcceptHandler = std::function<void(std::unique_ptr<Stream> stream)>;

struct ListenOptions {
    std::string name{};  ///< In logs: "smtp".
    int backlog = 1024;
    std::uint32_t unix_mode = 0660;  ///< Of a Unix socket's file.
    bool is_v6_only = false;  ///< [::] without IPv4: 0.0.0.0 with the same port is another door.
};

/// An open door. Any thread. Destroying it stops it.
class Listener {
public:
    virtual ~Listener() = default;
    /// With the real port where 0 was asked.
    [[nodiscard]] virtual const Endpoint& local() const = 0;
    /// Accepts no more; removes a Unix socket's file. Connections already taken go on; a handler
    /// call that is on its way to a shard still comes.
    virtual void stop() = 0;
};

struct ConnectRequest {
    Endpoint to{};
    MonoTime deadline = kNever;
    std::optional<IpAddress> source{};  ///< The local address to use.
};

class Network {
public:
    virtual ~Network() = default;
    /// A stream on the shard that asks. Temporary errors: Timeout, Unavailable (refused,
    /// unreachable), Closed (taken and dropped at once), Io.
    virtual Task<Result<std::unique_ptr<Stream>>> connect(ConnectRequest request) = 0;
    /// The machine's own addresses, as they were at the start; none where there is no machine.
    [[nodiscard]] virtual std::vector<IpAddress> local_addresses() const { return {}; }
    /// Binds and listens before it returns; handlers run once the shards run. Internal errors:
    /// AlreadyExists (in use), Denied, Io.
    virtual Result<std::unique_ptr<Listener>> listen(const Endpoint& at, ListenOptions options,
                                                     AcceptHandler handler) = 0;
};

}  // namespace godwit::net
