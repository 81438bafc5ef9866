#include "flow/outbound/expire_held.h"

#include <optional>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/outbound/in_hand.h"
#include "flow/outbound/record_outcome.h"
#include "flow/read.h"
#include "store/queue/queue.h"

namespace godwit::flow {

namespace {

constexpr std::chrono::milliseconds kRest(10);

struct Page {
    std::vector<MailId> expired;
    MailId last;
    bool is_last = false;
};

Result<Page> read_page(const store::Snapshot& snapshot, store::ReadTier tier, MailId after,
                       WallTime now) {
    const auto rows = TRY(store::list_queue(snapshot, tier, after, limits::scan_rows_max));
    Page page;
    page.is_last = rows.size() < limits::scan_rows_max;
    for (const store::QueueMessage& message : rows) {
        page.last = message.mail;
        if (message.expires_at <= now) {
            page.expired.push_back(message.mail);
        }
    }
    return page;
}

Result<std::vector<AttemptOutcome>> held_of(const store::Snapshot& snapshot, store::ReadTier tier,
                                            MailId mail) {
    std::vector<AttemptOutcome> held;
    const auto message = TRY(store::read_queue_message(snapshot, tier, mail));
    if (!message) {
        return held;
    }
    for (store::QueueDelivery& delivery : TRY(store::read_deliveries(snapshot, tier, mail))) {
        // What may have ended the process twice is touched by nobody but an operator.
        if (delivery.is_held && !delivery.is_damaged && delivery.crashes < quarantine_crashes) {
            held.push_back({.message = *message,
                            .delivery = std::move(delivery),
                            .results = {},
                            .must_be_unchanged = true});
        }
    }
    return held;
}

// Permanent and not temporary: a temporary failure would have its minimum of attempts.
void give_up(AttemptOutcome& outcome) {
    smtp::Outcome over;
    over.kind = smtp::OutcomeKind::Permanent;
    over.scope = smtp::FaultScope::Host;
    // RFC 3463 3.5: X.4.7, delivery time expired.
    over.reply = smtp::make_reply(554, {5, 4, 7},
                                  "Held until its time was over: " + outcome.delivery.held_reason);
    over.is_local = true;
    for (std::size_t i = 0; i < outcome.delivery.recipients.size(); ++i) {
        if (outcome.delivery.recipients[i].state == store::RecipientState::Waiting) {
            outcome.results.push_back(
                {.recipient = i, .outcome = over, .remote = "", .remote_reports = false});
        }
    }
}

}  // namespace

net::Task<Result<>> expire_held(const Services* services) {
    const WallTime now = services->clock->wall();
    for (MailId after;;) {
        const Page page = CO_TRY(co_await read(
            services, [after, now](const store::Snapshot& snapshot, store::ReadTier tier) {
                return read_page(snapshot, tier, after, now);
            }));
        for (const MailId mail : page.expired) {
            std::vector<AttemptOutcome> held = CO_TRY(co_await read(
                services, [mail](const store::Snapshot& snapshot, store::ReadTier tier) {
                    return held_of(snapshot, tier, mail);
                }));
            for (AttemptOutcome& outcome : held) {
                log::info("queue.expired_in_hold", {{"id", mail}, {"site", outcome.delivery.site}});
                probe<"outbound.expired_in_hold">();
                give_up(outcome);
                crash_point<"outbound.expiry_planned">();
                if (!co_await record_outcome(services, std::move(outcome))) {
                    log::warn("queue.expiry_put_off", {{"id", mail}});
                }
                crash_point<"outbound.expiry_committed">();
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
