// Delivery status notifications as mail of our own: builds the report, finds where the sender
// lives, and adds it to a plan, so that outcome and report become durable together. RFC 3461 6, RFC
// 3464; SMTP-BEHAVIOUR.md G4 (null sender), G7 (size); RELIABILITY.md I4, I5.
#pragma once

#include <string>
#include <vector>

#include "flow/services.h"
#include "mail/report/dsn.h"
#include "net/io/task.h"
#include "store/commit/plan.h"
#include "store/queue/queue.h"

namespace godwit::flow {

struct Notice {
    /// The message reported on: its sender gets the notice; envelope_id, accepted_at and what to
    /// return are read from it. Its body must be stored or given in `original`.
    store::QueueMessage message;
    std::vector<mail::DsnRecipient> recipients;
    /// Header (and body) of the message as it would be sent; empty: read from the store.
    std::string original;
};

/// What to tell the sender of, added to `plan`. Adds nothing when the sender is null, or when it is
/// local and does not exist (then the postmaster gets it). The notice has a MailId of its own.
net::Task<Result<>> add_notice(const Services* services, store::Plan* plan, Notice notice);

}  // namespace godwit::flow
