#include "flow/outbound/attempt.h"

#include <algorithm>

#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/outbound/in_hand.h"
#include "flow/outbound/operator_desk.h"
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
    // At another site: an operator has sent it another way since.
    if (!delivery || delivery->is_held || delivery->site != due.site) {
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

// True unless the stored body was found damaged.
net::Task<bool> try_hops(const Services* services, const Loaded* loaded,
                         std::vector<HopAddress> hops, KeptSession* kept,
                         std::vector<AttemptResult>* results) {
    std::vector<std::size_t> open = waiting(loaded->delivery);
    std::size_t tried = 0;
    for (HopAddress& hop : hops) {
        if (open.empty() || tried++ >= limits::outbound_hosts_max) {
            break;
        }
        if (tried > 1) {
            tried == limits::outbound_hosts_max ? probe<"outbound.last_host">()
                                                : probe<"outbound.next_host">();
        }
        const bool is_kept = *kept != nullptr && (*kept)->is_ready() && (*kept)->hop() == hop;
        if (!is_kept) {
            if (*kept != nullptr) {
                co_await (*kept)->close();
                kept->reset();
            }
            auto session = co_await RemoteSession::open(services, hop);
            if (!session) {
                for (AttemptResult& result : same_for_all(open, session.error(), hop.host)) {
                    // The greeting's 5xx is still temporary for the message (C3).
                    if (result.outcome.stage != smtp::Stage::Hello) {
                        result.outcome.kind = smtp::OutcomeKind::Temporary;
                    }
                    results->push_back(std::move(result));
                }
                continue;
            }
            *kept = std::move(*session);
        }
        co_await send_through(kept->get(), loaded, &open, results);
        if (is_kept && !open.empty() && !(*kept)->is_ready()) {
            // E16: a kept connection that had died is no attempt of its own; try the host afresh.
            probe<"outbound.kept_connection_died">();
            kept->reset();
            auto session = co_await RemoteSession::open(services, hop);
            if (session) {
                *kept = std::move(*session);
                co_await send_through(kept->get(), loaded, &open, results);
            }
        }
        const bool is_damaged = *kept != nullptr && (*kept)->body_damage();
        if (*kept != nullptr && !(*kept)->is_ready()) {
            kept->reset();
        }
        if (is_damaged) {
            co_return false;
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

// Comes again after `pause`, and up to as much again; that is no attempt.
net::Task<bool> put_off(const Services* services, store::QueueDelivery delivery, MailId mail,
                        std::chrono::milliseconds pause) {
    const WallTime due = delivery.due;
    delivery.due = services->clock->wall() + pause +
                   pause * static_cast<int>(services->random->u64() % 1024) / 1024;
    store::Plan plan;
    plan.steps.emplace_back(store::UpdateQueue{mail, {std::move(delivery)}, due});
    const Result<> committed = co_await commit_all(services->store, std::move(plan));
    co_return committed.has_value() || committed.error().code == ErrorCode::Stale;
}

net::Task<std::expected<std::vector<HopAddress>, MxFailure>> addresses_of(const Services* services,
                                                                          NextHop hop) {
    if (const auto* relay = std::get_if<RelayHop>(&hop)) {
        co_return std::vector<HopAddress>{{.host = relay->host,
                                           .port = relay->port,
                                           .is_lmtp = relay->is_lmtp,
                                           .tls = relay->tls,
                                           .username = relay->username,
                                           .password = relay->password,
                                           .is_configured = true}};
    }
    auto hosts = co_await find_mx(services, std::get<MxHop>(hop).domain);
    if (!hosts) {
        co_return std::unexpected(std::move(hosts.error()));
    }
    std::vector<HopAddress> hops;
    for (std::string& host : *hosts) {
        hops.push_back({.host = std::move(host)});
    }
    co_return hops;
}

}  // namespace

net::Task<bool> attempt_delivery(const Services* services, store::DueDelivery due,
                                 KeptSession* kept) {
    // Before it is read: whoever gives it a new site afterwards sees that it is under way.
    const UnderWayGuard under_way(services->operators, due.mail, due.number,
                                  {.site = due.site, .since = services->clock->wall()});
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
    NextHop hop = decide_next_hop(*services->settings(), loaded.delivery.site);
    const bool is_suspended = services->operators != nullptr &&
                              services->operators->suspensions()->of_sender(
                                  loaded.message.sender, services->clock->wall()) != nullptr;
    if (is_suspended || !under_way.is_alone()) {
        probe<"outbound.put_off">();
        co_return co_await put_off(services, std::move(loaded.delivery), due.mail,
                                   is_suspended ? suspended_sender_pause : suspect_pause);
    }
    if (const auto* held = std::get_if<HoldHop>(&hop)) {
        co_return co_await hold(services, std::move(loaded.delivery), due.mail, held->reason);
    }
    if (std::holds_alternative<DiscardHop>(hop)) {
        std::vector<store::DueDelivery> one = {due};
        co_return co_await discard_deliveries(services, std::move(one));
    }
    InHand* const in_hand = services->in_hand;
    const bool is_suspect = in_hand != nullptr && loaded.delivery.crashes != 0;
    if (is_suspect && !in_hand->begin_suspect()) {
        // It was in hand at a crash and goes alone among its like, so that the next crash names the
        // one at fault.
        probe<"outbound.suspect_put_off">();
        co_return co_await put_off(services, std::move(loaded.delivery), due.mail, suspect_pause);
    }
    std::optional<InHandGuard> guard;
    if (in_hand != nullptr) {
        guard.emplace(in_hand, InHandEntry{.mail = due.mail, .number = due.number}, is_suspect);
    }
    crash_point<"outbound.in_hand">();
    std::vector<AttemptResult> results;
    auto hops = co_await addresses_of(services, std::move(hop));
    if (!hops) {
        results = same_for_all(waiting(loaded.delivery), outcome_of(hops.error().reply), "");
    } else {
        const bool is_readable =
            co_await try_hops(services, &loaded, std::move(*hops), kept, &results);
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
