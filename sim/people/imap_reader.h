// Reads and changes an account's mail by IMAP, remembering all it was told.
// RFC 3501, RFC 4315, RFC 6851, RFC 2177, RFC 3691; RELIABILITY.md P4, I15, I16, I23-I26.
#pragma once

#include "net/io/task.h"
#include "sim/people/person.h"

namespace godwit::sim {

/// Until the last comparison agreed. `person` outlives it. The only one to change its mailboxes.
net::Task<void> read_by_imap(Person* person);
/// A second session that only looks and listens, while the first changes what it sees.
net::Task<void> look_on(Person* person);

}  // namespace godwit::sim
