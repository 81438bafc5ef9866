// Serves HTTP: a start page, /health and /metrics, until the web page exists. RFC 9112, one request
// a connection.
#pragma once

#include "serve/connection.h"
#include "serve/http/metrics.h"

namespace godwit::serve {

/// From connect to close. Spawn on the stream's shard.
net::Task<void> serve_http(Connection connection);

/// Ending: the disk has failed, and the process ends within seconds.
enum class Health : std::uint8_t { Sound, Ending };

/// The whole answer to a request's head (from the request line up to and with the blank line).
/// `metrics` is null for who may not see them.
std::string answer_http(std::string_view head, std::string_view hostname, Health health,
                        const MetricsFacts* metrics = nullptr);

}  // namespace godwit::serve
