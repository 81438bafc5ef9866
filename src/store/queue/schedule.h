// When a delivery that did not succeed is tried again, when its sender hears of the delay, and when
// it is given up. RFC 5321 4.5.4.1; DECISIONS "Retry". Pure: time and chance are arguments.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace godwit::store {

/// Configurable; these are the defaults of DECISIONS.
struct RetryPolicy {
    /// RFC 5321 4.5.4.1: "the give-up time generally needs to be at least 4-5 days".
    std::chrono::hours lifetime = std::chrono::hours(5 * 24);
    std::chrono::hours delay_notice_after = std::chrono::hours(4);
};

/// The pause after attempt number `attempts` (1 is the first) without chance in it: 1, 5, 10, 20,
/// 40, 80, 160 minutes, then 240 each time. At most 240 minutes.
std::chrono::minutes retry_pause(std::uint32_t attempts);

/// No next_attempt() is further away: the longest pause and what chance adds to it.
inline constexpr std::chrono::minutes retry_pause_max = std::chrono::minutes(264);

/// What follows a failed attempt.
struct NextAttempt {
    /// When to try again; nullopt: the message's time is over, report it as failed (Expired).
    std::optional<WallTime> due;
};
struct FailedAttempt {
    std::uint32_t attempts = 1;  ///< With the one that just failed.
    WallTime now{};
    WallTime expires_at{};
    std::uint64_t chance =
        0;                   ///< Any random number: spreads the pause by at most a tenth each way.
    bool may_expire = true;  ///< False: `now` is not to be trusted with that.
};
/// The last attempt is put at the expiry itself, not after it; and a message is never given up
/// before `attempts_min` attempts, so that a server that slept through a message's whole life still
/// tries.
NextAttempt next_attempt(const FailedAttempt& failed);

/// Attempts a delivery gets at the least, however old it is.
inline constexpr std::uint32_t attempts_min = 2;

inline WallTime expiry(WallTime accepted_at, const RetryPolicy& policy) {
    return accepted_at + policy.lifetime;
}
/// True from the time on at which a sender who asked for it is told once of the delay (RFC
/// 3461 4.1).
inline bool is_delay_notice_due(WallTime accepted_at, WallTime now, const RetryPolicy& policy) {
    return now - accepted_at >= policy.delay_notice_after;
}

}  // namespace godwit::store
