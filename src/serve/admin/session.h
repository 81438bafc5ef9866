// Serves <data>/admin.sock: one JSON request a line in, one answer a line out (serve/admin/api.h).
// Who may connect is the socket file's mode (0660).
#pragma once

#include <memory>

#include "flow/services.h"
#include "net/io/stream.h"
#include "net/io/task.h"
#include "serve/admin/api.h"

namespace godwit::serve {

/// From connect to close. Spawn on the stream's shard; both pointers outlive it. Calls run on the
/// offload pool, one at a time. Bounds: limits::admin_request_size_max, admin_idle_timeout.
net::Task<void> serve_admin(flow::Services* services, const AdminHost* host,
                            std::unique_ptr<net::Stream> stream);

}  // namespace godwit::serve
