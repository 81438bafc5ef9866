// Counts the crash of the last process against the deliveries that it had in hand, puts those in
// quarantine that were in hand at two, and counts and notes what may have been sent (W1).
// docs/decisions/0020; RELIABILITY.md 2 (poison messages), I14.
#pragma once

#include "flow/outbound/in_hand.h"
#include "flow/services.h"
#include "net/io/task.h"

namespace godwit::flow {

/// One commit; counted already (by a process that crashed right after) does nothing. Before the
/// first attempt.
net::Task<Result<>> count_crashes(const Services* services, InHandLeft left);

}  // namespace godwit::flow
