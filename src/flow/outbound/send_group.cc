#include "flow/outbound/send_group.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/outbound/hop_walk.h"
#include "flow/outbound/lacking.h"
#include "flow/outbound/providers.h"
#include "flow/outbound/reply_rules.h"

namespace godwit::flow {

namespace {

// What one group's attempt shares; lives in send_group().
struct Run {
    const Services* services = nullptr;
    const Loaded* loaded = nullptr;
    KeptSession* kept = nullptr;
    OutletSlot* slot = nullptr;
    std::vector<std::size_t> open;      // Recipients that may do better at another host.
    std::vector<std::size_t> again{};   // Those that the same host takes on a new connection (B7).
    std::vector<std::size_t> parted{};  // Those that this host is not for; open at the next one.
    std::vector<AttemptResult> results{};
    std::uint32_t messages_max = 0;  // Of one connection; 0: any number.
    bool is_any_tried = false;
    bool has_hope = false;            // A host that could not be asked may take it later.
    bool had_hope = false;            // The same, of those before this host.
    bool was_or_may_be_sent = false;  // To others, before.
};

// What one recipient came to over one session.
void note_outcome(Run* run, const RemoteSession& session, std::size_t recipient,
                  smtp::Outcome outcome) {
    const bool is_lacking = flow::is_lacking(outcome);
    if (is_lacking && session.chose_helo()) {
        probe<"outbound.helo_was_not_enough">();
        outcome = for_now(std::move(outcome));
    }
    if (outcome.is_ambiguous) {
        // Window W1: lost after the final dot (RFC 1047). Tried again, and counted.
        probe<"outbound.reply_lost">();
        count(Metric::PossibleDuplicates);
    }
    const bool is_host_fault = outcome.kind != smtp::OutcomeKind::Delivered &&
                               outcome.scope == smtp::FaultScope::Host && !outcome.is_ambiguous;
    if (is_host_fault) {
        probe<"outbound.host_failed_in_transaction">();
        run->has_hope = run->has_hope || outcome.kind == smtp::OutcomeKind::Temporary;
        (is_lacking ? run->parted : run->open).push_back(recipient);
    }
    run->results.push_back({recipient, std::move(outcome), session.peer_name(),
                            session.peer_has_dsn(), session.peer_keeps_time()});
    run->results.back().is_lacking = is_lacking;
    run->results.back().tls = session.tls();
}

// Sends over one session; recipients that may do better at another host stay in `open`, unless the
// stored body is at fault.
net::Task<void> send_through(Run* run) {
    RemoteSession* session = run->kept->get();
    run->is_any_tried = true;
    RemoteMail mail;
    mail.message = run->loaded->message;
    mail.in_hand = run->loaded->in_hand;
    for (const std::size_t index : run->open) {
        mail.recipients.push_back(run->loaded->delivery.recipients[index]);
    }
    std::vector<smtp::Outcome> outcomes = co_await session->send(std::move(mail));
    if (session->body_damage()) {
        run->open.clear();
        co_return;
    }
    const std::vector<std::size_t> tried = std::exchange(run->open, {});
    run->again.clear();
    bool is_all_put_off = !outcomes.empty();
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        if (session->is_used_up() && goes_on_elsewhere(outcomes[i])) {
            run->again.push_back(tried[i]);
            continue;
        }
        is_all_put_off = is_all_put_off && outcomes[i].kind == smtp::OutcomeKind::Temporary &&
                         !outcomes[i].is_local;
        note_outcome(run, *session, tried[i], std::move(outcomes[i]));
    }
    if (run->loaded->in_hand != nullptr) {
        run->loaded->in_hand->set_may_be_sent(run->was_or_may_be_sent ||
                                              was_or_may_be_sent(run->results));
    }
    const bool is_enough = run->messages_max != 0 && session->messages() >= run->messages_max;
    if (is_all_put_off || is_enough) {
        probe<"outbound.session_spent">();
        // E17: who puts everything off is not offered more in this session. E18: providers count.
        // QUIT comes after the outcome is durable.
        session->spend();
    }
}

// A newer result for a recipient replaces what an earlier host said.
std::vector<AttemptResult> last_of(std::vector<AttemptResult> results) {
    std::vector<AttemptResult> last;
    for (AttemptResult& result : results) {
        const auto found = std::ranges::find(last, result.recipient, &AttemptResult::recipient);
        if (found == last.end()) {
            last.push_back(std::move(result));
        } else {
            *found = std::move(result);
        }
    }
    return last;
}

void add(Run* run, const smtp::Outcome& outcome, const std::string& remote) {
    std::ranges::move(same_for_all(run->open, outcome, remote), std::back_inserter(run->results));
}

// RFC 8689 4.2.1: no TLS with a host of that name, and no time will make it lawful to go on
// without.
smtp::Outcome without_encryption(smtp::Outcome outcome) {
    outcome.kind = smtp::OutcomeKind::Permanent;
    outcome.reply = smtp::make_reply(550, {5, 7, 10},
                                     "The message requires TLS: " + smtp::to_string(outcome.reply));
    outcome.is_local = true;
    return outcome;
}

// A refusal by policy says itself whether it is for now.
bool must_be_encrypted(const HopAddress& hop) {
    return hop.policy && hop.policy->wants_requiretls && !hop.policy->refusal;
}

bool says_it_is_us(const smtp::Outcome& failure) {
    return failure.is_local && failure.reply.enhanced == smtp::EnhancedStatus{5, 4, 6};
}

// What the host said that could not be spoken to.
void note_failure(Run* run, HopWalk* walk, smtp::Outcome failure, const HopAddress& host) {
    if (says_it_is_us(failure)) {
        // C10: circles for good when it was the best host of the domain, else perhaps when that
        // comes back.
        if (!walk->met_ourselves()) {
            failure.kind = smtp::OutcomeKind::Temporary;
            failure.reply = smtp::make_reply(451, {4, 4, 6}, failure.reply.text);
        }
    } else if (must_be_encrypted(host) && failure.stage == smtp::Stage::Tls) {
        failure = without_encryption(std::move(failure));
    } else if (failure.reply.code == 521 && !failure.is_local) {
        // RFC 7504: the host takes no mail, now or later.
        failure.kind = smtp::OutcomeKind::Permanent;
    } else if (failure.stage != smtp::Stage::Hello) {
        // The greeting's 5xx is still temporary for the message (C3).
        failure.kind = smtp::OutcomeKind::Temporary;
    }
    run->has_hope = run->has_hope || failure.kind == smtp::OutcomeKind::Temporary;
    add(run, failure, host.host);
    for (AttemptResult& result : std::span(run->results).last(run->open.size())) {
        result.tls = wanted_tls(host);
    }
}

net::Task<void> leave(KeptSession* kept) {
    if ((*kept)->is_ready()) {
        co_await (*kept)->close();
    }
    kept->reset();
}

void note_answer(Run* run, const HopAddress& host, const net::Endpoint& at,
                 const smtp::Outcome* failure) {
    if (at.is_unix()) {
        return;
    }
    const MonoTime now = run->slot->outlets().now();
    const bool is_silent =
        failure != nullptr && failure->is_local && failure->stage == smtp::Stage::Greeting;
    run->slot->outlets().hosts().with([&](HostCache& hosts) {
        is_silent ? hosts.failed(at.address(), now, host.host) : hosts.answered(at.address());
        return 0;
    });
}

// Tries one address of a host, on as many connections as it wants (B7): each settles one recipient
// at the least. False: no further address is to be tried.
net::Task<bool> try_address(Run* run, HopWalk* walk, HopAddress host, net::Endpoint at) {
    run->is_any_tried = true;
    for (;;) {
        auto session = co_await RemoteSession::open(run->services, host, at);
        note_answer(run, host, at, session ? nullptr : &session.error());
        if (!session) {
            const bool is_us = says_it_is_us(session.error());
            note_failure(run, walk, std::move(session.error()), host);
            co_return !is_us;
        }
        // It is there: that another of its addresses is not, as those of a family that leads
        // nowhere, is no hope beside its word.
        run->has_hope = run->had_hope;
        *run->kept = std::move(*session);
        co_await send_through(run);
        const bool is_done = run->open.empty() && run->again.empty();
        if ((*run->kept)->body_damage() || (is_done && run->parted.empty())) {
            co_return false;
        }
        co_await leave(run->kept);
        if (run->again.empty()) {
            co_return !is_done;
        }
        probe<"outbound.connection_used_up">();
        run->open = std::exchange(run->again, {});
    }
}

// Tries the addresses of one host that there is no connection to.
net::Task<void> try_host(Run* run, HopWalk* walk, HopAddress host) {
    run->had_hope = run->has_hope;
    const std::vector<net::Endpoint> endpoints = co_await walk->endpoints(host);
    run->has_hope = run->has_hope || (endpoints.empty() && !walk->was_postponed());
    for (const net::Endpoint& at : endpoints) {
        if (!co_await try_address(run, walk, host, at)) {
            co_return;
        }
    }
}

// Drops a connection that is not to be used for another message.
net::Task<void> retire_kept(Run* run) {
    KeptSession* kept = run->kept;
    if (*kept == nullptr) {
        co_return;
    }
    const bool is_old =
        run->slot->outlets().now() - (*kept)->opened_at() >= outbound_reuse_time_max;
    if (is_old || (*kept)->is_spent() || !(*kept)->is_ready()) {
        probe<"outbound.kept_long_enough">();
        co_await leave(kept);
    }
}

// Through the connection that is kept, where it leads to this host.
net::Task<void> ask_host(Run* run, HopWalk* walk, HopAddress host) {
    KeptSession& kept = *run->kept;
    if (kept != nullptr && kept->hop() != host) {
        co_await leave(&kept);
    }
    if (kept != nullptr) {
        const bool had_hope = run->has_hope;
        co_await send_through(run);
        const bool is_done = run->open.empty() && run->again.empty();
        if (kept->body_damage() || (is_done && run->parted.empty())) {
            co_return;
        }
        const bool is_alive = kept->is_ready();
        co_await leave(&kept);
        if (is_alive || is_done) {
            // This host is not the one for those that are left.
            co_return;
        }
        // E16: a kept connection that had died is no attempt of its own; nor is one that the peer
        // had enough of (B7). The host is tried afresh.
        run->again.empty() ? probe<"outbound.kept_connection_died">()
                           : probe<"outbound.kept_connection_used_up">();
        run->has_hope = had_hope;
        std::ranges::move(std::exchange(run->again, {}), std::back_inserter(run->open));
    }
    co_await try_host(run, walk, std::move(host));
}

net::Task<void> try_hosts(Run* run, HopWalk* walk) {
    while (!run->open.empty()) {
        co_await retire_kept(run);
        const KeptSession& kept = *run->kept;
        std::optional<HostPort> favoured;
        if (kept != nullptr) {
            favoured = HostPort{kept->hop().host, kept->hop().port};
        }
        std::optional<HopAddress> host = co_await walk->next_host(favoured);
        if (!host) {
            co_return;
        }
        co_await decide_hop_tls(run->services, &*host, run->loaded->delivery.site,
                                tls_wish(run->loaded->message));
        co_await ask_host(run, walk, *std::move(host));
        if (kept != nullptr && kept->body_damage()) {
            co_return;
        }
        std::ranges::move(std::exchange(run->parted, {}), std::back_inserter(run->open));
    }
}

// Once the content is there a blocklist may be about what stands in it.
const ReplyRule* rule_of(const smtp::Outcome& outcome) {
    if (outcome.kind == smtp::OutcomeKind::Delivered || outcome.is_local) {
        return nullptr;
    }
    const ReplyRule* rule = find_rule(outcome.reply);
    const bool is_content =
        outcome.stage == smtp::Stage::Body || outcome.stage == smtp::Stage::DataEnd;
    return rule != nullptr && rule->kind == ReplyRule::Kind::Block && is_content ? nullptr : rule;
}

// H4: what a provider says of the source as a whole is, where the administrator wants it so, no
// verdict on the message.
void keep_blocked(std::vector<AttemptResult>* results) {
    for (AttemptResult& result : *results) {
        if (rule_of(result.outcome) != nullptr) {
            result.outcome.kind = smtp::OutcomeKind::Temporary;
        }
    }
}

}  // namespace

bool was_or_may_be_sent(const std::vector<AttemptResult>& results) {
    return std::ranges::any_of(results, [](const AttemptResult& result) {
        return (result.outcome.kind == smtp::OutcomeKind::Delivered && !result.is_dropped) ||
               result.outcome.is_ambiguous;
    });
}

bool is_answered(const std::vector<AttemptResult>& results) {
    return std::ranges::any_of(results, [](const AttemptResult& result) {
        return result.outcome.kind == smtp::OutcomeKind::Delivered || !result.outcome.is_local;
    });
}

std::vector<AttemptResult> same_for_all(const std::vector<std::size_t>& recipients,
                                        const smtp::Outcome& outcome, const std::string& remote) {
    std::vector<AttemptResult> results;
    for (const std::size_t index : recipients) {
        results.push_back({.recipient = index, .outcome = outcome, .remote = remote});
    }
    return results;
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

OutletReport report_of(const std::vector<AttemptResult>& results) {
    OutletReport report;
    for (const AttemptResult& result : results) {
        const smtp::Outcome& outcome = result.outcome;
        const bool is_delivered = outcome.kind == smtp::OutcomeKind::Delivered;
        // D8: whom we refused was spoken to.
        const bool is_host_fault =
            !is_delivered && outcome.scope == smtp::FaultScope::Host && !result.is_lacking;
        const ReplyRule* rule = rule_of(outcome);
        // C4, H6: who does not let us in while others are in has enough of us.
        const bool is_crowded = (rule != nullptr && rule->kind == ReplyRule::Kind::Crowded) ||
                                (is_host_fault && outcome.stage == smtp::Stage::Greeting);
        const OutletSign sign = is_crowded      ? OutletSign::Refused
                                : is_host_fault ? OutletSign::Failure
                                                : OutletSign::Success;
        // The worst counts, but one answer for the message is an answer.
        if (report.sign == OutletSign::None || sign == OutletSign::Success) {
            report.sign = sign;
        }
        if (!is_delivered) {
            report.reply = smtp::to_string(outcome.reply).substr(0, outlet_reply_size_max);
        }
        if (rule != nullptr && rule->pause.count() > 0 && !report.pause) {
            report.pause = OutletPause{rule->pause, std::string(rule->reason)};
        }
    }
    return report;
}

net::Task<GroupResult> send_group(const Services* services, const Loaded* loaded, GroupOrder order,
                                  KeptSession* kept) {
    const SettingsPtr settings = services->settings();
    const EgressSettings* egress = choose_egress(*settings, order.group.hop.egress,
                                                 loaded->message.sender, loaded->message.mail);
    HopWalk walk(services, std::move(order.group.hop), egress, &order.slot->outlets());
    Run run{.services = services,
            .loaded = loaded,
            .kept = kept,
            .slot = order.slot,
            .open = std::move(order.group.recipients),
            .was_or_may_be_sent = order.was_or_may_be_sent};
    co_await walk.look_up();
    if (const std::string hosts = walk.hosts(); !hosts.empty()) {
        const std::optional<ProviderBounds> provider = find_provider(*settings, walk.host_names());
        const std::uint32_t limit = connections_max(*settings, provider ? &*provider : nullptr);
        run.messages_max = provider ? provider->messages_per_connection : 0;
        const OutletKey key{.hosts = hosts, .source = egress != nullptr ? egress->name : ""};
        order.slot->outlets().remember(loaded->delivery.site, key, limit, settings->egress.empty());
        const OutletBook::Answer answer = order.slot->claim(key, limit, order.must_go);
        if (answer.kind != OutletBook::Answer::Kind::Granted) {
            if (*kept != nullptr) {
                co_await leave(kept);
            }
            co_return GroupResult{.end = answer.kind == OutletBook::Answer::Kind::Full
                                             ? GroupEnd::NoRoom
                                             : GroupEnd::Paused,
                                  .until = answer.until,
                                  .results = {}};
        }
    }
    co_await try_hosts(&run, &walk);
    const bool is_damaged = *kept != nullptr && (*kept)->body_damage();
    if (*kept != nullptr && !(*kept)->is_ready()) {
        kept->reset();
    }
    if (is_damaged) {
        co_return GroupResult{.end = GroupEnd::DamagedBody, .results = {}};
    }
    if (run.is_any_tried) {
        const OutletReport report = report_of(run.results);
        if (report.pause) {
            log::warn("outbound.outlet_paused", {{"site", loaded->delivery.site},
                                                 {"reason", report.pause->reason},
                                                 {"reply", report.reply}});
        }
        order.slot->report(report);
    } else {
        const Duration age = services->clock->wall() - loaded->message.accepted_at;
        add(&run, outcome_of(walk.dead_end(age)), "");
    }
    GroupResult result{.end = GroupEnd::Done, .results = last_of(std::move(run.results))};
    if (run.is_any_tried && (run.has_hope || walk.has_passed_over())) {
        keep_hope(&result.results);
    }
    if (settings->outbound.keep_blocked) {
        keep_blocked(&result.results);
    }
    co_return result;
}

}  // namespace godwit::flow
