#include "flow/outbound/recall_held.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "flow/commit.h"
#include "flow/outbound/route.h"
#include "flow/policy/relay_domains.h"
#include "flow/read.h"
#include "store/queue/queue.h"

namespace godwit::flow {

namespace {

constexpr std::chrono::milliseconds kRest(10);

struct Page {
    std::vector<store::Plan> plans;
    MailId last;
    bool is_last = false;
};

// Only as it was read: what an operator did meanwhile stands.
store::Plan plan_release(MailId mail, store::QueueDelivery delivery, WallTime now,
                         std::string_view reason) {
    JsonWriter json;
    json.begin_object().field("site", delivery.site);
    json.field("reason", reason).end_object();
    store::ChangeRows basis;
    basis.expects.push_back({.key = store::queue_delivery_key(mail, delivery.number),
                             .value = store::encode(delivery)});
    log::info("queue.has_route", {{"id", mail}, {"site", delivery.site}, {"reason", reason}});
    delivery.is_held = false;
    delivery.held_reason.clear();
    delivery.due = now;
    store::Plan plan;
    plan.steps.emplace_back(std::move(basis));
    plan.steps.emplace_back(store::UpdateQueue{.mail = mail, .deliveries = {std::move(delivery)}});
    plan.steps.emplace_back(store::TraceEvent{mail, now, "released", std::move(json).take()});
    return plan;
}

// For one of its recipients at least: routes may part them.
bool has_route(const Settings& settings, const store::QueueMessage& message,
               const store::QueueDelivery& delivery) {
    return std::ranges::any_of(delivery.recipients, [&](const store::QueueRecipient& recipient) {
        return recipient.state == store::RecipientState::Waiting &&
               !std::holds_alternative<HoldHop>(
                   decide_next_hop(settings, {.domain = delivery.site,
                                              .recipient = recipient.address,
                                              .sender = message.sender}));
    });
}

// Why it need not be held any more; empty: it must.
std::string_view reason_to_release(const Settings& settings, const store::QueueMessage& message,
                                   const store::QueueDelivery& delivery) {
    if (!delivery.is_held || delivery.is_damaged) {
        return {};
    }
    if (delivery.held_reason == held_for_request) {
        return is_kept_for_request(settings, delivery.site)
                   ? std::string_view()
                   : "its domain's mail is no longer kept until it is asked for";
    }
    return is_for_lack_of_route(delivery.held_reason) && has_route(settings, message, delivery)
               ? "there is a route now"
               : std::string_view();
}

Result<Page> read_page(const store::Snapshot& snapshot, store::ReadTier tier, MailId after,
                       const Settings& settings, WallTime now) {
    const auto rows = TRY(store::list_queue(snapshot, tier, after, limits::scan_rows_max));
    Page page;
    page.is_last = rows.size() < limits::scan_rows_max;
    for (const store::QueueMessage& message : rows) {
        page.last = message.mail;
        for (store::QueueDelivery& delivery :
             TRY(store::read_deliveries(snapshot, tier, message.mail))) {
            const std::string_view reason = reason_to_release(settings, message, delivery);
            if (!reason.empty()) {
                page.plans.push_back(plan_release(message.mail, std::move(delivery), now, reason));
            }
        }
    }
    return page;
}

}  // namespace

net::Task<Result<>> recall_held(const Services* services) {
    for (MailId after;;) {
        const SettingsPtr settings = services->settings();
        const WallTime now = services->clock->wall();
        Page page =
            CO_TRY(co_await read(services, [after, settings, now](const store::Snapshot& snapshot,
                                                                  store::ReadTier tier) {
                return read_page(snapshot, tier, after, *settings, now);
            }));
        for (store::Plan& plan : page.plans) {
            store::CommitResult done = co_await commit(services->store, std::move(plan));
            if (!done && done.error().error.code != ErrorCode::Stale) {
                co_return std::unexpected(std::move(done).error().error);
            }
        }
        if (page.is_last) {
            co_return Result<>();
        }
        after = page.last;
        // A long queue has thousands of pages, and the mail in it goes first.
        co_await net::sleep_for(kRest);
    }
}

}  // namespace godwit::flow
