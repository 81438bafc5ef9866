// An account that an operator makes, has some mail in, saves and takes away again: what is there is
// nobody's to look for at the end.
#pragma once

#include "net/io/task.h"
#include "sim/people/person.h"

namespace godwit::sim {

/// Gives `order` (a call and its arguments) to the person's node. True when it was carried out.
bool order_call(Person* person, const std::string& call, const std::string& arguments);
/// By and by, until it was carried out or there was nothing to do.
net::Task<void> insist_on(Person* person, std::string call, std::string arguments);

/// One guest's stay: hours, or until all is calm; it is gone at the end. `person` outlives it.
net::Task<void> have_guest(Person* person, Dice* dice);
/// `godwit backup`, and what it left is read again. Gives up when the node goes down meanwhile.
net::Task<void> take_backup(Person* person);

}  // namespace godwit::sim
