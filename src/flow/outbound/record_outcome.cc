#include "flow/outbound/record_outcome.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/outbound/notice.h"
#include "flow/outbound/scheduler.h"
#include "flow/policy/relay_domains.h"
#include "store/store.h"

namespace godwit::flow {

namespace {

// What is to be stored of one attempt, but for the report.
struct Record {
    MailId mail;
    WallTime now{};
    store::ChangeRows basis;  // Of those that must be unchanged.
    WallTime attempted_due{};
    Settlement settlement;

    [[nodiscard]] store::Plan plan() const {
        store::Plan plan;
        if (!basis.expects.empty()) {
            plan.steps.emplace_back(basis);
        }
        plan.steps.emplace_back(store::UpdateQueue{mail, {settlement.delivery}, attempted_due});
        plan.steps.emplace_back(
            store::TraceEvent{mail, now, settlement.trace_kind, settlement.trace_detail});
        return plan;
    }
};

// How a recipient stood before the attempt: what a report that cannot be stored puts back.
struct Before {
    bool was_waiting = false;
    bool delay_reported = false;
};

std::vector<Before> standing(const store::QueueDelivery& delivery) {
    std::vector<Before> before;
    for (const store::QueueRecipient& recipient : delivery.recipients) {
        before.push_back({.was_waiting = recipient.state == store::RecipientState::Waiting,
                          .delay_reported = recipient.delay_reported});
    }
    return before;
}

// RFC 5321 6.1: the reader's mailbox takes no report, or there is nobody to read it. No later
// attempt would do better. Everything else, a full disk first of all, is of the moment.
bool is_undeliverable(const Error& error) {
    return error.kind == ErrorKind::Peer || error.code == ErrorCode::OverQuota ||
           error.code == ErrorCode::NotFound || error.code == ErrorCode::Invalid ||
           error.code == ErrorCode::LimitExceeded;
}

bool is_report_wanted(const store::QueueRecipient& recipient) {
    return recipient.notify == 0 ||
           (recipient.notify & static_cast<std::uint8_t>(store::Notify::Failure)) != 0;
}

// Those that were given up wait on, and are given up again, with their report, when there may be
// room: a failure without its report would be a loss (RELIABILITY.md P1, I4). Nobody else is tried
// twice.
bool put_off_failures(Record& record, const std::vector<Before>& before) {
    Settlement& settlement = record.settlement;
    store::QueueDelivery& delivery = settlement.delivery;
    bool is_any = false;
    for (std::size_t i = 0; i < before.size(); ++i) {
        store::QueueRecipient& recipient = delivery.recipients[i];
        const bool is_given_up = recipient.state == store::RecipientState::Failed ||
                                 recipient.state == store::RecipientState::Expired;
        if (before[i].was_waiting && is_given_up && is_report_wanted(recipient)) {
            recipient.state = store::RecipientState::Waiting;
            is_any = true;
            --settlement.failed;
            ++settlement.deferred;
        }
    }
    if (is_any) {
        const WallTime again = record.now + kOwedReportPause;
        delivery.due = delivery.is_done ? again : std::min(delivery.due, again);
        delivery.is_done = false;
        if (delivery.is_held && delivery.held_reason == held_for_request) {
            // The report does not wait for somebody to ask.
            delivery.is_held = false;
            delivery.held_reason.clear();
        }
        settlement.trace_kind = "deferred";
    }
    return is_any;
}

void log_attempt(const Record& record) {
    const Settlement& settlement = record.settlement;
    log::info("queue.attempt", {{"id", record.mail},
                                {"site", settlement.delivery.site},
                                {"attempt", settlement.delivery.attempts},
                                {"delivered", static_cast<std::uint64_t>(settlement.delivered)},
                                {"failed", static_cast<std::uint64_t>(settlement.failed)},
                                {"deferred", static_cast<std::uint64_t>(settlement.deferred)}});
}

store::TraceEvent fate_of_report(const Record& record, std::string_view kind,
                                 const std::string& sender, const Error& error) {
    JsonWriter json;
    json.begin_object().field("to", sender).field("error", error.text).end_object();
    return {record.mail, record.now, std::string(kind), std::move(json).take()};
}

// What is told, and why; for the tables of the simulator.
void mark(const Settlement& settlement) {
    for (const mail::DsnRecipient& notice : settlement.notices) {
        switch (notice.action) {
            case mail::DsnAction::Failed:
                notice.status == mail::EnhancedStatus{5, 4, 7} ? probe<"outbound.expired">()
                                                               : probe<"outbound.failed">();
                break;
            case mail::DsnAction::Delayed: probe<"outbound.delay_told">(); break;
            case mail::DsnAction::Relayed: probe<"outbound.relayed_told">(); break;
            case mail::DsnAction::Delivered:
            case mail::DsnAction::Expanded: break;
        }
    }
    if (settlement.delivered > 0 && settlement.failed + settlement.deferred > 0) {
        probe<"outbound.some_delivered">();
    }
}

// The delivery is gone or was changed: the refusal is about our own steps, not about the report.
bool is_overtaken(const store::CommitResult& result, std::size_t own_steps) {
    return !result && result.error().error.code == ErrorCode::Stale &&
           result.error().step < own_steps;
}

// With the report while that is possible, else without it: a report of a failure that cannot be
// stored now is owed, as is one of a delay; what no later attempt would help (and one of a success,
// which could only be had by sending again) is dropped.
net::Task<store::CommitResult> commit_record(const Services* services, Record* record,
                                             Notice notice, std::vector<Before> before) {
    store::Plan plan = record->plan();
    const std::size_t own_steps = plan.steps.size();
    const std::string sender = notice.message.sender;
    Result<> reported;
    if (!notice.recipients.empty()) {
        reported = co_await add_notice(services, &plan, std::move(notice));
        crash_point<"outbound.notice_planned">();
    }
    if (reported) {
        const bool has_report = plan.steps.size() > own_steps;
        crash_point<"outbound.outcome_planned">();
        store::CommitResult result = co_await commit(services->store, std::move(plan));
        if (has_report) {
            crash_point<"outbound.notice_committed">();
        }
        if (result || !has_report || is_overtaken(result, own_steps)) {
            co_return result;
        }
        reported = std::unexpected(std::move(result.error().error));
    }
    for (std::size_t i = 0; i < before.size(); ++i) {
        record->settlement.delivery.recipients[i].delay_reported = before[i].delay_reported;
    }
    const bool is_owed = !is_undeliverable(reported.error()) && put_off_failures(*record, before);
    const std::string_view fate = is_owed ? "dsn.owed" : "dsn.dropped";
    log::error(fate, {{"id", record->mail}, {"to", sender}, {"error", reported.error().text}});
    if (is_owed) {
        probe<"outbound.report_owed">();
    } else {
        probe<"outbound.report_dropped">();
    }
    store::Plan alone = record->plan();
    alone.steps.emplace_back(fate_of_report(*record, fate, sender, reported.error()));
    co_return co_await commit(services->store, std::move(alone));
}

}  // namespace

namespace {
// Whoever deleted it must not believe that nobody has it.
net::Task<void> tell_what_went_out(const Services* services, Record* record) {
    if (record->settlement.delivered == 0) {
        co_return;
    }
    store::Plan plan;
    plan.may_wait = true;
    plan.steps.emplace_back(store::TraceEvent{record->mail, record->now, "sent_though_deleted",
                                              record->settlement.trace_detail});
    if (const auto told = co_await commit_all(services->store, std::move(plan)); !told) {
        log::warn("queue.overtaken_untold", {{"id", record->mail}, {"error", told.error().text}});
    }
}
}  // namespace

net::Task<bool> record_outcome(const Services* services, AttemptOutcome outcome) {
    Record record;
    record.mail = outcome.message.mail;
    record.now = services->clock->wall();
    record.attempted_due = outcome.delivery.due;
    if (outcome.must_be_unchanged) {
        record.basis.expects.push_back(
            {.key = store::queue_delivery_key(record.mail, outcome.delivery.number),
             .value = store::encode(outcome.delivery)});
    }
    std::vector<Before> before = standing(outcome.delivery);
    // It came to an end: whatever crashed, it was not this.
    outcome.delivery.crashes = 0;
    Notice notice;
    notice.message = outcome.message;
    const SettingsPtr settings = services->settings();
    const bool is_kept = is_kept_for_request(*settings, outcome.delivery.site);
    record.settlement =
        settle({.message = std::move(outcome.message),
                .delivery = std::move(outcome.delivery),
                .results = std::move(outcome.results),
                .now = record.now,
                .chance = services->random->u64(),
                .retry = settings->retry,
                .may_expire = services->scheduler == nullptr || services->scheduler->may_expire(),
                .is_kept_for_request = is_kept});
    mark(record.settlement);
    notice.recipients = std::move(record.settlement.notices);
    log_attempt(record);
    const store::CommitResult committed =
        co_await commit_record(services, &record, std::move(notice), std::move(before));
    if (!committed && committed.error().error.code == ErrorCode::Stale) {
        // Deleted by an operator during the attempt: there is nothing left to settle.
        probe<"outbound.overtaken">();
        log::info("queue.overtaken",
                  {{"id", record.mail},
                   {"why", committed.error().error.text},
                   {"went_out", static_cast<std::uint64_t>(record.settlement.delivered)}});
        co_await tell_what_went_out(services, &record);
        co_return true;
    }
    if (!committed) {
        probe<"outbound.outcome_refused">();
        log::error("queue.settle_failed",
                   {{"id", record.mail}, {"error", committed.error().error.text}});
        co_return false;
    }
    crash_point<"outbound.outcome_committed">();
    count(Metric::QueueDeliveriesDone, static_cast<std::int64_t>(record.settlement.delivered));
    count(Metric::QueueDeliveriesDeferred, record.settlement.deferred > 0 ? 1 : 0);
    count(Metric::QueueBounces, static_cast<std::int64_t>(record.settlement.failed));
    co_return true;
}

}  // namespace godwit::flow
