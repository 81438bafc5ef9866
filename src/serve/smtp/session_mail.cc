// A transaction: who sends, for whom, the content, and what becomes of it. RFC 5321 3.3.
#include "serve/smtp/smtp_session.h"

#include <algorithm>

#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/channel_bindings.h"

namespace godwit::serve {

namespace {
using smtp::make_reply;
}

net::Task<Result<>> SmtpSession::on(smtp::event::Hello event) {
    log::debug("smtp.hello", {{"peer", peer().to_string()}, {"name", event.name}});
    co_return Result<>();
}

net::Task<Result<>> SmtpSession::on(smtp::event::MailFrom event) {
    forget_mail();
    if (co_await watch_.is_stale()) {
        // Pipelined behind the change.
        login_.reset();
        watch_.end();
        engine_->hang_up(
            make_reply(421, {4, 7, 0}, "Credentials were changed, please log in again"),
            "credentials changed");
        co_return Result<>();
    }
    std::optional<AccountId> submitter;
    if (login_) {
        submitter = login_->account;
    }
    is_report_ = !event.sender.has_value();
    flow::Terms terms =
        flow::grant_terms(event.parameters, {.service = service_of(listener_.protocol),
                                             .is_beside_us = is_local_door(),
                                             .is_logged_in = login_.has_value(),
                                             .now = services_->clock->wall(),
                                             .unwanted = unwanted_solicitation()});
    sender_ = event.sender ? event.sender->to_string() : "";
    if (terms.refusal) {
        note_refusal("sender", "", *terms.refusal);
        engine_->answer(std::move(*terms.refusal));
        co_return Result<>();
    }
    if (event.sender && listener_.protocol == flow::Protocol::Smtp) {
        mail::Address sender = *event.sender;
        if (auto refusal = co_await flow::refuse_unanswerable(services_, std::move(sender))) {
            note_refusal("sender", "", *refusal);
            engine_->answer(*std::move(refusal));
            co_return Result<>();
        }
    }
    smtp::Reply reply = co_await flow::check_sender(services_, std::move(event.sender), submitter);
    if (reply.is_positive() && terms.note) {
        reply = std::move(*terms.note);
    }
    note_refusal("sender", "", reply);
    priority_ = terms.priority;
    is_auth_trusted_ = co_await vouches_for(event.parameters.auth.value_or(""));
    engine_->answer(std::move(reply));
    co_return Result<>();
}

// Users of ours may send what we would not take.
std::vector<std::string> SmtpSession::unwanted_solicitation() const {
    return is_submission(listener_.protocol) ? std::vector<std::string>()
                                             : services_->settings()->inbound.refused_solicitation;
}

// RFC 4954: AUTH= is believed of those who may write under that address.
net::Task<bool> SmtpSession::vouches_for(std::string author) {
    const auto address = mail::parse_address(author);
    if (!login_ || !address) {
        co_return false;
    }
    std::vector<mail::Address> addresses = {*address};
    const std::optional<smtp::Reply> refusal =
        co_await flow::check_ownership(services_, login_->account, std::move(addresses));
    co_return !refusal.has_value();
}

net::Task<Result<>> SmtpSession::on(smtp::event::RcptTo event) {
    flow::Asker asker{.may_relay = may_relay(), .stranger = std::nullopt, .is_report = is_report_};
    if (listener_.protocol == flow::Protocol::Smtp) {
        asker.stranger = peer();
    }
    std::string recipient = event.recipient.address.to_string();
    const bool is_asked_for =
        flow::is_asked_downstream(*services_->settings(), event.recipient.address.domain);
    if (is_asked_for) {
        CO_TRY(co_await flush());  // It may take its time, and hundreds may come in one group.
    }
    const MonoTime begun = services_->clock->mono();
    asker.patience = std::max(flow::verify_transaction_max - verified_for_, Duration{});
    flow::RecipientAnswer answer =
        co_await flow::check_recipient(services_, std::move(event.recipient), std::move(asker));
    verified_for_ += is_asked_for ? services_->clock->mono() - begun : Duration{};
    if (answer.reply.is_positive() && !flow::has_room_for(resolved_, answer.resolved)) {
        answer.reply = flow::too_many_behind_aliases();
    }
    if (answer.reply.is_positive()) {
        resolved_.push_back(std::move(answer.resolved));
    }
    note_refusal("recipient", std::move(recipient), answer.reply);
    engine_->answer(std::move(answer.reply));
    co_return Result<>();
}

void SmtpSession::note_refusal(std::string_view stage, std::string recipient,
                               const smtp::Reply& reply) {
    if (reply.is_positive() || services_->refusals == nullptr) {
        return;
    }
    services_->refusals->note({.stage = std::string(stage),
                               .peer = peer_name(),
                               .helo = hello_name(),
                               .user = login_ ? login_->name : "",
                               .sender = sender_,
                               .recipient = std::move(recipient),
                               .reply = reply});
}

net::Task<Result<>> SmtpSession::on(smtp::event::DataStart) {
    // Before the client sends what nobody can store.
    if (std::optional<smtp::Reply> refusal = flow::fault_refusal(services_)) {
        engine_->answer(std::move(*refusal));
        co_return Result<>();
    }
    mail_ = services_->store->next_mail_id();
    intake_.emplace(services_, *mail_,
                    is_submission(listener_.protocol) ? flow::IntakeMode::Submission
                                                      : flow::IntakeMode::Verbatim);
    body_failure_.reset();
    engine_->answer(smtp::Reply{354, std::nullopt, "End data with <CR><LF>.<CR><LF>"});
    co_return Result<>();
}

net::Task<Result<>> SmtpSession::on(smtp::event::BodyBytes event) {
    if (body_failure_ || !intake_) {
        co_return Result<>();
    }
    const Result<> stored = co_await intake_->append(std::move(event.bytes));
    crash_point<"smtp.body_arriving">();
    if (!stored) {
        probe<"smtp.body_not_stored">();
        // The rest is read to its end and refused there: the client is in the middle of sending.
        body_failure_ =
            stored.error().code == ErrorCode::DiskFull
                ? make_reply(452, {4, 3, 1}, "Disk is full, try again later")
                : make_reply(451, {4, 3, 0}, "Cannot store the message now, try again later");
        log::error("smtp.body_failed", {{"error", stored.error().text}});
        intake_.reset();
    }
    co_return Result<>();
}

flow::Origin SmtpSession::origin(const smtp::Transaction& transaction) const {
    flow::Origin origin;
    origin.received.helo = engine_->hello_name();
    origin.received.client_name = stand_in_.name;
    origin.received.client_address = is_local_door() ? "" : peer().address().to_string();
    const std::string with = engine_->protocol_name(transaction.parameters.smtputf8);
    origin.received.with.lmtp = listener_.protocol == flow::Protocol::Lmtp;
    origin.received.with.extended = with != "SMTP";
    origin.received.with.tls = engine_->is_tls();
    origin.received.with.authenticated = login_.has_value();
    origin.received.with.smtputf8 = transaction.parameters.smtputf8;
    if (const net::TlsSession* tls = stream_->tls(); tls != nullptr) {
        origin.received.tls = tls->version() + " " + tls->cipher();
    }
    origin.peer = peer_name();
    if (forwarded_) {
        origin.forwarded_helo = hello_name();
    }
    if (const auto credentials = stream_->credentials(); credentials) {
        origin.peer += " uid=" + std::to_string(credentials->user_id);
    }
    origin.is_submission = is_submission(listener_.protocol);
    if (login_) {
        origin.submitter = login_->account;
        origin.submitter_name = login_->name;
    }
    return origin;
}

net::Task<std::vector<smtp::Reply>> SmtpSession::take_mail(smtp::event::EndOfMail* event) {
    const std::size_t total = event->transaction.recipients.size();
    const auto all = [total](smtp::Reply reply) {
        return std::vector<smtp::Reply>(total, std::move(reply));
    };
    if (body_failure_) {
        co_return all(*body_failure_);
    }
    check(intake_.has_value() && mail_.has_value(), "content came between DataStart and EndOfMail");
    Result<flow::Taken> taken = co_await intake_->finish();
    if (!taken) {
        log::error("smtp.body_failed", {{"error", taken.error().text}});
        co_return all(
            taken.error().code == ErrorCode::DiskFull
                ? make_reply(452, {4, 3, 1}, "Disk is full, try again later")
                : make_reply(451, {4, 3, 0}, "Cannot store the message now, try again later"));
    }
    if (taken->refusal) {
        co_return all(*taken->refusal);
    }
    if (login_ && !taken->authors.empty()) {
        std::optional<smtp::Reply> refusal =
            co_await flow::check_ownership(services_, login_->account, std::move(taken->authors));
        if (refusal) {
            co_return all(std::move(*refusal));
        }
    }
    flow::Arrival arrival;
    arrival.mail = *mail_;
    arrival.origin = origin(event->transaction);
    arrival.sender = std::move(event->transaction.sender);
    arrival.parameters = std::move(event->transaction.parameters);
    arrival.parameters.priority = priority_;
    if (arrival.parameters.auth && !is_auth_trusted_) {
        arrival.parameters.auth = "";  // D11: said by somebody who cannot know.
    }
    check(resolved_.size() == total, "one look-up for each accepted recipient");
    for (std::size_t i = 0; i < total; ++i) {
        arrival.recipients.push_back(
            {std::move(event->transaction.recipients[i]), std::move(resolved_[i])});
    }
    arrival.body = std::move(taken->body);
    arrival.parsed = std::move(taken->parsed);
    arrival.has_long_lines = taken->has_long_lines;
    arrival.is_each_answered = event->is_each_answered;
    co_return co_await flow::receive(services_, std::move(arrival));
}

net::Task<Result<>> SmtpSession::on(smtp::event::EndOfMail event) {
    // What was answered before goes out while the commit is under way.
    CO_TRY(co_await flush());
    crash_point<"smtp.mail_ended">();
    std::vector<std::string> named;
    for (const smtp::Recipient& recipient : event.transaction.recipients) {
        named.push_back(recipient.address.to_string());
    }
    std::vector<smtp::Reply> replies = co_await take_mail(&event);
    for (std::size_t i = 0; i < replies.size() && i < named.size(); ++i) {
        note_refusal("message", std::move(named[i]), replies[i]);
    }
    crash_point<"smtp.reply_unwritten">();
    unheard_.reset();
    was_end_ahead_ = false;
    if (std::ranges::any_of(replies, &smtp::Reply::is_positive)) {
        unheard_ = mail_;
    }
    if (event.is_each_answered) {
        engine_->answer_each(std::move(replies));
    } else {
        engine_->answer(flow::summary_reply(replies));
    }
    is_mail_answered_ = true;
    forget_mail();
    forwarded_.reset();
    co_return Result<>();
}

net::Task<Result<>> SmtpSession::on(smtp::event::TransactionDropped) {
    forget_mail();
    forwarded_.reset();
    co_return Result<>();
}

void SmtpSession::forget_mail() {
    resolved_.clear();
    verified_for_ = {};
    mail_.reset();
    intake_.reset();
    body_failure_.reset();
}

}  // namespace godwit::serve
