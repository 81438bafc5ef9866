#include "flow/outbound/settle.h"

#include "base/json.h"
#include "flow/outbound/deliver_by.h"
#include "flow/policy/relay_domains.h"
#include "store/queue/schedule.h"

namespace godwit::flow {

namespace {

bool wants(const store::QueueRecipient& recipient, store::Notify event) {
    // RFC 3461 4.1: without NOTIFY, failures are reported, and delays may be.
    if (recipient.notify == 0) {
        return event == store::Notify::Failure || event == store::Notify::Delay;
    }
    return (recipient.notify & static_cast<std::uint8_t>(event)) != 0;
}

mail::DsnRecipient notice_for(const store::QueueRecipient& recipient, mail::DsnAction action,
                              const smtp::Outcome& outcome, WallTime now) {
    mail::DsnRecipient notice;
    if (auto address = mail::parse_address(recipient.address); address) {
        notice.final_recipient = std::move(*address);
    }
    notice.original_recipient = recipient.original;
    notice.action = action;
    notice.status =
        mail::parse_enhanced_status(recipient.last_status).value_or(mail::EnhancedStatus{5, 0, 0});
    notice.remote_host = recipient.last_remote;
    if (outcome.is_local) {
        notice.reason = outcome.reply.text;
    } else {
        notice.remote_reply = recipient.last_reply;
    }
    notice.last_attempt = unix_seconds(now);
    return notice;
}

// Status of a reply; where the peer gave none, one by its class (RFC 3463 3.1: other or undefined).
mail::EnhancedStatus status_of(const smtp::Reply& reply) {
    const auto klass = static_cast<std::uint8_t>(reply.code / 100);
    mail::EnhancedStatus status = reply.enhanced.value_or(mail::EnhancedStatus{klass, 0, 0});
    // E12: where the codes disagree, the basic one rules.
    status.status_class = klass == 2 || klass == 4 || klass == 5 ? klass : 4;
    return status;
}

void record(store::QueueRecipient& recipient, const AttemptResult& result) {
    recipient.last_reply =
        smtp::to_string(result.outcome.reply).substr(0, limits::queue_error_text_size_max);
    recipient.last_status = status_of(result.outcome.reply).to_string();
    recipient.last_remote = result.remote;
    recipient.is_last_ours = result.outcome.is_local;
}

class Judge {
public:
    explicit Judge(SettleInput input) : in_(std::move(input)) { out_.delivery = in_.delivery; }

    Settlement run() {
        ++out_.delivery.attempts;
        out_.delivery.last_attempt = in_.now;
        const store::NextAttempt next = store::next_attempt({.attempts = out_.delivery.attempts,
                                                             .now = in_.now,
                                                             .expires_at = in_.message.expires_at,
                                                             .chance = in_.chance,
                                                             .may_expire = in_.may_expire});
        trace_.begin_object();
        trace_.field("site", out_.delivery.site).field("attempt", out_.delivery.attempts);
        trace_.key("recipients").begin_array();
        for (const AttemptResult& result : in_.results) {
            judge(result, next.due.has_value());
        }
        trace_.end_array();
        if (out_.deferred > 0 && next.due) {
            out_.delivery.due = not_past_deadline(*next.due, in_.message, in_.now);
            if (in_.is_kept_for_request) {
                out_.delivery.is_held = true;
                out_.delivery.held_reason = held_for_request;
                trace_.field("held", held_for_request);
            } else {
                trace_.field("next_attempt", unix_seconds(out_.delivery.due));
            }
        }
        trace_.end_object();
        out_.delivery.is_done = out_.deferred == 0;
        out_.trace_kind = out_.failed > 0 ? "bounced" : out_.deferred > 0 ? "deferred" : "sent";
        out_.trace_detail = std::move(trace_).take();
        return std::move(out_);
    }

private:
    void judge(const AttemptResult& result, bool may_retry) {
        store::QueueRecipient& recipient = out_.delivery.recipients.at(result.recipient);
        record(recipient, result);
        recipient.dot_drops = result.outcome.is_ambiguous ? recipient.dot_drops + 1 : 0;
        if (result.is_dropped) {
            recipient.state = store::RecipientState::Dropped;
        } else if (result.outcome.kind == smtp::OutcomeKind::Delivered) {
            recipient.state = store::RecipientState::Delivered;
            ++out_.delivered;
            if (result.is_final ? wants(recipient, store::Notify::Success)
                                : is_relay_told(recipient, result)) {
                out_.notices.push_back(notice_for(
                    recipient,
                    result.is_final ? mail::DsnAction::Delivered : mail::DsnAction::Relayed,
                    result.outcome, in_.now));
            }
        } else if (result.outcome.kind == smtp::OutcomeKind::Permanent || !may_retry ||
                   is_hopeless(recipient)) {
            give_up(recipient, result);
        } else {
            ++out_.deferred;
            warn_of_delay(recipient, result);
        }
        note(recipient, result);
    }

    // NOTIFY=SUCCESS that the next hop will not answer (RFC 3461 5.2.2), and what RFC 2852 wants
    // told: a time that nobody keeps from here on, and every step of a traced message.
    [[nodiscard]] bool is_relay_told(const store::QueueRecipient& recipient,
                                     const AttemptResult& result) const {
        if (recipient.notify == static_cast<std::uint8_t>(store::Notify::Never)) {
            return false;
        }
        const bool is_asked = wants(recipient, store::Notify::Success) && !result.remote_reports;
        const auto& by = in_.message.deliver_by;
        return is_asked || (by && (by->is_traced || !result.remote_keeps_time));
    }

    static bool is_hopeless(const store::QueueRecipient& recipient) {
        return recipient.dot_drops >= outbound_dot_drops_max;
    }

    void give_up(store::QueueRecipient& recipient, const AttemptResult& result) {
        const bool is_expired = result.outcome.kind != smtp::OutcomeKind::Permanent;
        recipient.state =
            is_expired ? store::RecipientState::Expired : store::RecipientState::Failed;
        ++out_.failed;
        if (!wants(recipient, store::Notify::Failure)) {
            return;
        }
        mail::DsnRecipient notice =
            notice_for(recipient, mail::DsnAction::Failed, result.outcome, in_.now);
        if (is_expired && is_hopeless(recipient)) {
            notice.status = {5, 4, 2};
            notice.reason = "The connection was lost " + std::to_string(recipient.dot_drops) +
                            " times in a row behind the end of the message; it may have arrived";
        } else if (is_expired) {
            // RFC 3463 3.5: X.4.7, delivery time expired.
            notice.status = {5, 4, 7};
        }
        out_.notices.push_back(std::move(notice));
    }

    void warn_of_delay(store::QueueRecipient& recipient, const AttemptResult& result) {
        const WallTime begin = in_.message.release_at.value_or(in_.message.accepted_at);
        const bool is_slow =
            in_.now - begin >= in_.retry.delay_notice_after && !recipient.delay_reported;
        const bool is_past_time = is_late(in_.message, in_.now) && !recipient.lateness_reported;
        if ((!is_slow && !is_past_time) || !wants(recipient, store::Notify::Delay)) {
            return;
        }
        recipient.delay_reported = recipient.delay_reported || is_slow;
        recipient.lateness_reported = recipient.lateness_reported || is_past_time;
        mail::DsnRecipient notice =
            notice_for(recipient, mail::DsnAction::Delayed, result.outcome, in_.now);
        notice.will_retry_until = unix_seconds(in_.message.expires_at);
        out_.notices.push_back(std::move(notice));
    }

    void note(const store::QueueRecipient& recipient, const AttemptResult& result) {
        if (trace_.view().size() > limits::queue_error_text_size_max) {
            return;
        }
        trace_.begin_object();
        trace_.field("to", recipient.address).field("reply", recipient.last_reply);
        trace_.field("remote", recipient.last_remote);
        if (recipient.is_last_ours) {
            trace_.field("local", true);
        }
        if (result.tls && result.tls != last_tls_) {
            note_tls(*result.tls);
            last_tls_ = result.tls;
        }
        if (result.outcome.is_ambiguous) {
            trace_.field("note", "may have been sent: the line broke behind the last octet");
        }
        trace_.end_object();
    }

    void note_tls(const AttemptTls& tls) {
        trace_.key("tls").begin_object();
        trace_.field("policy", tls.policy).field("origin", tls.origin);
        if (!tls.version.empty()) {
            trace_.field("version", tls.version).field("cipher", tls.cipher);
            trace_.field("verified", tls.is_verified);
        }
        if (!tls.error.empty()) {
            trace_.field("error", tls.error.substr(0, attempt_tls_error_size_max));
        }
        trace_.end_object();
    }

    SettleInput in_;
    Settlement out_;
    JsonWriter trace_;
    std::optional<AttemptTls> last_tls_;  // Said once for all who share it.
};

}  // namespace

Settlement settle(SettleInput input) {
    return Judge(std::move(input)).run();
}

}  // namespace godwit::flow
