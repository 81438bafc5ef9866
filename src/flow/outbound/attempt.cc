#include "flow/outbound/attempt.h"

#include <algorithm>

#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/outbound/deliver_by.h"
#include "flow/outbound/deliver_here.h"
#include "flow/outbound/in_hand.h"
#include "flow/outbound/operator_desk.h"
#include "flow/outbound/record_outcome.h"
#include "flow/outbound/route.h"
#include "flow/read.h"
#include "store/kv/record.h"

namespace godwit::flow {

namespace {

// The row of the due index leads to nothing that could be tried: to no delivery, or to a damaged
// one.
struct LeadsNowhere {};
// The delivery is sound, its message is not.
struct DamagedMessage {
    store::QueueDelivery delivery;
};
struct Gone {};
using Found = std::variant<Gone, Loaded, LeadsNowhere, DamagedMessage>;

Result<Found> load(const store::Snapshot& snapshot, store::ReadTier tier,
                   const store::DueDelivery& due) {
    const std::string key = store::queue_delivery_key(due.mail, due.number);
    auto read = store::read_delivery(snapshot, tier, due.mail, due.number);
    const bool is_damaged = !read && store::is_damage(read.error());
    if (is_damaged) {
        store::log_damage(key, read.error());
    }
    auto delivery = is_damaged ? std::nullopt : TRY(std::move(read));
    // At another site: an operator has sent it another way since.
    if (!delivery || delivery->is_held || delivery->site != due.site) {
        const std::string index = store::due_key(due.site, due.due, due.mail, due.number);
        return TRY(snapshot.get(index, tier)) ? Found(LeadsNowhere{}) : Found(Gone{});
    }
    auto message = store::read_queue_message(snapshot, tier, due.mail);
    if (message && *message) {
        return Loaded{.message = std::move(**message), .delivery = std::move(*delivery)};
    }
    if (!message && !store::is_damage(message.error())) {
        return std::unexpected(std::move(message).error());
    }
    return DamagedMessage{std::move(*delivery)};
}

std::vector<std::size_t> waiting(const store::QueueDelivery& delivery) {
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < delivery.recipients.size(); ++i) {
        if (delivery.recipients[i].state == store::RecipientState::Waiting) {
            indices.push_back(i);
        }
    }
    return indices;
}

// Such a row would come up again and again, and with it its site would stand still.
net::Task<bool> drop_due(const Services* services, store::DueDelivery due) {
    store::QueueDelivery damaged;
    damaged.number = due.number;
    damaged.site = due.site;
    damaged.due = due.due;
    damaged.is_damaged = true;
    probe<"outbound.due_leads_nowhere">();
    log::error("queue.damaged", {{"id", due.mail}, {"site", due.site}});
    store::Plan plan;
    plan.steps.emplace_back(store::UpdateQueue{due.mail, {std::move(damaged)}});
    const Result<> committed = co_await commit_all(services->store, std::move(plan));
    co_return committed.has_value() || committed.error().code == ErrorCode::Stale;
}

net::Task<bool> hold(const Services* services, store::QueueDelivery delivery, MailId mail,
                     std::string reason) {
    delivery.is_held = true;
    delivery.held_reason = reason;
    log::info("queue.held", {{"id", mail}, {"site", delivery.site}, {"reason", reason}});
    JsonWriter json;
    json.begin_object().field("site", delivery.site).field("reason", reason).end_object();
    store::Plan plan;
    const WallTime due = delivery.due;
    plan.steps.emplace_back(store::UpdateQueue{mail, {std::move(delivery)}, due});
    plan.steps.emplace_back(
        store::TraceEvent{mail, services->clock->wall(), "held", std::move(json).take()});
    crash_point<"outbound.hold_planned">();
    const Result<> committed = co_await commit_all(services->store, std::move(plan));
    crash_point<"outbound.hold_committed">();
    // Stale: an operator took it away meanwhile.
    co_return committed.has_value() || committed.error().code == ErrorCode::Stale;
}

// Durably, and no attempt: it comes again after `pause` and up to as much as `spread` later.
net::Task<bool> put_off(const Services* services, store::QueueDelivery delivery, MailId mail,
                        std::chrono::milliseconds pause, std::chrono::milliseconds spread) {
    const WallTime due = delivery.due;
    delivery.due = services->clock->wall() + pause +
                   spread * static_cast<int>(services->random->u64() % 1024) / 1024;
    store::Plan plan;
    plan.steps.emplace_back(store::UpdateQueue{mail, {std::move(delivery)}, due});
    const Result<> committed = co_await commit_all(services->store, std::move(plan));
    co_return committed.has_value() || committed.error().code == ErrorCode::Stale;
}

// The recipients by where they go now. Routes may part those of one domain.
struct Partition {
    std::vector<Group> groups;
    std::vector<std::size_t> dropped;
    std::vector<std::size_t> held;
    std::string held_reason;
};

Partition part(const Settings& settings, const Loaded& loaded) {
    Partition out;
    for (const std::size_t index : waiting(loaded.delivery)) {
        NextHop hop =
            decide_next_hop(settings, {.domain = loaded.delivery.site,
                                       .recipient = loaded.delivery.recipients[index].address,
                                       .sender = loaded.message.sender});
        if (auto* held = std::get_if<HoldHop>(&hop)) {
            out.held.push_back(index);
            out.held_reason = std::move(held->reason);
        } else if (std::holds_alternative<DiscardHop>(hop)) {
            out.dropped.push_back(index);
        } else {
            const auto same = std::ranges::find(out.groups, std::get<RelayHop>(hop), &Group::hop);
            Group& group = same != out.groups.end()
                               ? *same
                               : out.groups.emplace_back(std::get<RelayHop>(std::move(hop)));
            group.recipients.push_back(index);
        }
    }
    return out;
}

// What routes decide without asking anybody. Those to be held wait until the others are settled:
// a hold is of the whole delivery.
std::vector<AttemptResult> settled_by_route(const Partition& parts) {
    smtp::Outcome drop;
    drop.kind = smtp::OutcomeKind::Delivered;
    drop.reply = smtp::make_reply(250, {2, 0, 0}, "Dropped by the route");
    drop.is_local = true;
    std::vector<AttemptResult> results = same_for_all(parts.dropped, drop, "");
    for (AttemptResult& result : results) {
        result.is_dropped = true;
    }
    const smtp::Outcome wait =
        outcome_of(smtp::make_reply(451, {4, 3, 0}, "To be held " + parts.held_reason));
    std::ranges::move(same_for_all(parts.held, wait, ""), std::back_inserter(results));
    return results;
}

AttemptEnd settled_if(bool is_durable, bool is_answered = false) {
    return {.kind = is_durable ? AttemptEnd::Kind::Settled : AttemptEnd::Kind::Refused,
            .is_answered = is_answered};
}

// A source that a provider has sent away keeps its own mail waiting and nobody else's: with several
// sources the site goes on, with one all of it waits in memory.
net::Task<AttemptEnd> wait_for_outlet(const Services* services, store::QueueDelivery delivery,
                                      MailId mail, GroupResult result) {
    if (result.end == GroupEnd::NoRoom) {
        co_return AttemptEnd{.kind = AttemptEnd::Kind::NoRoom};
    }
    if (services->settings()->egress.empty()) {
        co_return AttemptEnd{.kind = AttemptEnd::Kind::Paused, .until = result.until};
    }
    probe<"outbound.source_put_off">();
    const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(
        result.until - services->clock->mono());
    co_return settled_if(co_await put_off(services, std::move(delivery), mail, pause, pause / 10));
}

}  // namespace

net::Task<AttemptEnd> attempt_delivery(const Services* services, store::DueDelivery due,
                                       KeptSession* kept, OutletSlot* slot) {
    // Before it is read: whoever gives it a new site afterwards sees that it is under way.
    const UnderWayGuard under_way(services->operators, due.mail, due.number,
                                  {.site = due.site, .since = services->clock->wall()});
    Result<Found> found =
        co_await read(services, [due](const store::Snapshot& snapshot, store::ReadTier tier) {
            return load(snapshot, tier, due);
        });
    if (!found) {
        log::error("queue.unreadable", {{"id", due.mail}, {"error", found.error().text}});
        co_return settled_if(false);
    }
    if (std::holds_alternative<Gone>(*found)) {
        probe<"outbound.overtaken_before">();
        co_return settled_if(true);
    }
    if (std::holds_alternative<LeadsNowhere>(*found)) {
        co_return settled_if(co_await drop_due(services, due));
    }
    if (auto* damaged = std::get_if<DamagedMessage>(&*found)) {
        co_return settled_if(
            co_await hold(services, std::move(damaged->delivery), due.mail,
                          "the queued message's row is damaged: godwit fsck --repair"));
    }
    Loaded loaded = std::move(std::get<Loaded>(*found));
    crash_point<"outbound.loaded">();
    const bool is_suspended = services->operators != nullptr &&
                              services->operators->suspensions()->of_sender(
                                  loaded.message.sender, services->clock->wall()) != nullptr;
    if (is_suspended || !under_way.is_alone()) {
        probe<"outbound.put_off">();
        const std::chrono::milliseconds pause =
            is_suspended ? suspended_sender_pause : suspect_pause;
        co_return settled_if(
            co_await put_off(services, std::move(loaded.delivery), due.mail, pause, pause));
    }
    const bool is_here = loaded.delivery.site == store::local_site;
    Partition parts = is_here ? Partition{} : part(*services->settings(), loaded);
    if (parts.groups.empty() && parts.dropped.empty() && !parts.held.empty()) {
        co_return settled_if(
            co_await hold(services, std::move(loaded.delivery), due.mail, parts.held_reason));
    }
    InHand* const in_hand = services->in_hand;
    const bool is_suspect = in_hand != nullptr && loaded.delivery.crashes != 0;
    if (is_suspect && !in_hand->begin_suspect()) {
        // One that was in hand at a crash goes alone among its like, so that the next crash names
        // the one at fault; this one comes again in a while.
        probe<"outbound.suspect_put_off">();
        co_return settled_if(co_await put_off(services, std::move(loaded.delivery), due.mail,
                                              suspect_pause, suspect_pause));
    }
    std::optional<InHandGuard> guard;
    if (in_hand != nullptr) {
        guard.emplace(in_hand, InHandEntry{.mail = due.mail, .number = due.number}, is_suspect);
        loaded.in_hand = &*guard;
    }
    crash_point<"outbound.in_hand">();
    std::vector<AttemptResult> results;
    if (const auto over = returned_by_now(loaded.message, services->clock->wall())) {
        parts = {};
        results = same_for_all(waiting(loaded.delivery), *over, "");
    } else if (is_here) {
        results = co_await deliver_here(services, &loaded.message, &loaded.delivery);
    } else {
        results = settled_by_route(parts);
    }
    bool is_any_sent = false;
    for (Group& group : parts.groups) {
        GroupOrder order{.group = std::move(group),
                         .slot = slot,
                         .must_go = is_any_sent,
                         .was_or_may_be_sent = was_or_may_be_sent(results)};
        GroupResult sent = co_await send_group(services, &loaded, std::move(order), kept);
        if (sent.end == GroupEnd::DamagedBody) {
            probe<"outbound.damaged_body">();
            co_return settled_if(co_await hold(services, std::move(loaded.delivery), due.mail,
                                               "the stored body is damaged"));
        }
        if (sent.end != GroupEnd::Done) {
            co_return co_await wait_for_outlet(services, std::move(loaded.delivery), due.mail,
                                               std::move(sent));
        }
        is_any_sent = true;
        std::ranges::move(sent.results, std::back_inserter(results));
    }
    crash_point<"outbound.attempted">();
    const std::int64_t sent = std::ranges::count_if(results, [](const AttemptResult& result) {
        return result.outcome.kind == smtp::OutcomeKind::Delivered && !result.is_dropped;
    });
    const bool is_answered = flow::is_answered(results);
    AttemptOutcome outcome{.message = std::move(loaded.message),
                           .delivery = std::move(loaded.delivery),
                           .results = std::move(results)};
    const bool is_recorded = co_await record_outcome(services, std::move(outcome));
    if (!is_recorded) {
        // The receiver has it, and no row says so: it is due again (W1).
        count(Metric::PossibleDuplicates, sent);
    }
    if (guard) {
        guard->set_may_be_sent(false);
    }
    co_return settled_if(is_recorded, is_answered);
}

net::Task<bool> discard_deliveries(const Services* services, std::vector<store::DueDelivery> due) {
    const WallTime now = services->clock->wall();
    store::Plan plan;
    plan.may_wait = true;
    for (const store::DueDelivery& delivery : due) {
        store::QueueDelivery done;
        done.number = delivery.number;
        done.site = delivery.site;
        done.is_done = true;
        plan.steps.emplace_back(store::UpdateQueue{delivery.mail, {std::move(done)}});
        plan.steps.emplace_back(
            store::TraceEvent{delivery.mail, now, "discarded", "{\"reason\":\"by the route\"}"});
    }
    crash_point<"outbound.discard_planned">();
    const Result<> committed = co_await commit_all(services->store, std::move(plan));
    crash_point<"outbound.discard_committed">();
    if (!committed && committed.error().code == ErrorCode::Stale && due.size() > 1) {
        // One of them was taken away by an operator meanwhile: settle each alone.
        bool is_settled = true;
        for (store::DueDelivery& delivery : due) {
            std::vector<store::DueDelivery> one = {std::move(delivery)};
            is_settled = co_await discard_deliveries(services, std::move(one)) && is_settled;
        }
        co_return is_settled;
    }
    co_return committed.has_value() || committed.error().code == ErrorCode::Stale;
}

}  // namespace godwit::flow
