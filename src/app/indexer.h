// Keeps the search indexes up to their accounts' emails, beside all other work.
#pragma once

#include "base/ids.h"
#include "flow/services.h"
#include "net/io/task.h"

namespace godwit::app {

/// Runs until its shard stops: about once a minute looks for accounts whose index has work
/// (store/search/index_run.h) and does it on the offload pool, a few milliseconds at a time with
/// longer rests between, so that deliveries and sessions go first. One account at a time, so that
/// memory has one bound. What is not indexed yet searches read themselves. `services` outlives it.
net::Task<void> keep_indexes(const flow::Services* services);

}  // namespace godwit::app
