#include "flow/outbound/turned.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/outbound/in_hand.h"
#include "flow/outbound/operator_desk.h"
#include "flow/outbound/record_outcome.h"
#include "flow/outbound/remote.h"
#include "flow/outbound/send_group.h"
#include "flow/read.h"
#include "mail/address/domain.h"
#include "store/directory/directory.h"

namespace godwit::flow {

namespace {

smtp::Reply refusal(std::uint16_t code, smtp::EnhancedStatus status, std::string text) {
    return smtp::make_reply(code, status, std::move(text));
}

// nullopt: one of them is none, or is not the asker's.
std::optional<std::vector<RequestedSites>> sites_of(const Settings& settings,
                                                    const std::vector<std::string>& domains,
                                                    const MailAsker& asker) {
    std::vector<RequestedSites> sites;
    if (domains.empty()) {
        sites.push_back({.is_all_of_asker = true});
    }
    for (const std::string& name : domains) {
        const auto domain = mail::normalize_domain(name);
        if (!domain) {
            return std::nullopt;
        }
        RequestedSites one{.domain = *domain};
        if (!is_requested(settings, one, asker, *domain)) {
            return std::nullopt;
        }
        sites.push_back(std::move(one));
    }
    return sites;
}

// A damaged body stays with its delivery until somebody decides; only as it was read.
net::Task<void> hold_damaged(const Services* services, MailId mail, store::QueueDelivery delivery) {
    store::ChangeRows basis;
    basis.expects.push_back({.key = store::queue_delivery_key(mail, delivery.number),
                             .value = store::encode(delivery)});
    delivery.is_held = true;
    delivery.held_reason = "the stored body is damaged";
    log::info("queue.held",
              {{"id", mail}, {"site", delivery.site}, {"reason", delivery.held_reason}});
    JsonWriter json;
    json.begin_object().field("site", delivery.site).field("reason", delivery.held_reason);
    json.end_object();
    store::Plan plan;
    plan.steps.emplace_back(std::move(basis));
    plan.steps.emplace_back(store::UpdateQueue{.mail = mail, .deliveries = {std::move(delivery)}});
    plan.steps.emplace_back(
        store::TraceEvent{mail, services->clock->wall(), "held", std::move(json).take()});
    if (const Result<> done = co_await commit_all(services->store, std::move(plan)); !done) {
        log::warn("queue.hold_failed", {{"id", mail}, {"error", done.error().text}});
    }
}

// One turn: whose it is, and the session it goes through.
class Turner {
public:
    Turner(const Services* services, RemoteSession* session, const MailRequest* request)
        : services_(services), session_(session), request_(request) {}
    net::Task<void> send(TurnedDelivery where);
    [[nodiscard]] std::size_t sent() const { return sent_; }

private:
    net::Task<std::optional<Loaded>> load(TurnedDelivery where);
    net::Task<std::vector<AttemptResult>> attempt(const Loaded* loaded);

    const Services* services_;
    RemoteSession* session_;
    const MailRequest* request_;
    std::size_t sent_ = 0;
};

// nullopt: it is gone, or not to be had this way any more.
net::Task<std::optional<Loaded>> Turner::load(TurnedDelivery where) {
    const SettingsPtr settings = services_->settings();
    const WallTime now = services_->clock->wall();
    const MailRequest request = *request_;
    auto found = co_await read(
        services_,
        [where, settings, now, request](const store::Snapshot& snapshot,
                                        store::ReadTier tier) -> Result<std::optional<Loaded>> {
            auto message = TRY(store::read_queue_message(snapshot, tier, where.mail));
            auto delivery = TRY(store::read_delivery(snapshot, tier, where.mail, where.number));
            if (!message || !delivery || !request.covers(*settings, *message, *delivery, now)) {
                return std::nullopt;
            }
            // T46: whoever logged in with what holds no more gets nothing more.
            const auto account = TRY(store::read_account(snapshot, tier, request.asker.id));
            if (!account || account->is_disabled ||
                account->auth_epoch != request.asker.auth_epoch) {
                return std::nullopt;
            }
            return Loaded{.message = *std::move(message), .delivery = *std::move(delivery)};
        });
    if (!found) {
        log::error("queue.unreadable", {{"id", where.mail}, {"error", found.error().text}});
        co_return std::nullopt;
    }
    const bool is_suspended =
        *found && services_->operators != nullptr &&
        services_->operators->suspensions()->of((*found)->delivery.site, (*found)->message.sender,
                                                now) != nullptr;
    if (is_suspended) {
        co_return std::nullopt;
    }
    co_return *std::move(found);
}

net::Task<std::vector<AttemptResult>> Turner::attempt(const Loaded* loaded) {
    RemoteMail mail;
    mail.message = loaded->message;
    mail.in_hand = loaded->in_hand;
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < loaded->delivery.recipients.size(); ++i) {
        if (loaded->delivery.recipients[i].state == store::RecipientState::Waiting) {
            open.push_back(i);
            mail.recipients.push_back(loaded->delivery.recipients[i]);
        }
    }
    std::vector<smtp::Outcome> outcomes = co_await session_->send(std::move(mail));
    std::vector<AttemptResult> results;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        if (outcomes[i].is_ambiguous) {
            probe<"outbound.reply_lost">();
            count(Metric::PossibleDuplicates);
        }
        sent_ += outcomes[i].kind == smtp::OutcomeKind::Delivered ? 1 : 0;
        results.push_back({open[i], std::move(outcomes[i]), session_->peer_name(),
                           session_->peer_has_dsn(), session_->peer_keeps_time()});
        results.back().tls = session_->tls();
    }
    if (loaded->in_hand != nullptr) {
        loaded->in_hand->set_may_be_sent(was_or_may_be_sent(results));
    }
    co_return results;
}

net::Task<void> Turner::send(TurnedDelivery where) {
    const UnderWayGuard under_way(services_->operators, where.mail, where.number,
                                  {.site = where.site, .since = services_->clock->wall()});
    std::optional<Loaded> loaded;
    if (under_way.is_alone()) {
        loaded = co_await load(where);
    }
    if (!loaded) {
        probe<"outbound.turn_passes_over">();
        co_return;
    }
    InHand* const in_hand = services_->in_hand;
    const bool is_suspect = in_hand != nullptr && loaded->delivery.crashes != 0;
    if (is_suspect && !in_hand->begin_suspect()) {
        co_return;
    }
    std::optional<InHandGuard> guard;
    if (in_hand != nullptr) {
        guard.emplace(in_hand, InHandEntry{.mail = where.mail, .number = where.number}, is_suspect);
        loaded->in_hand = &*guard;
    }
    std::vector<AttemptResult> results = co_await attempt(&*loaded);
    if (session_->body_damage()) {
        probe<"outbound.damaged_body">();
        co_await hold_damaged(services_, where.mail, std::move(loaded->delivery));
        co_return;
    }
    AttemptOutcome outcome{.message = std::move(loaded->message),
                           .delivery = std::move(loaded->delivery),
                           .results = std::move(results)};
    crash_point<"outbound.turn_attempted">();
    if (co_await record_outcome(services_, std::move(outcome)) && guard) {
        guard->set_may_be_sent(false);
    }
}

}  // namespace

net::Task<Turn> prepare_turn(const Services* services, std::vector<std::string> domains,
                             MailAsker asker) {
    const SettingsPtr settings = services->settings();
    const MonoTime now = services->clock->mono();
    Turn turn;
    // The search is a request like any other; the turn itself may last for hours.
    const RequestGuard::Permit search = services->request_guard->begin(asker.name(), now);
    turn.permit = services->request_guard->begin_turn(asker.name());
    if (!search || !turn.permit) {
        probe<"outbound.request_too_often">();
        turn.refusal = refusal(451, {4, 7, 0}, "Unable to process ATRN request now");
        co_return turn;
    }
    auto sites = sites_of(*settings, domains, asker);
    if (!sites) {
        probe<"outbound.request_not_allowed">();
        log::info("smtp.atrn_refused", {{"by", asker.name()}});
        turn.refusal = refusal(450, {4, 7, 1}, "ATRN request refused: not all of that is yours");
        co_return turn;
    }
    turn.request = {.sites = *std::move(sites), .asker = std::move(asker)};
    for (MailId after; turn.deliveries.size() < turned_deliveries_max;) {
        MailRequest request = turn.request;
        Result<RequestPage> page = co_await find_requested(services, std::move(request), after);
        if (!page) {
            log::error("smtp.atrn_failed", {{"error", page.error().text}});
            turn.refusal = refusal(451, {4, 3, 0}, "Unable to process ATRN request now");
            co_return turn;
        }
        for (const RequestedDelivery& found : page->deliveries) {
            if (turn.deliveries.size() < turned_deliveries_max) {
                turn.deliveries.push_back({found.mail, found.delivery.number, found.delivery.site});
            }
        }
        if (page->is_last) {
            break;
        }
        after = page->last;
        co_await net::yield_now();
    }
    if (turn.deliveries.empty()) {
        turn.refusal = refusal(453, {4, 2, 0}, "You have no mail");
    }
    co_return turn;
}

net::Task<std::unique_ptr<net::Stream>> take_turn(const Services* services,
                                                  std::unique_ptr<net::Stream> stream, Turn turn,
                                                  const Attendance* attendance) {
    const std::string name = turn.request.asker.name();
    log::info("smtp.turned", {{"by", name},
                              {"peer", stream->peer().to_string()},
                              {"messages", static_cast<std::uint64_t>(turn.deliveries.size())}});
    std::unique_ptr<RemoteSession> session =
        co_await RemoteSession::turn(services, std::move(stream), name, turn_time_max);
    Turner turner(services, session.get(), &turn.request);
    for (const TurnedDelivery& where : turn.deliveries) {
        if (!session->is_ready() || attendance->is_closing()) {
            break;
        }
        co_await turner.send(where);
    }
    co_await session->close();
    log::info("smtp.turn_ended",
              {{"by", name}, {"sent", static_cast<std::uint64_t>(turner.sent())}});
    co_return session->give_back();
}

}  // namespace godwit::flow
