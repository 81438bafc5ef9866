// One accept, one plan: takes a whole message for all its recipients in a single durable commit.
// ARCHITECTURE.md house rule 3; RFC 5321 4.2.5, 4.4, 6.1-6.3; SMTP-BEHAVIOUR.md G1, G2, M1.
#pragma once

#include <vector>

#include "flow/inbound/arrival.h"
#include "flow/services.h"
#include "net/io/task.h"

namespace godwit::flow {

/// Local recipients get the message into their mailboxes, remote ones a place in the queue, in the
/// same commit. Returns one reply per recipient, in order, after the commit: 250 only for what is
/// on disk. Where some recipients fail and others do not, and `is_each_answered` is false, the
/// failures are reported to the sender by a notice in the same commit and their reply is 250 too.
net::Task<std::vector<smtp::Reply>> receive(const Services* services, Arrival arrival);

/// The one reply for DATA out of one per recipient: the first 2xx, else the first.
smtp::Reply summary_reply(const std::vector<smtp::Reply>& replies);

}  // namespace godwit::flow
