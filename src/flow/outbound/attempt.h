// One attempt at one delivery: route, connect (or use the open session), send, and settle the
// outcome with its notices in one commit. RELIABILITY.md I1-I7.
#pragma once

#include <memory>

#include "flow/outbound/remote.h"
#include "flow/services.h"
#include "net/io/task.h"
#include "store/queue/queue.h"

namespace godwit::flow {

/// The connection a worker keeps between deliveries; null when there is none.
using KeptSession = std::unique_ptr<RemoteSession>;

/// True when the outcome is durable (whatever it was); false when the store refused it: the
/// delivery stays due and must not be tried again at once.
net::Task<bool> attempt_delivery(const Services* services, store::DueDelivery due,
                                 KeptSession* kept);

/// Drops deliveries by a discard route: durable, traced, many in one commit.
net::Task<bool> discard_deliveries(const Services* services, std::vector<store::DueDelivery> due);

}  // namespace godwit::flow
