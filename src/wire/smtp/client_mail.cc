// One transaction of the client: envelope, body, outcomes.
// RFC 5321 4.1.1, 4.5.3.1.10; RFC 2920 3.1; RFC 3030 2; RFC 2033 4.2; RFC 1870 6.2; RFC 3461 5.2.1.
#include "base/ascii.h"
#include "mail/text/timestamp.h"
#include "wire/smtp/client.h"
#include "wire/smtp/command.h"
#include "wire/smtp/unitext.h"

#include <algorithm>

namespace godwit::smtp {

namespace {

constexpr std::string_view kDot = ".\r\n";

/// 4xx, and the 5xx that are ours to repair: 503 is lost step (E11), 552 at RCPT an old 452 (B6).
OutcomeKind kind_of(const Reply& reply, Stage stage) {
    if (reply.is_positive()) {
        return OutcomeKind::Delivered;
    }
    const bool is_soft = reply.code == 503 || (stage == Stage::Rcpt && reply.code == 552);
    return reply.is_permanent() && !is_soft ? OutcomeKind::Permanent : OutcomeKind::Temporary;
}

std::string notify_value(const Notify& notify) {
    std::string value;
    const auto add = [&](bool is_set, std::string_view word) {
        if (is_set) {
            value += value.empty() ? "" : ",";
            value += word;
        }
    };
    add(notify.success, "SUCCESS");
    add(notify.failure, "FAILURE");
    add(notify.delay, "DELAY");
    return value.empty() ? "NEVER" : value;
}

}  // namespace

void ClientEngine::send(OutgoingMail mail) {
    if (state_ == State::Closed) {
        // The connection went between Ready and now: the mail gets its word all the same.
        const Outcome lost{.reply = make_reply(451, {4, 4, 2}, "connection lost"),
                           .is_local = true};
        events_.emplace_front(client_event::TransactionDone{
            .outcomes = std::vector<Outcome>(mail.recipients.size(), lost)});
        return;
    }
    check(state_ == State::Ready && !mail_, "send() before Ready");
    mail_ = std::move(mail);
    outcomes_.assign(mail_->recipients.size(), std::nullopt);
    due_.clear();
    accepted_.clear();
    next_rcpt_ = 0;
    mail_sent_ = mail_refused_ = data_sent_ = false;
    too_many_recipients_ = wants_body_ = any_refused_ = is_block_asked_ = false;
    block_.clear();
    supplied_ = 0;
    is_end_out_ = false;
    is_body_altered_ = false;
    is_counted_ = is_chunking();
    if (mail_->recipients.empty()) {
        finish_transaction(false);
        return;
    }
    if (const auto refusal = local_refusal()) {
        settle_open(*refusal);
        finish_transaction(false);
        return;
    }
    refuse_unchecked_recipients();
    if (std::ranges::all_of(outcomes_, &std::optional<Outcome>::has_value)) {
        finish_transaction(false);
        return;
    }
    is_block_asked_ = asks_for_block();
    state_ = State::Envelope;
    pump_envelope();
}

bool ClientEngine::is_pipelining() const {
    return options_.may_pipeline && peer_.set.contains(Extension::Pipelining);
}
bool ClientEngine::is_chunking() const {
    return options_.may_chunk && peer_.set.contains(Extension::Chunking);
}

bool ClientEngine::needs_smtputf8() const {
    return mail_->needs_smtputf8 || (mail_->sender && mail_->sender->needs_smtputf8()) ||
           std::ranges::any_of(mail_->recipients, [](const OutgoingRecipient& recipient) {
               return recipient.address.needs_smtputf8();
           });
}

/// Why this peer cannot have the message.
std::optional<Outcome> ClientEngine::local_refusal() const {
    const auto refuse = [](FaultScope scope, std::uint16_t code, EnhancedStatus status,
                           std::string text) {
        return Outcome{.kind = OutcomeKind::Permanent,
                       .scope = scope,
                       .stage = Stage::Mail,
                       .reply = make_reply(code, status, std::move(text)),
                       .is_local = true};
    };
    const ExtensionSet& offered = peer_.set;
    // RFC 8689 5: a report goes on without it.
    if (mail_->require_tls && mail_->sender &&
        !(tls_active_ && offered.contains(Extension::RequireTls))) {
        return refuse(FaultScope::Host, 550, {5, 7, 30}, "The next host does not offer REQUIRETLS");
    }
    if (needs_smtputf8() && !offered.contains(Extension::SmtpUtf8)) {
        return refuse(FaultScope::Host, 553, {5, 6, 7},
                      "The next host does not take SMTPUTF8");  // D8
    }
    if (mail_->is_binary && !(is_chunking() && offered.contains(Extension::BinaryMime))) {
        return refuse(FaultScope::Host, 554, {5, 6, 1},
                      "The next host does not take BINARYMIME");  // D10, RFC 3030 3
    }
    const bool must_be_returned = mail_->by && mail_->by->mode == ByTime::Mode::Return;
    if (must_be_returned && !offered.contains(Extension::DeliverBy)) {
        return refuse(FaultScope::Host, 554, {5, 3, 3},
                      "The next host does not offer DELIVERBY");  // RFC 2852
    }
    if (must_be_returned && mail_->by->seconds < std::max<std::int64_t>(peer_.by_time_min, 1)) {
        return refuse(FaultScope::Host, 554, {5, 4, 7},
                      "The next host does not deliver within what is left of the time");
    }
    if (peer_.size_max > 0 && mail_->size > peer_.size_max) {
        return refuse(FaultScope::Message, 552, {5, 3, 4},
                      "Larger than the next host takes");  // B5
    }
    return std::nullopt;
}

// RFC 7293: whose address must not have changed hands goes to no server that cannot tell.
void ClientEngine::refuse_unchecked_recipients() {
    if (peer_.set.contains(Extension::Rrvs)) {
        return;
    }
    for (std::size_t i = 0; i < outcomes_.size(); ++i) {
        const auto& since = mail_->recipients[i].parameters.valid_since;
        if (since && since->must_be_checked) {
            settle(i, {.kind = OutcomeKind::Permanent,
                       .scope = FaultScope::Host,
                       .stage = Stage::Mail,
                       .reply = make_reply(554, {5, 3, 3}, "The next host does not offer RRVS"),
                       .is_local = true});
        }
    }
}

// draft-hall-prdr-00: with one recipient there is nothing to tell apart.
bool ClientEngine::asks_for_block() const {
    return !options_.is_lmtp && !mail_->is_probe && peer_.set.contains(Extension::Prdr) &&
           std::ranges::count_if(outcomes_, [](const auto& known) { return !known; }) > 1;
}

std::string ClientEngine::mail_line() const {
    std::string line = "MAIL FROM:" + write_path(mail_->sender);
    const ExtensionSet& offered = peer_.set;
    if (offered.contains(Extension::Size) && !mail_->is_probe) {
        line += " SIZE=" + std::to_string(mail_->size);
    }
    if (mail_->is_binary) {
        line += " BODY=BINARYMIME";
    } else if (mail_->is_eight_bit && offered.contains(Extension::EightBitMime)) {
        line += " BODY=8BITMIME";
    }
    if (needs_smtputf8()) {
        line += " SMTPUTF8";
    }
    line += extension_words();
    if (offered.contains(Extension::Dsn)) {
        if (mail_->ret != DsnReturn::Unstated) {
            line += mail_->ret == DsnReturn::Full ? " RET=FULL" : " RET=HDRS";
        }
        if (mail_->envid) {
            line += " ENVID=" + xtext_encode(*mail_->envid);
        }
    }
    return line;
}

/// What is only handed on where it is offered.
std::string ClientEngine::extension_words() const {
    std::string words;
    const ExtensionSet& offered = peer_.set;
    if (mail_->require_tls && tls_active_ && offered.contains(Extension::RequireTls)) {
        words += " REQUIRETLS";
    }
    if (mail_->by && offered.contains(Extension::DeliverBy)) {
        words += " BY=" + std::to_string(mail_->by->seconds) +
                 (mail_->by->mode == ByTime::Mode::Return ? ";R" : ";N") +
                 (mail_->by->is_traced ? "T" : "");
    }
    if (mail_->priority && offered.contains(Extension::MtPriority)) {
        words += " MT-PRIORITY=" + std::to_string(*mail_->priority);
    }
    if (!mail_->solicit.empty() && offered.contains(Extension::NoSoliciting)) {
        words += " SOLICIT=" + mail_->solicit;
    }
    if (is_block_asked_) {
        words += " PRDR";
    }
    if (mail_->auth && is_authenticated_) {
        // RFC 4954: to a server that knows us; D11.
        words += " AUTH=" + (mail_->auth->empty() ? "<>" : xtext_encode(*mail_->auth));
    }
    return words;
}

std::string ClientEngine::rcpt_line(const OutgoingRecipient& recipient) const {
    std::string line = "RCPT TO:" + write_path(recipient.address);
    if (const auto& since = recipient.parameters.valid_since;
        since && peer_.set.contains(Extension::Rrvs)) {
        line += " RRVS=" + mail::format_timestamp(since->at) + (since->must_be_checked ? "" : ";C");
    }
    if (!peer_.set.contains(Extension::Dsn)) {
        return line;
    }
    if (recipient.parameters.notify.is_stated) {
        line += " NOTIFY=" + notify_value(recipient.parameters.notify);
    }
    if (const auto& original = recipient.parameters.orcpt) {
        line += " ORCPT=" + original->type + ";" +
                (original->type == "utf-8"
                     ? unitext_encode(original->address, peer_.set.contains(Extension::SmtpUtf8))
                     : xtext_encode(original->address));
    }
    return line;
}

/// Writes as many commands as may be in flight now.
void ClientEngine::pump_envelope() {
    const std::size_t max = is_pipelining() ? limits::smtp_client_group_max : 1;
    if (!mail_sent_) {
        mail_sent_ = true;
        command(mail_line());
        due_.push_back({.kind = Due::Kind::Mail});
    }
    const bool goes_on = !mail_refused_ && !too_many_recipients_;
    while (goes_on && next_rcpt_ < mail_->recipients.size() && due_.size() < max) {
        if (outcomes_[next_rcpt_]) {
            ++next_rcpt_;  // Refused here already.
            continue;
        }
        command(rcpt_line(mail_->recipients[next_rcpt_]));
        due_.push_back({.kind = Due::Kind::Rcpt, .recipient = next_rcpt_++});
    }
    const bool all_sent = next_rcpt_ == mail_->recipients.size() || !goes_on;
    if (!all_sent || data_sent_) {
        return;
    }
    const bool may_send_data =
        due_.empty() ? !accepted_.empty() : is_pipelining() && goes_on && due_.size() < max;
    if (mail_->is_probe) {
        if (due_.empty()) {
            finish_transaction(true);
        }
    } else if (may_send_data && !is_counted_) {
        // E15: DATA ends the group.
        data_sent_ = true;
        command("DATA");
        due_.push_back({.kind = Due::Kind::Data});
    } else if (due_.empty() && !accepted_.empty()) {
        // E1: BDAT only when somebody will take it. One chunk, exactly counted (E19).
        data_sent_ = true;
        command("BDAT " + std::to_string(mail_->size) + " LAST");
        start_body(mail_->is_binary ? ContentSender::Framing::Binary
                                    : ContentSender::Framing::Counted);
    } else if (due_.empty()) {
        finish_transaction(true);
    }
}

void ClientEngine::on_envelope_reply(const Reply& reply) {
    if (due_.empty()) {
        fail_locally(FaultScope::Host, stage(), {4, 5, 0},
                     "a reply to no command: " + to_string(reply));
        return;
    }
    const Due due = due_.front();
    const bool is_expected_3xx = due.kind == Due::Kind::Data;
    if (may_begin_block(due, reply)) {
        // The one reply to the content was the block's heading.
        block_.assign(outcomes_.size(), std::nullopt);
        due_.clear();
        for (const std::size_t recipient : accepted_) {
            due_.push_back({.kind = Due::Kind::Final, .recipient = recipient});
        }
        due_.push_back({.kind = Due::Kind::BlockEnd});
        return;
    }
    if (reply.is_intermediate() != is_expected_3xx &&
        (reply.is_intermediate() || reply.is_positive())) {
        // E11: 3xx where none can be, 2xx to DATA.
        fail_locally(FaultScope::Host, stage(), {4, 5, 0}, "nonsense reply: " + to_string(reply));
        return;
    }
    due_.pop_front();
    switch (due.kind) {
        case Due::Kind::Mail: on_mail_reply(reply); break;
        case Due::Kind::Rcpt: on_rcpt_reply(due.recipient, reply); break;
        case Due::Kind::Data: on_data_reply(reply); return;
        case Due::Kind::EmptyDot:
            finish_transaction(true);  // E1: whatever it says.
            return;
        case Due::Kind::Final: on_final_reply(due, reply); return;
        case Due::Kind::BlockEnd: on_block_end(reply); return;
    }
    pump_envelope();
}

void ClientEngine::on_mail_reply(const Reply& reply) {
    if (reply.is_positive()) {
        return;
    }
    mail_refused_ = true;
    settle_open({.kind = kind_of(reply, Stage::Mail),
                 .scope = FaultScope::Message,
                 .stage = Stage::Mail,
                 .reply = reply});
}

void ClientEngine::on_rcpt_reply(std::size_t recipient, const Reply& reply) {
    if (mail_refused_) {
        return;  // Settled with MAIL; this only keeps step.
    }
    if (reply.is_positive()) {
        accepted_.push_back(recipient);
        if (mail_->is_probe) {
            settle(recipient, {.kind = OutcomeKind::Delivered,
                               .scope = FaultScope::None,
                               .stage = Stage::Rcpt,
                               .reply = reply});
        }
        return;
    }
    const bool is_for_number = !accepted_.empty() && (reply.code == 452 || reply.code == 552);
    const Outcome outcome{.kind = kind_of(reply, Stage::Rcpt),
                          .scope = FaultScope::Recipient,
                          .stage = Stage::Rcpt,
                          .reply = reply,
                          .is_for_number = is_for_number};
    settle(recipient, outcome);
    if (is_for_number) {
        // B6: enough for this transaction. Those not asked yet wait for the next one.
        too_many_recipients_ = true;
        for (std::size_t i = next_rcpt_; i < outcomes_.size(); ++i) {
            settle(i, outcome);
        }
    }
}

void ClientEngine::on_data_reply(const Reply& reply) {
    if (reply.is_intermediate()) {
        if (!accepted_.empty()) {
            start_body(ContentSender::Framing::Dots);
            return;
        }
        // E1: nobody wants it, but the server listens: an empty message, and its reply is ignored.
        output_ += ".\r\n";
        due_.push_back({.kind = Due::Kind::EmptyDot});
        return;
    }
    settle_open({.kind = kind_of(reply, Stage::DataStart),
                 .scope = FaultScope::Message,
                 .stage = Stage::DataStart,
                 .reply = reply});
    finish_transaction(true);
}

void ClientEngine::start_body(ContentSender::Framing framing) {
    content_.emplace(framing);
    wants_body_ = true;
    state_ = State::Body;
}

void ClientEngine::supply(std::string_view bytes) {
    if (state_ == State::Closed) {
        return;
    }
    check(state_ == State::Body, "supply() without NeedBody");
    supplied_ += bytes.size();
    if (supplied_ > mail_->size) {
        abort_body();
        return;
    }
    content_->feed(bytes, output_);
    wants_body_ = true;
}

void ClientEngine::end_body() {
    if (state_ == State::Closed) {
        return;
    }
    check(state_ == State::Body, "end_body() without NeedBody");
    if (supplied_ != mail_->size) {
        abort_body();
        return;
    }
    std::string end;
    content_->finish(end);
    is_body_altered_ = content_->is_altered();
    content_.reset();
    wants_body_ = false;
    if (options_.is_dot_late && !is_counted_) {
        output_.append(end, 0, end.size() - kDot.size());
        state_ = State::DotPause;
        events_.emplace_back(client_event::Pause{});
        return;
    }
    output_ += end;
    await_final_replies();
}

void ClientEngine::resume() {
    if (state_ == State::Closed) {
        return;
    }
    check(state_ == State::DotPause, "resume() without Pause");
    output_ += kDot;
    await_final_replies();
}

void ClientEngine::await_final_replies() {
    state_ = State::BodyReplies;
    // RFC 2033 4.2, 4.3: LMTP answers once for each accepted recipient, in order.
    const std::size_t replies = options_.is_lmtp ? accepted_.size() : 1;
    for (std::size_t i = 0; i < replies; ++i) {
        due_.push_back({.kind = Due::Kind::Final, .recipient = accepted_[i]});
    }
}

void ClientEngine::abort_body() {
    fail_locally(FaultScope::Message, Stage::Body, {4, 3, 0},
                 "the stored message could not be read whole");
}

bool ClientEngine::may_begin_block(const Due& due, const Reply& reply) const {
    return reply.code == 353 && due.kind == Due::Kind::Final && is_block_asked_ && block_.empty();
}

// What was said of each counts once the whole is taken: before that nothing is in anybody's hand.
void ClientEngine::on_block_end(const Reply& reply) {
    const bool is_taken = reply.is_positive();
    for (const std::size_t recipient : accepted_) {
        std::optional<Outcome>& said = block_[recipient];
        if (!is_taken && said && said->kind == OutcomeKind::Delivered) {
            said = Outcome{.kind = kind_of(reply, Stage::DataEnd),
                           .scope = FaultScope::Message,
                           .stage = Stage::DataEnd,
                           .reply = reply};
        }
        settle(recipient, *std::move(said));
    }
    finish_transaction(is_counted_ && any_refused_);
}

void ClientEngine::on_final_reply(Due due, const Reply& reply) {
    Outcome outcome{.kind = kind_of(reply, Stage::DataEnd),
                    .scope = reply.is_positive() ? FaultScope::None : FaultScope::Message,
                    .stage = Stage::DataEnd,
                    .reply = reply};
    any_refused_ = any_refused_ || !reply.is_positive();
    if (options_.is_lmtp || !block_.empty()) {
        outcome.scope = reply.is_positive() ? FaultScope::None : FaultScope::Recipient;
        if (block_.empty()) {
            settle(due.recipient, std::move(outcome));
        } else {
            block_[due.recipient] = std::move(outcome);
        }
    } else {
        for (const std::size_t recipient : accepted_) {
            settle(recipient, outcome);
        }
    }
    if (reply.code == 421) {
        fail(FaultScope::Host, Stage::DataEnd, reply);
        return;
    }
    if (due_.empty()) {
        // RFC 3030 2: after a failed BDAT the state is unknown until RSET.
        finish_transaction(is_counted_ && any_refused_);
    }
}

/// The first word about a recipient stays.
void ClientEngine::settle(std::size_t recipient, Outcome outcome) {
    if (!outcomes_[recipient]) {
        outcomes_[recipient] = std::move(outcome);
    }
}

void ClientEngine::settle_open(const Outcome& outcome) {
    for (std::size_t i = 0; i < outcomes_.size(); ++i) {
        settle(i, outcome);
    }
}

void ClientEngine::report_outcomes() {
    client_event::TransactionDone done{.outcomes = {}, .too_many_recipients = too_many_recipients_};
    for (std::optional<Outcome>& outcome : outcomes_) {
        check(outcome.has_value(), "a recipient was left without an outcome");
        done.outcomes.push_back(*std::move(outcome));
    }
    outcomes_.clear();
    mail_.reset();
    content_.reset();
    due_.clear();
    events_.emplace_back(std::move(done));
}

void ClientEngine::finish_transaction(bool needs_reset) {
    report_outcomes();
    if (!needs_reset) {
        become_ready();
        return;
    }
    state_ = State::Rset;
    command("RSET");
}

}  // namespace godwit::smtp
