#include "flow/outbound/mail_request.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/ascii.h"
#include "base/json.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/outbound/in_hand.h"
#include "flow/outbound/scheduler.h"
#include "flow/policy/domain_pattern.h"
#include "flow/read.h"
#include "mail/address/domain.h"

namespace godwit::flow {

namespace {

// Of one step: a few milliseconds.
constexpr std::size_t kStepMessages = 256;

smtp::Reply reply(std::uint16_t code, smtp::EnhancedStatus status, std::string text) {
    return smtp::make_reply(code, status, std::move(text));
}

// The same words for what is not here and for what is somebody else's.
smtp::Reply not_allowed(const std::string& node) {
    return reply(459, {4, 7, 1},
                 "Node " + node + " not allowed: no mail is kept for it that you may ask for");
}

// May any mail be meant at all?
bool may_mean_any(const Settings& settings, const RequestedSites& sites, const MailAsker& asker) {
    return std::ranges::any_of(settings.relay_domains, [&](const RelayDomainSettings& relay) {
        if (!may_ask_for(settings, relay, asker)) {
            return false;
        }
        if (!sites.queue.empty()) {
            return equals_ignore_case(relay.queue, sites.queue);
        }
        const std::string_view named = std::string_view(relay.domain);
        const std::string_view base = named.starts_with("*.") ? named.substr(2) : named;
        const bool is_below =
            sites.has_subdomains && (equals_ignore_case(base, sites.domain) ||
                                     domain_fitness("*." + sites.domain, base) > 0);
        return is_below || domain_fitness(relay.domain, sites.domain) > 0;
    });
}

store::Plan plan_release(const std::vector<RequestedDelivery>& deliveries, const MailAsker& asker,
                         WallTime now) {
    store::Plan plan;
    store::ChangeRows basis;
    for (const auto& [mail, delivery] : deliveries) {
        basis.expects.push_back({.key = store::queue_delivery_key(mail, delivery.number),
                                 .value = store::encode(delivery)});
    }
    plan.steps.emplace_back(std::move(basis));
    for (const auto& [mail, delivery] : deliveries) {
        store::QueueDelivery released = delivery;
        released.is_held = false;
        released.held_reason.clear();
        released.due = now;
        JsonWriter json;
        json.begin_object().field("site", delivery.site).field("reason", "ETRN");
        json.field("by", asker.name()).end_object();
        plan.steps.emplace_back(store::UpdateQueue{.mail = mail, .deliveries = {released}});
        plan.steps.emplace_back(store::TraceEvent{mail, now, "released", std::move(json).take()});
    }
    return plan;
}

// How many were let go. Only as they were read: what an operator or an attempt did meanwhile
// stands.
net::Task<Result<std::size_t>> release(const Services* services,
                                       std::vector<RequestedDelivery> deliveries, MailAsker asker) {
    const WallTime now = services->clock->wall();
    crash_point<"outbound.request_planned">();
    const Result<> done =
        co_await commit_all(services->store, plan_release(deliveries, asker, now));
    crash_point<"outbound.request_committed">();
    if (done) {
        co_return deliveries.size();
    }
    if (done.error().code != ErrorCode::Stale) {
        co_return std::unexpected(done.error());
    }
    if (deliveries.size() == 1) {
        co_return std::size_t{0};
    }
    std::size_t released = 0;
    for (RequestedDelivery& delivery : deliveries) {
        store::Plan plan = plan_release({std::move(delivery)}, asker, now);
        const Result<> alone = co_await commit_all(services->store, std::move(plan));
        if (!alone && alone.error().code != ErrorCode::Stale) {
            co_return std::unexpected(alone.error());
        }
        released += alone ? 1 : 0;
    }
    co_return released;
}

// Lets all go that is asked for; what is due already is counted and left alone.
net::Task<Result<std::size_t>> release_all(const Services* services, MailRequest request,
                                           std::set<std::string>* sites) {
    std::size_t count = 0;
    for (MailId after;;) {
        RequestPage page = CO_TRY(co_await find_requested(services, request, after));
        const WallTime now = services->clock->wall();
        std::vector<RequestedDelivery> batch;
        for (RequestedDelivery& found : page.deliveries) {
            sites->insert(found.delivery.site);
            if (!found.delivery.is_held && found.delivery.due <= now) {
                ++count;
                continue;
            }
            batch.push_back(std::move(found));
            if (batch.size() == mail_request_batch_max) {
                count +=
                    CO_TRY(co_await release(services, std::exchange(batch, {}), request.asker));
            }
        }
        if (!batch.empty()) {
            count += CO_TRY(co_await release(services, std::move(batch), request.asker));
        }
        if (page.is_last) {
            co_return count;
        }
        after = page.last;
        co_await net::yield_now();
    }
}

std::optional<RequestedSites> sites_of(const Etrn& etrn) {
    RequestedSites sites;
    if (etrn.option == '#') {
        sites.queue = etrn.node;
        return sites;
    }
    const auto domain = mail::normalize_domain(etrn.node);
    // RFC 1985 5: fully qualified.
    if (!domain || domain->find('.') == std::string::npos) {
        return std::nullopt;
    }
    sites.domain = *domain;
    sites.has_subdomains = etrn.option == '@';
    return sites;
}

}  // namespace

RequestGuard::Permit::~Permit() {
    if (guard_ == nullptr) {
        return;
    }
    guard_->book_.with([this](Book& book) {
        if (turn_.empty()) {
            return --book.at_work;
        }
        if (const auto own = book.turns.find(turn_); --own->second == 0) {
            book.turns.erase(own);
        }
        return --book.turns_in_all;
    });
}

RequestGuard::Permit RequestGuard::begin_turn(const std::string& account) {
    const bool may_begin = book_.with([&account](Book& book) {
        const auto own = book.turns.find(account);
        if (book.turns_in_all >= turns_at_once_max ||
            (own != book.turns.end() && own->second >= turns_per_account_max)) {
            return false;
        }
        ++book.turns[account];
        ++book.turns_in_all;
        return true;
    });
    return may_begin ? Permit(this, account) : Permit();
}

RequestGuard::Permit RequestGuard::begin(const std::string& name, MonoTime now) {
    const bool may_begin = book_.with([&](Book& book) {
        Asked& asked = book.by_name.touch(name);
        const double minutes =
            std::chrono::duration<double, std::ratio<60>>(now - asked.at).count();
        asked.count = std::max(0.0, asked.count - minutes * mail_requests_per_minute_max);
        asked.at = now;
        if (asked.count + 1 > mail_requests_per_minute_max ||
            book.at_work >= mail_requests_at_once_max) {
            return false;
        }
        ++asked.count;
        ++book.at_work;
        return true;
    });
    return may_begin ? Permit(this, "") : Permit();
}

bool is_requested(const Settings& settings, const RequestedSites& sites, const MailAsker& asker,
                  std::string_view site) {
    const RelayDomainSettings* const relay = find_relay_domain(settings, site);
    if (relay == nullptr || !may_ask_for(settings, *relay, asker)) {
        return false;
    }
    if (sites.is_all_of_asker) {
        return true;
    }
    if (!sites.queue.empty()) {
        return equals_ignore_case(relay->queue, sites.queue);
    }
    return equals_ignore_case(site, sites.domain) ||
           (sites.has_subdomains && domain_fitness("*." + sites.domain, site) > 0);
}

bool MailRequest::covers(const Settings& settings, const store::QueueMessage& message,
                         const store::QueueDelivery& delivery, WallTime now) const {
    const bool is_theirs = !delivery.is_held || delivery.held_reason == held_for_request;
    if (delivery.is_damaged || !is_theirs || delivery.crashes >= quarantine_crashes ||
        message.release_at.value_or(now) > now) {
        return false;
    }
    return std::ranges::any_of(sites, [&](const RequestedSites& each) {
        return is_requested(settings, each, asker, delivery.site);
    });
}

net::Task<Result<RequestPage>> find_requested(const Services* services, MailRequest request,
                                              MailId after) {
    const SettingsPtr settings = services->settings();
    const WallTime now = services->clock->wall();
    co_return co_await read(
        services,
        [after, settings, now, request = std::move(request)](
            const store::Snapshot& snapshot, store::ReadTier tier) -> Result<RequestPage> {
            RequestPage page;
            auto rows = TRY(store::walk_queue(snapshot, tier, after, kStepMessages));
            page.is_last = rows.size() < kStepMessages;
            for (store::QueuedMessage& row : rows) {
                page.last = row.message.mail;
                for (store::QueueDelivery& delivery : row.deliveries) {
                    if (!row.message.is_damaged &&
                        request.covers(*settings, row.message, delivery, now)) {
                        page.deliveries.push_back({row.message.mail, std::move(delivery)});
                    }
                }
            }
            return page;
        });
}

net::Task<smtp::Reply> answer_etrn(const Services* services, Etrn etrn, MailAsker asker) {
    const std::string node = (etrn.option != 0 ? std::string(1, etrn.option) : "") + etrn.node;
    const std::optional<RequestedSites> sites = sites_of(etrn);
    if (!sites) {
        co_return reply(501, {5, 5, 4}, "ETRN takes a domain, @domain or #queue");
    }
    const SettingsPtr settings = services->settings();
    const MonoTime now = services->clock->mono();
    const RequestGuard::Permit permit = services->request_guard->begin(asker.name(), now);
    if (!permit) {
        probe<"outbound.request_too_often">();
        co_return reply(458, {4, 7, 0},
                        "Unable to queue messages for node " + node + ": asked too often");
    }
    if (!may_mean_any(*settings, *sites, asker)) {
        probe<"outbound.request_not_allowed">();
        log::info("smtp.etrn_refused", {{"by", asker.name()}, {"node", node}});
        co_return not_allowed(node);
    }
    std::set<std::string> started;
    MailRequest request{.sites = {*sites}, .asker = asker};
    const Result<std::size_t> count = co_await release_all(services, std::move(request), &started);
    if (!count) {
        log::error("smtp.etrn_failed", {{"node", node}, {"error", count.error().text}});
        co_return reply(458, {4, 3, 0}, "Unable to queue messages for node " + node);
    }
    log::info(
        "smtp.etrn",
        {{"by", asker.name()}, {"node", node}, {"messages", static_cast<std::uint64_t>(*count)}});
    if (*count == 0) {
        co_return reply(251, {2, 0, 0}, "OK, no messages waiting for node " + node);
    }
    if (services->scheduler != nullptr) {
        services->scheduler->try_now({started.begin(), started.end()});
    }
    co_return reply(
        253, {2, 0, 0},
        "OK, " + std::to_string(*count) + " pending messages for node " + node + " started");
}

}  // namespace godwit::flow
