// The administrator of a node: holds, releases and retries what is in its queue, looks, has all
// read again, takes backups and has guests.
// RELIABILITY.md I14.
#pragma once

#include "net/io/task.h"
#include "sim/people/person.h"

namespace godwit::sim {

/// Until all is released in calm times. `person` outlives it.
net::Task<void> give_orders(Person* person);

}  // namespace godwit::sim
