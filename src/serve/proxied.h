// Connections that come by way of a load balancer: the PROXY protocol, before TLS and before any
// protocol of ours. For every desk alike.
#pragma once

#include <chrono>
#include <memory>

#include "flow/services.h"
#include "net/io/stream.h"
#include "net/io/task.h"

namespace godwit::serve {

/// A balancer writes its header as it connects: what has not come by then never will. The
/// specification asks for three seconds at least.
inline constexpr std::chrono::seconds proxy_header_timeout{10};

/// The stream with the client's address, once the header was read; or why to close it: it does not
/// come from `trust.proxy`, or there was no header in time or a wrong one. With LOCAL (a health
/// check) the stream as it was.
net::Task<Result<std::unique_ptr<net::Stream>>> take_proxy_header(
    const flow::Services* services, std::unique_ptr<net::Stream> stream);

}  // namespace godwit::serve
