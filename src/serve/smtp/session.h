// Serves SMTP, submission and LMTP: one coroutine a connection between the pure engine and the
// work. RFC 5321; RFC 6409; RFC 2033; RFC 8314. The engine decides syntax and order, flow/inbound
// who is welcome; this room only carries.
#pragma once

#include "serve/connection.h"

namespace godwit::serve {

/// From greeting to close. Spawn on the stream's shard.
net::Task<void> serve_smtp(Connection connection);

}  // namespace godwit::serve
