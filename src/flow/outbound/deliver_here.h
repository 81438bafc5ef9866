// Mail that was held for its release (RFC 4865) and whose recipients have mailboxes here: its site
// is store::local_site. Who they are is asked anew: an account may have come or gone meanwhile.
#pragma once

#include <vector>

#include "flow/outbound/settle.h"
#include "flow/services.h"
#include "net/io/task.h"

namespace godwit::flow {

/// Puts the message into the mailboxes of all recipients that wait, a commit each: one that is full
/// is no matter of the others. Exactly once, also when the outcome is never recorded
/// (RELIABILITY.md P3). One result each. `message` and `delivery` outlive it.
net::Task<std::vector<AttemptResult>> deliver_here(const Services* services,
                                                   const store::QueueMessage* message,
                                                   const store::QueueDelivery* delivery);

}  // namespace godwit::flow
