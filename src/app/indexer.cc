#include "app/indexer.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "flow/commit.h"
#include "flow/read.h"
#include "net/io/offload.h"
#include "store/directory/directory.h"
#include "store/search/index_run.h"
#include "store/store.h"

namespace godwit::app {
namespace {

// Work takes a third of one thread at most.
constexpr int kRestsToWork = 2;
// A step that took no time to speak of still lets others in.
constexpr std::chrono::milliseconds kLeastRest(1);

net::Task<Result<>> index_account(const flow::Services* services, AccountId account) {
    const auto run = std::make_shared<store::IndexRun>(services->store, account);
    for (;;) {
        const MonoTime begun = net::Shard::here().now();
        const WallTime now = services->clock->wall();
        store::IndexStep step =
            CO_TRY(co_await net::offload(services->offload, [run, now] { return run->step(now); }));
        if (step.is_done) {
            co_return Result<>();
        }
        if (step.plan) {
            CO_TRY(co_await flow::commit_all(services->store, *std::move(step.plan)));
        }
        const Duration worked = net::Shard::here().now() - begun;
        co_await net::sleep_for(std::max<Duration>(worked * kRestsToWork, kLeastRest));
    }
}

net::Task<Result<>> index_all(const flow::Services* services) {
    const auto accounts = CO_TRY(
        co_await flow::read(services, [](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::list_accounts(snapshot, tier);
        }));
    for (const store::Account& account : accounts) {
        const AccountId id = account.id;
        const WallTime now = services->clock->wall();
        const auto due = co_await flow::read(
            services, [id, now](const store::Snapshot& snapshot, store::ReadTier tier) {
                return store::is_index_due(snapshot, tier, id, now);
            });
        Result<> done;
        if (!due) {
            done = std::unexpected(due.error());
        } else if (*due) {
            done = co_await index_account(services, id);
        }
        // Stale: it was asked to be made anew meanwhile; the next round does.
        if (!done && done.error().code != ErrorCode::Stale &&
            done.error().code != ErrorCode::NotFound) {
            log::warn("search_index.failed",
                      {{"account", id.value()}, {"error", done.error().text}});
        }
        co_await net::yield_now();
    }
    co_return Result<>();
}

}  // namespace

net::Task<void> keep_indexes(const flow::Services* services) {
    for (;;) {
        const Result<> done = co_await index_all(services);
        if (!done) {
            log::warn("search_index.failed", {{"error", done.error().text}});
        }
        co_await net::sleep_for(limits::caretaker_pause);
    }
}

}  // namespace godwit::app
