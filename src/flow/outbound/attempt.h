// One attempt at one delivery: route, connect (or use the open session), send, and settle the
// outcome with its notices in one commit. RELIABILITY.md I1-I7.
#pragma once

#include <vector>

#include "flow/outbound/send_group.h"
#include "flow/services.h"
#include "net/io/task.h"
#include "store/queue/queue.h"

namespace godwit::flow {

/// What became of a delivery that was handed to a worker.
struct AttemptEnd {
    enum class Kind : std::uint8_t {
        Settled,  ///< The outcome is durable, whatever it was.
        Refused,  ///< The store refused it: it stays due and must not be tried again at once.
        NoRoom,   ///< Not tried: its outlet is full. The worker's user is in line there.
        Paused,   ///< Not tried: its outlet rests until `until`.
    } kind = Kind::Settled;
    MonoTime until{};
    /// Somebody took the message or said why not, and was not ourselves.
    bool is_answered = false;
};
/// `kept` and `slot` are the worker's.
net::Task<AttemptEnd> attempt_delivery(const Services* services, store::DueDelivery due,
                                       KeptSession* kept, OutletSlot* slot);

/// Drops deliveries by a discard route: durable, traced, many in one commit.
net::Task<bool> discard_deliveries(const Services* services, std::vector<store::DueDelivery> due);

}  // namespace godwit::flow
