// A Network inside the process, for tests and dialogs: listeners are a table, connections memory
// pairs. One thread (a TestLoop).
#pragma once

#include <map>
#include <memory>

#include "net/io/memory_stream.h"
#include "net/io/network.h"
#include "net/io/test_loop.h"

namespace godwit::net {

class MemoryNetwork final : public Network {
public:
    /// What happens to a connect() to an endpoint.
    enum class Behaviour : std::uint8_t {
        Accept,       ///< As the listener there does; refused where there is none.
        Refuse,       ///< Unavailable at once.
        Unreachable,  ///< Unavailable at once, "no route".
        Hang,         ///< Timeout at the deadline.
        Drop,         ///< Connects and closes before a byte.
    };
    /// The loop outlives it. Accepted streams go to the loop's shards in turn.
    explicit MemoryNetwork(TestLoop* loop);
    ~MemoryNetwork() override;

    Task<Result<std::unique_ptr<Stream>>> connect(ConnectRequest request) override;
    /// A listener on 0.0.0.0 or :: takes any address of its family with that port.
    Result<std::unique_ptr<Listener>> listen(const Endpoint& at, ListenOptions options,
                                             AcceptHandler handler) override;

    void set_behaviour(const Endpoint& at, Behaviour behaviour);
    /// The address clients come from when the request names none. Default 127.0.0.1.
    void set_client_address(IpAddress address);
    /// Options of the streams made from here on; endpoints are filled in.
    void set_pair_options(MemoryPairOptions options);
    /// Shared by all streams of this network.
    MemoryFaults& faults();

private:
    struct State;
    // Two lifetimes: the network, and listener handles that may die after it.
    std::shared_ptr<State> state_;
};

}  // namespace godwit::net
