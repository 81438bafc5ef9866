#include "flow/outbound/attempt.h"

#include <algorithm>

#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/outbound/hop_walk.h"
#include "flow/outbound/in_hand.h"
#include "flow/outbound/record_outcome.h"
#include "flow/outbound/route.h"
#include "flow/read.h"
#include "store/kv/record.h"

namespace godwit::flow {

namespace {

struct Loaded {
    store::QueueMessage message;
    store::QueueDelivery delivery;
};
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
    if (!delivery || delivery->is_held) {
        const std::string index = store::due_key(due.site, due.due, due.mail, due.number);
        return TRY(snapshot.get(index, tier)) ? Found(LeadsNowhere{}) : Found(Gone{});
    }
    auto message = store::read_queue_message(snapshot, tier, due.mail);
    if (message && *message) {
        return Loaded{std::move(**message), std::move(*delivery)};
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

smtp::Outcome outcome_of(smtp::Reply reply) {
    smtp::Outcome outcome;
    outcome.kind =
        reply.is_permanent() ? smtp::OutcomeKind::Permanent : smtp::OutcomeKind::Temporary;
    outcome.scope = smtp::FaultScope::Host;
    outcome.reply = std::move(reply);
    outcome.is_local = true;
    return outcome;
}

std::vector<AttemptResult> same_for_all(const std::vector<std::size_t>& recipients,
                                        const smtp::Outcome& outcome, const std::string& remote) {
    std::vector<AttemptResult> results;
    for (const std::size_t index : recipients) {
        results.push_back({index, outcome, remote, false});
    }
    return results;
}

// Sends over one session; recipients that may do better at another host stay in `open`, unless the
// stored body is at fault.
net::Task<void> send_through(RemoteSession* session, const Loaded* loaded,
                             std::vector<std::size_t>* open, std::vector<AttemptResult>* results) {
    RemoteMail mail;
    mail.message = loaded->message;
    for (const std::size_t index : *open) {
        mail.recipients.push_back(loaded->delivery.recipients[index]);
    }
    std::vector<smtp::Outcome> outcomes = co_await session->send(std::move(mail));
    if (session->body_damage()) {
        open->clear();
        co_return;
    }
    std::vector<std::size_t> still_open;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        const bool is_host_fault = outcomes[i].kind != smtp::OutcomeKind::Delivered &&
                                   outcomes[i].scope == smtp::FaultScope::Host &&
                                   !outcomes[i].is_ambiguous;
        if (outcomes[i].is_ambiguous) {
            // Window W1: lost after the final dot (RFC 1047). Tried again, and counted.
            probe<"outbound.reply_lost">();
            count(Metric::PossibleDuplicates);
        }
        if (is_host_fault) {
            probe<"outbound.host_failed_in_transaction">();
            still_open.push_back((*open)[i]);
        }
        results->push_back(
            {(*open)[i], std::move(outcomes[i]), session->peer_name(), session->peer_has_dsn()});
    }
    *open = std::move(still_open);
}

// A newer result for a recipient replaces what an earlier host said.
void keep_last(std::vector<AttemptResult>* results) {
    std::vector<AttemptResult> last;
    for (AttemptResult& result : *results) {
        const auto found = std::find_if(
            last.begin(), last.end(),
            [&result](const AttemptResult& other) { return other.recipient == result.recipient; });
        if (found == last.end()) {
            last.push_back(std::move(result));
        } else {
            *found = std::move(result);
        }
    }
    *results = std::move(last);
}

// What the host said that could not be spoken to.
void note_failure(const smtp::Outcome& failure, const std::string& host,
                  const std::vector<std::size_t>& open, std::vector<AttemptResult>* results) {
    for (AttemptResult& result : same_for_all(open, failure, host)) {
        // The greeting's 5xx is still temporary for the message (C3).
        if (result.outcome.stage != smtp::Stage::Hello) {
            result.outcome.kind = smtp::OutcomeKind::Temporary;
        }
        results->push_back(std::move(result));
    }
}

bool says_it_is_us(const smtp::Outcome& failure) {
    return failure.is_local && failure.reply.enhanced == smtp::EnhancedStatus{5, 4, 6};
}

// C10: circles for good when it was the best host of the domain, else perhaps when that comes back.
void note_loop(smtp::Outcome failure, const std::string& host, bool is_for_good,
               const std::vector<std::size_t>& open, std::vector<AttemptResult>* results) {
    if (!is_for_good) {
        failure.kind = smtp::OutcomeKind::Temporary;
        failure.reply = smtp::make_reply(451, {4, 4, 6}, failure.reply.text);
    }
    for (AttemptResult& result : same_for_all(open, failure, host)) {
        results->push_back(std::move(result));
    }
}

struct Group {
    RelayHop hop;
    std::vector<std::size_t> recipients;
};

// Tries the addresses of one host that there is no connection to. True when one was tried.
net::Task<bool> try_host(const Services* services, const Loaded* loaded, HopWalk* walk,
                         HopAddress host, KeptSession* kept, std::vector<std::size_t>* open,
                         std::vector<AttemptResult>* results) {
    const std::vector<net::Endpoint> endpoints = co_await walk->endpoints(host);
    for (const net::Endpoint& at : endpoints) {
        auto session = co_await RemoteSession::open(services, host, at);
        if (!session && says_it_is_us(session.error())) {
            note_loop(std::move(session.error()), host.host, walk->met_ourselves(), *open, results);
            break;
        }
        if (!session) {
            note_failure(session.error(), host.host, *open, results);
            continue;
        }
        *kept = std::move(*session);
        co_await send_through(kept->get(), loaded, open, results);
        if (open->empty() || (*kept)->body_damage()) {
            break;
        }
        kept->reset();
    }
    co_return !endpoints.empty();
}

// True unless the stored body was found damaged.
net::Task<bool> try_group(const Services* services, const Loaded* loaded, Group group,
                          KeptSession* kept, std::vector<AttemptResult>* results) {
    const SettingsPtr settings = services->settings();
    const EgressSettings* egress = choose_egress(*settings, group.hop.egress,
                                                 loaded->message.sender, loaded->message.mail);
    HopWalk walk(services, std::move(group.hop), egress);
    std::vector<std::size_t> open = std::move(group.recipients);
    bool is_any_tried = false;
    while (!open.empty()) {
        if (*kept != nullptr && !(*kept)->is_ready()) {
            kept->reset();
        }
        std::optional<HostPort> favoured;
        if (*kept != nullptr) {
            favoured = HostPort{(*kept)->hop().host, (*kept)->hop().port};
        }
        const std::optional<HopAddress> host = co_await walk.next_host(favoured);
        if (!host) {
            break;
        }
        if (*kept != nullptr && (*kept)->hop() == *host) {
            is_any_tried = true;
            co_await send_through(kept->get(), loaded, &open, results);
            if (open.empty() || (*kept)->is_ready()) {
                continue;
            }
            // E16: a kept connection that had died is no attempt of its own; try the host afresh.
            probe<"outbound.kept_connection_died">();
            kept->reset();
        } else if (*kept != nullptr) {
            co_await (*kept)->close();
            kept->reset();
        }
        const bool is_tried =
            co_await try_host(services, loaded, &walk, *host, kept, &open, results);
        is_any_tried = is_any_tried || is_tried;
        if (*kept != nullptr && (*kept)->body_damage()) {
            break;
        }
    }
    if (*kept != nullptr && (*kept)->body_damage()) {
        kept->reset();
        co_return false;
    }
    if (*kept != nullptr && !(*kept)->is_ready()) {
        kept->reset();
    }
    if (!is_any_tried) {
        const Duration age = services->clock->wall() - loaded->message.accepted_at;
        for (AttemptResult& result : same_for_all(open, outcome_of(walk.dead_end(age)), "")) {
            results->push_back(std::move(result));
        }
    }
    keep_last(results);
    co_return true;
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

// A delivery that was in hand at a crash goes alone among its like, so that the next crash names
// the one at fault; this one comes again in a while.
net::Task<bool> put_off(const Services* services, store::QueueDelivery delivery, MailId mail) {
    probe<"outbound.suspect_put_off">();
    const WallTime due = delivery.due;
    const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(suspect_pause);
    delivery.due = services->clock->wall() + pause +
                   pause * static_cast<int>(services->random->u64() % 1024) / 1024;
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

}  // namespace

net::Task<bool> attempt_delivery(const Services* services, store::DueDelivery due,
                                 KeptSession* kept) {
    Result<Found> found =
        co_await read(services, [due](const store::Snapshot& snapshot, store::ReadTier tier) {
            return load(snapshot, tier, due);
        });
    if (!found) {
        log::error("queue.unreadable", {{"id", due.mail}, {"error", found.error().text}});
        co_return false;
    }
    if (std::holds_alternative<Gone>(*found)) {
        probe<"outbound.overtaken_before">();
        co_return true;
    }
    if (std::holds_alternative<LeadsNowhere>(*found)) {
        co_return co_await drop_due(services, due);
    }
    if (auto* damaged = std::get_if<DamagedMessage>(&*found)) {
        co_return co_await hold(services, std::move(damaged->delivery), due.mail,
                                "the queued message's row is damaged: godwit fsck --repair");
    }
    Loaded loaded = std::move(std::get<Loaded>(*found));
    crash_point<"outbound.loaded">();
    Partition parts = part(*services->settings(), loaded);
    if (parts.groups.empty() && parts.dropped.empty()) {
        co_return co_await hold(services, std::move(loaded.delivery), due.mail, parts.held_reason);
    }
    InHand* const in_hand = services->in_hand;
    const bool is_suspect = in_hand != nullptr && loaded.delivery.crashes != 0;
    if (is_suspect && !in_hand->begin_suspect()) {
        co_return co_await put_off(services, std::move(loaded.delivery), due.mail);
    }
    std::optional<InHandGuard> guard;
    if (in_hand != nullptr) {
        guard.emplace(in_hand, InHandEntry{.mail = due.mail, .number = due.number}, is_suspect);
    }
    crash_point<"outbound.in_hand">();
    std::vector<AttemptResult> results = settled_by_route(parts);
    for (Group& group : parts.groups) {
        const bool is_readable =
            co_await try_group(services, &loaded, std::move(group), kept, &results);
        if (!is_readable) {
            probe<"outbound.damaged_body">();
            co_return co_await hold(services, std::move(loaded.delivery), due.mail,
                                    "the stored body is damaged");
        }
    }
    crash_point<"outbound.attempted">();
    co_return co_await record_outcome(services, {.message = std::move(loaded.message),
                                                 .delivery = std::move(loaded.delivery),
                                                 .results = std::move(results)});
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
