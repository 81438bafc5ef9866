// Cleans up behind deletions and lets go of what is too old, in small steps between other work.
#pragma once

#include "flow/services.h"
#include "net/io/task.h"

namespace godwit::app {

/// Runs until its shard stops. Removes what deleted accounts and mailboxes left, trails of messages
/// older than `trace.keep`, and about once an hour change log rows older than
/// limits::change_log_keep and held mail past its expiry (with a report); then gives the disk space
/// of bodies that nothing refers to back. `services` outlives it.
net::Task<void> take_care(const flow::Services* services);

}  // namespace godwit::app
