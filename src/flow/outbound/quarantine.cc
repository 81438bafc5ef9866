#include "flow/outbound/quarantine.h"

#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/read.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"
#include "store/mailbox/schema.h"

namespace godwit::flow {

namespace {

// Of an upper floor (family G): the run whose crash was counted last.
std::string run_key() {
    return store::make_key(static_cast<char>(store::Family::Open), std::string_view("in-hand"));
}

using Counted = std::vector<std::pair<MailId, store::QueueDelivery>>;

// The deliveries as they shall be; nothing when this run was counted.
Result<Counted> load(const store::Snapshot& snapshot, store::ReadTier tier,
                     const InHandLeft& left) {
    Counted counted;
    const auto row = TRY(snapshot.get(run_key(), tier));
    if (row && *row == store::encode_number(left.run)) {
        return counted;
    }
    for (const InHandEntry& entry : left.entries) {
        auto read = store::read_delivery(snapshot, tier, entry.mail, entry.number);
        if (!read && store::is_damage(read.error())) {
            continue;
        }
        auto delivery = TRY(std::move(read));
        if (!delivery || delivery->is_held) {
            continue;
        }
        delivery->crashes = std::min(delivery->crashes + 1, store::delivery_crashes_max);
        if (delivery->crashes >= quarantine_crashes) {
            delivery->is_held = true;
            delivery->held_reason =
                "quarantined: in hand at " + std::to_string(delivery->crashes) + " crashes";
        }
        counted.emplace_back(entry.mail, *std::move(delivery));
    }
    return counted;
}

}  // namespace

net::Task<Result<>> count_crashes(const Services* services, InHandLeft left) {
    const std::uint64_t run = left.run;
    Counted counted = CO_TRY(co_await read(
        services, [left = std::move(left)](const store::Snapshot& snapshot, store::ReadTier tier) {
            return load(snapshot, tier, left);
        }));
    if (counted.empty()) {
        co_return Result<>();
    }
    store::Plan plan;
    store::ChangeRows rows;
    rows.entries.push_back({.key = run_key(), .value = store::encode_number(run)});
    plan.steps.emplace_back(std::move(rows));
    for (const auto& [mail, delivery] : counted) {
        const std::string kind = delivery.is_held ? "quarantined" : "suspected";
        JsonWriter json;
        json.begin_object().field("site", delivery.site).field("crashes", delivery.crashes);
        json.end_object();
        plan.steps.emplace_back(
            store::TraceEvent{mail, services->clock->wall(), kind, std::move(json).take()});
        plan.steps.emplace_back(store::UpdateQueue{mail, {delivery}});
    }
    CO_TRY(co_await commit_all(services->store, std::move(plan)));
    probe<"outbound.crash_counted">();
    for (const auto& [mail, delivery] : counted) {
        log::warn(delivery.is_held ? "queue.quarantined" : "queue.suspected",
                  {{"id", mail}, {"site", delivery.site}, {"crashes", delivery.crashes}});
        count(Metric::QueueQuarantined, delivery.is_held ? 1 : 0);
    }
    co_return Result<>();
}

}  // namespace godwit::flow
