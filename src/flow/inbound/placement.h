// Where a message goes, as a plan: local mailboxes, the queue, and the first lines of its trace.
// Pure: what is known comes in, a plan goes out. Shared by receive() and our own notices.
// RFC 5321 4.4 (trace fields), 4.5.4.1 (one queue entry a message); J2, J9, M1.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "flow/inbound/arrival.h"
#include "flow/settings.h"
#include "store/commit/plan.h"

namespace godwit::flow {

struct Placement {
    store::Plan plan;
    /// For each step of the plan that concerns one recipient: its index in the arrival; else npos.
    std::vector<std::size_t> recipient_of_step;
    std::size_t local_count = 0;   ///< Mailboxes that get it.
    std::size_t remote_count = 0;  ///< Addresses that go into the queue.
};

/// Recipients whose `is_left_out` is set are passed over. What leaves with one reverse-path and for
/// one forwarder, and lives as long, is one queued message: the first has the arrival's id,
/// `next_id` names further ones. What waits to be asked for is held from the start. The body is
/// left to the caller, who moves it into the plan: only its id and size are used here.
Placement place(const Settings& settings, const Arrival& arrival, WallTime now,
                const std::vector<bool>& is_left_out, const std::function<MailId()>& next_id);

}  // namespace godwit::flow
