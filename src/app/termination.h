// Last words of a process that cannot go on: no memory, or no thread to start with.
// STYLE.md: bad_alloc ends the process. docs/operating/limits.md.
#pragma once

namespace godwit::app {

/// An exception that nobody takes ends the process: out of memory or out of threads with a line in
/// the log and kExitTemporary, so that a service manager starts it anew; anything else aborts.
/// Nothing is undone first: what was acknowledged is durable. Once, before threads start.
void explain_termination();

}  // namespace godwit::app
