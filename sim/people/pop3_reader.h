// Reads and empties an account's INBOX by POP3, remembering all it was told.
// RFC 1939, RFC 2449, RFC 2595 4; RELIABILITY.md P4, I15, I20.
#pragma once

#include "net/io/task.h"
#include "sim/people/person.h"

namespace godwit::sim {

/// Until the last comparison agreed. `person` outlives it. The only one to change its INBOX.
net::Task<void> read_by_pop3(Person* person);
/// One session of somebody who reads by IMAP: looks whether POP3 shows the same. Changes nothing.
net::Task<Result<>> glance_by_pop3(Person* person, Dice* dice);

}  // namespace godwit::sim
