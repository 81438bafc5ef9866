#include "flow/outbound/recall_far.h"

#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/read.h"
#include "store/queue/queue.h"
#include "store/queue/schedule.h"

namespace godwit::flow {

namespace {

using FarRows = std::vector<store::DueDelivery>;

// Each only as it was read: what an operator or an attempt did meanwhile stands.
Result<std::vector<store::Plan>> plan_recall(const store::Snapshot& snapshot, store::ReadTier tier,
                                             const FarRows& rows, WallTime now) {
    std::vector<store::Plan> plans;
    for (const store::DueDelivery& row : rows) {
        auto delivery = TRY(store::read_delivery(snapshot, tier, row.mail, row.number));
        if (!delivery || delivery->is_held || delivery->due != row.due) {
            continue;
        }
        store::ChangeRows basis;
        basis.expects.push_back({.key = store::queue_delivery_key(row.mail, row.number),
                                 .value = store::encode(*delivery)});
        delivery->due = now;
        store::Plan plan;
        plan.steps.emplace_back(std::move(basis));
        plan.steps.emplace_back(
            store::UpdateQueue{.mail = row.mail, .deliveries = {*std::move(delivery)}});
        plans.push_back(std::move(plan));
    }
    return plans;
}

}  // namespace

net::Task<Result<>> recall_far(const Services* services) {
    const WallTime now = services->clock->wall();
    const WallTime bound = now + store::retry_pause_max;
    for (store::DueDelivery after;;) {
        const FarRows rows = CO_TRY(co_await read(
            services, [after, bound](const store::Snapshot& snapshot, store::ReadTier tier) {
                return store::due_beyond(snapshot, tier, after, bound, limits::scan_rows_max);
            }));
        if (rows.empty()) {
            co_return Result<>();
        }
        log::warn("queue.clock_was_ahead",
                  {{"deliveries", std::uint64_t{rows.size()}}, {"site", rows.front().site}});
        probe<"outbound.recalled">();
        std::vector<store::Plan> plans = CO_TRY(co_await read(
            services, [&rows, now](const store::Snapshot& snapshot, store::ReadTier tier) {
                return plan_recall(snapshot, tier, rows, now);
            }));
        for (store::Plan& plan : plans) {
            store::CommitResult done = co_await commit(services->store, std::move(plan));
            if (!done && done.error().error.code != ErrorCode::Stale) {
                // A full disk, or one that failed: the next would fare no better.
                co_return std::unexpected(std::move(done).error().error);
            }
        }
        after = rows.back();
    }
}

}  // namespace godwit::flow
