// Serves SMTP, submission and LMTP: one coroutine a connection between the pure engine and the
// work. RFC 5321; RFC 6409; RFC 2033; RFC 8314. The engine decides syntax and order, flow/inbound
// who is welcome; this room only carries.
#pragma once

#include <cstdint>

#include "serve/connection.h"

namespace godwit::serve {

/// I2: a command must be whole within its time however its octets come, and content must come with
/// so many octets a second beside that time, as Postfix's smtpd_min_data_rate.
inline constexpr std::uint64_t smtp_data_rate_min = 500;

/// From greeting to close. Spawn on the stream's shard.
net::Task<void> serve_smtp(Connection connection);

}  // namespace godwit::serve
