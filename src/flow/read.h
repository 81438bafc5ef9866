// Reading the store from a shard: from memory at once, from disk on the offload pool.
// ARCHITECTURE.md house rule 2: bounded steps, no snapshot across a wait.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "flow/services.h"
#include "net/io/offload.h"
#include "net/io/task.h"
#include "store/kv/kv.h"
#include "store/store.h"

namespace godwit::flow {

/// Runs `step(const store::Snapshot&, store::ReadTier) -> Result<T>` on a fresh snapshot: first
/// with what is cached, on this shard; when that would block, whole again on the offload pool.
/// `step` holds values only, is callable twice, and reads a bounded number of rows.
template <class Step>
net::Task<std::invoke_result_t<Step&, const store::Snapshot&, store::ReadTier>> read(
    const Services* services, Step step) {
    {
        auto near = step(*services->store->snapshot(), store::ReadTier::Cached);
        if (near || near.error().code != ErrorCode::WouldBlock) {
            co_return near;
        }
    }
    store::Store* store = services->store;
    co_return co_await net::offload(services->offload, [store, step = std::move(step)]() mutable {
        return step(*store->snapshot(), store::ReadTier::Disk);
    });
}

}  // namespace godwit::flow
