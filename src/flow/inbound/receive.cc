#include "flow/inbound/receive.h"

#include <algorithm>
#include <functional>

#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/commit.h"
#include "flow/inbound/envelope.h"
#include "flow/inbound/placement.h"
#include "flow/inbound/receipt.h"
#include "flow/inbound/terms.h"
#include "flow/inbound/valid_since.h"
#include "flow/outbound/notice.h"
#include "flow/outbound/scheduler.h"
#include "mail/message/trace.h"
#include "store/store.h"

namespace godwit::flow {

namespace {

constexpr std::size_t kNoRecipient = static_cast<std::size_t>(-1);

// What a recipient is told when the plan could not be stamped for its sake.
smtp::Reply failure_reply(const Error& error) {
    switch (error.code) {
        case ErrorCode::OverQuota: return smtp::make_reply(452, {4, 2, 2}, "Mailbox is full");
        case ErrorCode::NotFound:
            return smtp::make_reply(450, {4, 2, 1}, "Mailbox is being changed, try again later");
        case ErrorCode::DiskFull:
            return smtp::make_reply(452, {4, 3, 1}, "Disk is nearly full, try again later");
        default:
            return smtp::make_reply(451, {4, 3, 0},
                                    "Cannot store the message now, try again later");
    }
}

std::optional<smtp::Reply> content_refusal(const Settings& settings, const Arrival& arrival) {
    if (mail::count_received(arrival.parsed.header) >= limits::smtp_received_headers_max) {
        return smtp::make_reply(554, {5, 4, 6}, "Too many hops: the message is going round");
    }
    if (arrival.origin.is_submission) {
        return std::nullopt;
    }
    return refuse_solicitation(settings.inbound.refused_solicitation, stated_solicitation(arrival));
}

// G2: mail that was delivered to this very address before is in a forwarding loop.
bool is_looping(const Arrival& arrival, const ArrivalRecipient& recipient) {
    for (const store::Target& target : recipient.resolved.targets) {
        const auto* local = std::get_if<store::LocalTarget>(&target);
        const auto* remote = std::get_if<store::RemoteTarget>(&target);
        const mail::Address* here = local != nullptr    ? &local->address
                                    : remote->forwarder ? &*remote->forwarder
                                                        : nullptr;
        if (here != nullptr && mail::was_delivered_to(arrival.parsed.header, *here)) {
            return true;
        }
    }
    return false;
}

// Why a recipient cannot have what came, though it was welcome at RCPT.
std::optional<smtp::Reply> recipients_refusal(const Arrival& arrival,
                                              const ArrivalRecipient& recipient) {
    if (is_looping(arrival, recipient)) {
        return smtp::make_reply(554, {5, 4, 6}, "Mail forwarding loop");
    }
    const mail::Address& address = recipient.envelope.address;
    const auto since = valid_since_in(arrival.parsed, address);
    return since ? refuse_changed_hands(recipient.resolved, address, *since) : std::nullopt;
}

// Those that failed while others were taken, and those who asked to hear of success: one report
// (RFC 3461 5.2.8).
std::vector<mail::DsnRecipient> to_be_told(const Arrival& arrival,
                                           const std::vector<std::optional<smtp::Reply>>& failures,
                                           const std::vector<bool>& is_left_out) {
    std::vector<mail::DsnRecipient> told = receipts(arrival, is_left_out);
    for (std::size_t i = 0; i < failures.size(); ++i) {
        const std::optional<smtp::Reply>& failure = failures[i];
        const smtp::Notify& wanted = arrival.recipients[i].envelope.parameters.notify;
        // LMTP and PRDR say it in the session.
        if (!failure || arrival.is_each_answered || (wanted.is_stated && !wanted.failure)) {
            continue;
        }
        mail::DsnRecipient recipient;
        recipient.final_recipient = arrival.recipients[i].envelope.address;
        recipient.original_recipient = original_recipient(arrival.recipients[i]);
        recipient.action = mail::DsnAction::Failed;
        recipient.status = failure->enhanced.value_or(mail::EnhancedStatus{5, 0, 0});
        recipient.status.status_class = 5;
        recipient.reason = failure->text;
        told.push_back(std::move(recipient));
    }
    return told;
}

net::Task<Result<>> report(const Services* services, const Arrival* arrival,
                           std::vector<mail::DsnRecipient> told, store::Plan* plan) {
    if (told.empty()) {
        co_return Result<>();
    }
    probe<"inbound.report_with_the_mail">();
    Notice notice;
    notice.message.mail = arrival->mail;
    notice.message.sender = arrival->sender ? arrival->sender->to_string() : "";
    notice.message.envelope_id = arrival->parameters.envid.value_or("");
    // The body is not stored yet: the header tells which message it was.
    notice.message.return_headers_only = true;
    notice.message.accepted_at = services->clock->wall();
    notice.message.require_tls = arrival->parameters.require_tls;
    notice.message.priority = arrival->parameters.priority;
    notice.original = arrival->parsed.header;
    notice.recipients = std::move(told);
    co_return co_await add_notice(services, plan, std::move(notice));
}

void log_accepted(const Arrival& arrival, const Placement& placement) {
    count(Metric::SmtpMessagesAccepted);
    count(Metric::LocalDeliveries, static_cast<std::int64_t>(placement.local_count));
    log::info("smtp.accepted",
              {{"id", arrival.mail},
               {"from", arrival.sender ? arrival.sender->to_string() : ""},
               {"size", arrival.body.size},
               {"recipients", static_cast<std::uint64_t>(arrival.recipients.size())},
               {"local", static_cast<std::uint64_t>(placement.local_count)},
               {"queued", static_cast<std::uint64_t>(placement.remote_count)},
               {"peer", arrival.origin.peer},
               {"user", arrival.origin.submitter_name}});
}

smtp::Reply accepted_reply(const Arrival& arrival, const Placement& placement) {
    const char* how = placement.remote_count > 0 ? "Ok: queued as " : "Ok: delivered as ";
    return smtp::make_reply(250, {2, 0, 0}, how + to_string(arrival.mail));
}

// Whose mail it is, before the scheduler is told that it is there.
void introduce(const Services* services, const store::Plan& plan) {
    for (const store::PlanStep& step : plan.steps) {
        const auto* queued = std::get_if<store::AddToQueue>(&step);
        if (queued != nullptr && services->scheduler != nullptr) {
            const store::QueueMessage& message = queued->message;
            services->scheduler->introduce(message.mail, message.sender, message.blob_size,
                                           message.priority.value_or(0));
        }
    }
}

}  // namespace

smtp::Reply summary_reply(const std::vector<smtp::Reply>& replies) {
    const auto good = std::find_if(replies.begin(), replies.end(),
                                   [](const smtp::Reply& reply) { return reply.is_positive(); });
    return good != replies.end() ? *good : replies.front();
}

net::Task<std::vector<smtp::Reply>> receive(const Services* services, Arrival arrival) {
    // Whom the client named; archives come behind and are nobody's to answer for.
    const std::size_t total = arrival.recipients.size();
    const SettingsPtr settings = services->settings();
    if (std::optional<smtp::Reply> refusal = content_refusal(*settings, arrival)) {
        co_return std::vector<smtp::Reply>(total, *refusal);
    }
    if (const Result<> completed = co_await complete_envelope(services, &arrival); !completed) {
        log::error("smtp.envelope_failed",
                   {{"id", arrival.mail}, {"error", completed.error().text}});
        co_return std::vector<smtp::Reply>(total, failure_reply(completed.error()));
    }
    const std::size_t placed = arrival.recipients.size();
    std::vector<std::optional<smtp::Reply>> failures(placed);
    std::vector<bool> is_left_out(placed, false);
    for (std::size_t i = 0; i < placed; ++i) {
        failures[i] = recipients_refusal(arrival, arrival.recipients[i]);
        is_left_out[i] = failures[i].has_value();
    }
    // Each turn leaves out one more recipient, or the report, or plans again as the store moved on.
    const std::size_t turns = placed + 1 + limits::commit_replans_max;
    const std::function<MailId()> next_id = [services] { return services->store->next_mail_id(); };
    bool may_report = true;
    for (std::size_t turn = 0; turn < turns; ++turn) {
        const auto named_end = is_left_out.begin() + static_cast<std::ptrdiff_t>(total);
        const bool is_any_left = std::find(is_left_out.begin(), named_end, false) != named_end;
        if (!is_any_left) {
            break;
        }
        Placement placement =
            place(*settings, arrival, services->clock->wall(), is_left_out, next_id);
        placement.plan.bodies.push_back(std::move(arrival.body));
        const std::size_t own_steps = placement.plan.steps.size();
        if (may_report) {
            const Result<> reported = co_await report(
                services, &arrival, to_be_told(arrival, failures, is_left_out), &placement.plan);
            if (!reported) {
                co_return std::vector<smtp::Reply>(total, failure_reply(reported.error()));
            }
        }
        crash_point<"receive.planned">();
        introduce(services, placement.plan);
        store::CommitResult result = co_await commit(services->store, std::move(placement.plan));
        if (result) {
            crash_point<"receive.committed">();
            if (placement.local_count > 1) {
                probe<"inbound.into_several_mailboxes">();
            }
            if (placement.local_count > 0 && placement.remote_count > 0) {
                probe<"inbound.here_and_abroad">();
            }
            log_accepted(arrival, placement);
            std::vector<smtp::Reply> replies;
            for (std::size_t i = 0; i < total; ++i) {
                replies.push_back(arrival.is_each_answered && failures[i]
                                      ? *failures[i]
                                      : accepted_reply(arrival, placement));
            }
            co_return replies;
        }
        const store::PlanFailure& failure = result.error();
        if (failure.plan == nullptr) {
            probe<"inbound.commit_failed">();
            log::error("smtp.commit_failed", {{"id", arrival.mail}, {"error", failure.error.text}});
            co_return std::vector<smtp::Reply>(total, failure_reply(failure.error));
        }
        arrival.body = std::move(failure.plan->bodies.front());
        const std::size_t step = failure.step;
        const std::size_t guilty = step < placement.recipient_of_step.size()
                                       ? placement.recipient_of_step[step]
                                       : kNoRecipient;
        if (failure.error.code == ErrorCode::Stale) {
            count(Metric::CommitReplans);
            continue;
        }
        const bool is_recipients_own =
            failure.error.code == ErrorCode::OverQuota || failure.error.code == ErrorCode::NotFound;
        if (is_recipients_own && step >= own_steps && may_report) {
            // The sender's own mailbox takes no report: that must not cost the recipients their
            // mail.
            log::warn("smtp.report_dropped", {{"id", arrival.mail}, {"error", failure.error.text}});
            may_report = false;
            continue;
        }
        if (guilty == kNoRecipient || !is_recipients_own) {
            log::error("smtp.commit_failed", {{"id", arrival.mail}, {"error", failure.error.text}});
            co_return std::vector<smtp::Reply>(total, failure_reply(failure.error));
        }
        if (arrival.recipients[guilty].is_archive) {
            // An archive that is full must not stop the mail; somebody has to see to it.
            log::error("archive.copy_dropped",
                       {{"id", arrival.mail},
                        {"address", arrival.recipients[guilty].envelope.address.to_string()},
                        {"error", failure.error.text}});
        }
        failures[guilty] = failure_reply(failure.error);
        is_left_out[guilty] = true;
    }
    std::vector<smtp::Reply> replies;
    for (std::size_t i = 0; i < total; ++i) {
        replies.push_back(failures[i].value_or(
            smtp::make_reply(451, {4, 3, 0}, "Cannot store the message now, try again later")));
    }
    count(Metric::SmtpMessagesRefused);
    co_return replies;
}

}  // namespace godwit::flow
