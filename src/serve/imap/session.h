// Serves IMAP: one coroutine a connection. RFC 3501. Reader, command table and selected state are
// files of their own; this one only carries.
#pragma once

#include "serve/connection.h"

namespace godwit::serve {

/// From greeting to close. Spawn on the stream's shard; moves to the account's home shard at login.
net::Task<void> serve_imap(Connection connection);

}  // namespace godwit::serve
