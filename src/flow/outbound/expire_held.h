// Gives up held mail whose time is over: hold has no due time, so that no attempt would ever find
// it. SMTP-BEHAVIOUR.md M4: expiry is enforced in every state, hold too. RFC 5321 4.5.4.1.
#pragma once

#include "base/result.h"
#include "flow/services.h"
#include "net/io/task.h"

namespace godwit::flow {

/// Looks through the whole queue, in bounded steps between other work. What is held past its
/// expires_at is not sent, but fails with a report to its sender (5.4.7). Errors: the queue cannot
/// be read; what the store refused is tried again by the next call.
net::Task<Result<>> expire_held(const Services* services);

}  // namespace godwit::flow
