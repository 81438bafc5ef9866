#include "flow/outbound/record_outcome.h"

#include <optional>
#include <string>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/outbound/notice.h"
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

std::vector<bool> told_of_delay(const store::QueueDelivery& delivery) {
    std::vector<bool> told;
    for (const store::QueueRecipient& recipient : delivery.recipients) {
        told.push_back(recipient.delay_reported);
    }
    return told;
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

store::TraceEvent dropped_report(const Record& record, const std::string& sender,
                                 const Error& error) {
    JsonWriter json;
    json.begin_object().field("to", sender).field("error", error.text).end_object();
    return {record.mail, record.now, "dsn.dropped", std::move(json).take()};
}

// The delivery is gone or was changed: the refusal is about our own steps, not about the report.
bool is_overtaken(const store::CommitResult& result, std::size_t own_steps) {
    return !result && result.error().error.code == ErrorCode::Stale &&
           result.error().step < own_steps;
}

// With the report while that is possible, else without it. `told` says who had heard of the delay
// before this attempt: a report of it that is dropped is owed again after the next.
net::Task<store::CommitResult> commit_record(const Services* services, Record* record,
                                             Notice notice, std::vector<bool> told) {
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
    log::error("dsn.dropped",
               {{"id", record->mail}, {"to", sender}, {"error", reported.error().text}});
    for (std::size_t i = 0; i < told.size(); ++i) {
        record->settlement.delivery.recipients[i].delay_reported = told[i];
    }
    store::Plan alone = record->plan();
    alone.steps.emplace_back(dropped_report(*record, sender, reported.error()));
    co_return co_await commit(services->store, std::move(alone));
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
    std::vector<bool> told = told_of_delay(outcome.delivery);
    // It came to an end: whatever crashed, it was not this.
    outcome.delivery.crashes = 0;
    Notice notice;
    notice.message = outcome.message;
    record.settlement = settle({.message = std::move(outcome.message),
                                .delivery = std::move(outcome.delivery),
                                .results = std::move(outcome.results),
                                .now = record.now,
                                .chance = services->random->u64(),
                                .retry = services->settings()->retry});
    notice.recipients = std::move(record.settlement.notices);
    log_attempt(record);
    const store::CommitResult committed =
        co_await commit_record(services, &record, std::move(notice), std::move(told));
    if (!committed && committed.error().error.code == ErrorCode::Stale) {
        // Deleted by an operator during the attempt: there is nothing left to settle.
        log::info("queue.overtaken", {{"id", record.mail}, {"why", committed.error().error.text}});
        co_return true;
    }
    if (!committed) {
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
