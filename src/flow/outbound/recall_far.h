// Deliveries whose time a wrong clock put out of reach. Attempts are planned by wall time; a clock
// that ran ahead and is right again leaves them waiting for as long as it was wrong.
// SMTP-BEHAVIOUR.md I6: a clock that goes backwards must not stall the queue.
#pragma once

#include "base/result.h"
#include "flow/services.h"
#include "net/io/task.h"

namespace godwit::flow {

/// Has everything tried now that is due later than any pause of the schedule reaches. One seek a
/// site where there is none. Errors: the queue cannot be read, or the store
/// refused; what is left is found by the next call.
net::Task<Result<>> recall_far(const Services* services);

}  // namespace godwit::flow
