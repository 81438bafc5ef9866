// Serves POP3 over a snapshot of INBOX that locks nobody out. RFC 1939.
#pragma once

#include "serve/connection.h"

namespace godwit::serve {

/// From greeting to close. Spawn on the stream's shard.
net::Task<void> serve_pop3(Connection connection);

}  // namespace godwit::serve
