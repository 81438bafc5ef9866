// Makes what came of an attempt durable, with the report about it where there is one: in one commit
// when both fit, and the outcome alone when the report does not: where that is of the moment, those
// that failed wait on then, so that their report is owed and not lost. A delivery whose outcome is
// lost is made again, to those too who have it already. RELIABILITY.md I4, I5; RFC 3461 6.
#pragma once

#include <vector>

#include "flow/outbound/settle.h"
#include "flow/services.h"
#include "net/io/task.h"
#include "store/queue/queue.h"

namespace godwit::flow {

/// Until a recipient whose failure could not be reported is settled again: about as long as it
/// takes an administrator to make room, and six short sessions an hour are nothing to the next hop.
inline constexpr std::chrono::minutes kOwedReportPause{10};

struct AttemptOutcome {
    store::QueueMessage message;
    store::QueueDelivery delivery;       ///< As it was read when the attempt began.
    std::vector<AttemptResult> results;  ///< One for each recipient that was waiting.
    /// The delivery must still be stored as it was read, else nothing is done. For those that
    /// nobody has in hand; an attempt keeps the orders that an operator gave meanwhile instead.
    bool must_be_unchanged = false;
};

/// True when the outcome is durable, or the delivery left the queue or changed meanwhile; false
/// when the store refused even the outcome alone.
net::Task<bool> record_outcome(const Services* services, AttemptOutcome outcome);

}  // namespace godwit::flow
