// Hands letters in by submission and LMTP, and writes down exactly what it was told.
// RFC 5321, RFC 6409, RFC 2033, RFC 3030 (BDAT), RFC 3461 (DSN); RELIABILITY.md 1 (W2).
#pragma once

#include "net/io/task.h"
#include "sim/people/person.h"

namespace godwit::sim {

/// Until the world ends. `person` outlives it.
net::Task<void> write_letters(Person* person);

}  // namespace godwit::sim
