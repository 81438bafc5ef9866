// Frees what was held for want of a route as soon as there is one, and what waited to be asked for
// as soon as its domain's mail does not any more: a corrected configuration corrects queued mail.
// SMTP-BEHAVIOUR.md M4. What an operator, a route or quarantine holds stays.
#pragma once

#include "base/result.h"
#include "flow/services.h"
#include "net/io/task.h"

namespace godwit::flow {

/// Looks through the whole queue, in bounded steps between other work; by the settings as they are
/// at each step. What has a route is due now. Errors: the queue cannot be read, or the store
/// refused; what is left is found by the next call.
net::Task<Result<>> recall_held(const Services* services);

}  // namespace godwit::flow
