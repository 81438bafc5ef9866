#include "flow/outbound/quarantine.h"

#include <algorithm>
#include <utility>
#include <vector>

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

struct OneLeft {
    InHandEntry entry;
    store::QueueDelivery delivery;
};
using Counted = std::vector<OneLeft>;

constexpr const char* kMayBeSent =
    "may have been sent: the server ended behind the message's last octet, before the answer was "
    "on disk";

std::int64_t waiting_recipients(const store::QueueDelivery& delivery) {
    return std::ranges::count(delivery.recipients, store::RecipientState::Waiting,
                              &store::QueueRecipient::state);
}

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
        if (entry.is_blameless) {
            counted.push_back({.entry = entry, .delivery = *std::move(delivery)});
            continue;
        }
        delivery->crashes = std::min(delivery->crashes + 1, store::delivery_crashes_max);
        if (delivery->crashes >= quarantine_crashes) {
            delivery->is_held = true;
            delivery->held_reason =
                "quarantined: in hand at " + std::to_string(delivery->crashes) + " crashes";
        }
        counted.push_back({.entry = entry, .delivery = *std::move(delivery)});
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
    for (const OneLeft& left_over : counted) {
        const auto& [entry, delivery] = left_over;
        const std::string kind = entry.is_blameless ? "interrupted"
                                 : delivery.is_held ? "quarantined"
                                                    : "suspected";
        JsonWriter json;
        json.begin_object().field("site", delivery.site).field("crashes", delivery.crashes);
        if (entry.may_be_sent) {
            json.field("note", kMayBeSent);
        }
        json.end_object();
        plan.steps.emplace_back(
            store::TraceEvent{entry.mail, services->clock->wall(), kind, std::move(json).take()});
        if (!entry.is_blameless) {
            plan.steps.emplace_back(store::UpdateQueue{entry.mail, {delivery}});
        }
    }
    CO_TRY(co_await commit_all(services->store, std::move(plan)));
    probe<"outbound.crash_counted">();
    for (const OneLeft& left_over : counted) {
        const auto& [entry, delivery] = left_over;
        const char* const what = entry.is_blameless ? "queue.interrupted"
                                 : delivery.is_held ? "queue.quarantined"
                                                    : "queue.suspected";
        log::warn(what, {{"id", entry.mail},
                         {"site", delivery.site},
                         {"crashes", delivery.crashes},
                         {"may_be_sent", entry.may_be_sent}});
        count(Metric::QueueQuarantined, !entry.is_blameless && delivery.is_held ? 1 : 0);
        // Window W1 by a crash or by a stop.
        count(Metric::PossibleDuplicates, entry.may_be_sent ? waiting_recipients(delivery) : 0);
    }
    co_return Result<>();
}

}  // namespace godwit::flow
