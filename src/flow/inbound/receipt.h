// What a sender who asked for it (NOTIFY=SUCCESS) is told when its message is taken: delivered
// here, or expanded into several. What is passed on with NOTIFY intact is somebody else's to
// report. Pure. RFC 3461 5.2.3 (local delivery), 5.2.7.2 and 5.2.7.3 (aliases).
#pragma once

#include <vector>

#include "flow/inbound/arrival.h"
#include "mail/report/dsn.h"

namespace godwit::flow {

/// RFC 3461 5.2.7.3 (c): an alias with several addresses behind it answers for itself; NOTIFY goes
/// on to them without SUCCESS.
bool is_expanded(const ArrivalRecipient& recipient);

/// One entry for each recipient that is placed and has something to be told; often none.
/// `is_left_out[i]`: recipient i is not placed.
std::vector<mail::DsnRecipient> receipts(const Arrival& arrival,
                                         const std::vector<bool>& is_left_out);

/// ORCPT as reports and the queue write it, "rfc822;user@host"; empty without one.
std::string original_recipient(const ArrivalRecipient& recipient);

}  // namespace godwit::flow
