// What RFC 2852 (DELIVERBY) asks of an attempt. Pure: time is an argument.
#pragma once

#include <optional>

#include "base/clock.h"
#include "store/queue/queue.h"
#include "wire/smtp/client.h"

namespace godwit::flow {

/// Its time is over and nothing may be tried any more (BY=...;R): what is said of all recipients.
std::optional<smtp::Outcome> returned_by_now(const store::QueueMessage& message, WallTime now);

/// A next attempt that would fall behind the deadline is made at the deadline: there R is given up,
/// and N is tried once more before its sender is told.
WallTime not_past_deadline(WallTime due, const store::QueueMessage& message, WallTime now);

/// N, and the deadline has gone by.
bool is_late(const store::QueueMessage& message, WallTime now);

/// What is left of it, as the next hop is told; nullopt without BY=. At least -999999999, what fits
/// nine digits.
std::optional<smtp::ByTime> time_left(const store::QueueMessage& message, WallTime now);

}  // namespace godwit::flow
