#include "flow/outbound/operator_desk.h"

#include <utility>

#include "base/log.h"
#include "flow/commit.h"
#include "flow/outbound/orders.h"
#include "flow/outbound/scheduler.h"
#include "flow/read.h"
#include "net/io/shard.h"
#include "store/store.h"

namespace godwit::flow {

OperatorDesk::OperatorDesk(const Services* services) : services_(services) {
    table_.store(std::make_shared<const SuspensionTable>());
}

Result<> OperatorDesk::start() {
    table_.store(std::make_shared<const SuspensionTable>(
        TRY(read_suspensions(*services_->store->snapshot(), store::ReadTier::Disk))));
    return {};
}

Result<> OperatorDesk::take_up() {
    TRY(start());
    if (services_->scheduler != nullptr) {
        services_->scheduler->look_again();
    }
    begin_to_carry_out();
    return {};
}

void OperatorDesk::begin_to_carry_out() {
    net::Shard* const shard = services_->shards.front();
    shard->post([this, shard] { net::spawn(*shard, "queue.orders", carry_out()); });
}

net::Task<void> OperatorDesk::carry_out() {
    const bool is_mine = errand_.with([](Errand& errand) {
        errand.again = errand.is_running;
        return !std::exchange(errand.is_running, true);
    });
    if (!is_mine) {
        co_return;
    }
    bool goes_on = true;
    while (goes_on) {
        const Result<> done = co_await carry_out_orders(services_);
        if (!done) {
            log::warn("queue.orders_put_off", {{"error", done.error().text}});
        }
        goes_on = errand_.with([&done](Errand& errand) {
            errand.is_running = done.has_value() && std::exchange(errand.again, false);
            return errand.is_running;
        });
    }
}

net::Task<Result<>> OperatorDesk::tend() {
    co_await carry_out();
    const WallTime now = services_->clock->wall();
    const auto all =
        CO_TRY(co_await read(services_, [](const store::Snapshot& snapshot, store::ReadTier tier) {
            return read_suspensions(snapshot, tier);
        }));
    store::Plan plan;
    store::ChangeRows rows;
    for (const Suspension& one : all) {
        if (one.until && *one.until <= now) {
            log::info("queue.suspension_over", {{"what", what_is_suspended(one)}});
            const std::string key = suspension_key(one.kind, one.name);
            // Only if nobody has suspended it anew.
            rows.expects.push_back({.key = key, .value = encode(one)});
            rows.entries.push_back({.key = key, .value = std::nullopt});
        }
    }
    if (rows.entries.empty()) {
        co_return Result<>();
    }
    plan.steps.emplace_back(std::move(rows));
    co_return co_await commit_all(services_->store, std::move(plan));
}

}  // namespace godwit::flow
