// The awaitable over the store's commit: the caller resumes on its own shard when the plan is on
// disk, or learns why it was dropped. ARCHITECTURE.md house rules 1 and 3.
#pragma once

#include "flow/services.h"
#include "net/io/task.h"
#include "store/commit/plan.h"

namespace godwit::flow {

/// Hands `plan` to the commit thread and waits. A cancelled wait says nothing about the outcome.
net::Task<store::CommitResult> commit(store::Store* store, store::Plan plan);

/// The same for callers that only ask whether it worked.
net::Task<Result<>> commit_all(store::Store* store, store::Plan plan);

}  // namespace godwit::flow
