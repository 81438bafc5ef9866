// Dates and times of protocols: "2026-11-22T17:40:00Z". RFC 3339 5.6.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace godwit::mail {

/// Unix seconds; fractions of a second are left out, second 60 counts as the one after 59. nullopt
/// if it is no date-time of RFC 3339 5.6. Linear; at most timestamp_size_max octets are read.
std::optional<std::int64_t> parse_timestamp(std::string_view text);
/// In UTC, "2026-11-22T17:40:00Z". Years outside 0-9999 are clamped.
std::string format_timestamp(std::int64_t unix_seconds);

/// A second with nine digits behind it and an offset has 35.
inline constexpr std::size_t timestamp_size_max = 64;

}  // namespace godwit::mail
