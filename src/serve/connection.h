// One accepted connection, as a listener hands it to a desk. app/house has the table of desks.
#pragma once

#include <memory>

#include "flow/policy/connection_guard.h"
#include "flow/roll_call.h"
#include "flow/services.h"
#include "net/io/stream.h"
#include "net/io/task.h"

namespace godwit::serve {

struct Connection {
    flow::Services* services = nullptr;
    flow::ListenerSettings listener;
    const net::TlsServerContext* tls = nullptr;  ///< Null when the server has no certificate.
    std::unique_ptr<net::Stream> stream;
    flow::ConnectionPermit permit;  ///< Empty: say so in the protocol's words and close.
};

/// What a desk is: a session from greeting to close. Spawned on the stream's shard.
using Desk = net::Task<void> (*)(Connection connection);

}  // namespace godwit::serve
