#include "serve/smtp/session.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/channel_bindings.h"
#include "flow/inbound/intake.h"
#include "flow/inbound/question.h"
#include "flow/inbound/receive.h"
#include "flow/inbound/recipient.h"
#include "flow/inbound/refusal_trail.h"
#include "flow/inbound/sender.h"
#include "flow/inbound/terms.h"
#include "flow/oauth/token_desk.h"
#include "flow/outbound/mail_request.h"
#include "flow/outbound/turned.h"
#include "flow/outbound/verify.h"
#include "flow/policy/networks.h"
#include "flow/policy/relay_domains.h"
#include "flow/policy/sender_domains.h"
#include "flow/roll_call.h"
#include "serve/login/credential_watch.h"
#include "serve/login/login.h"
#include "serve/smtp/stand_in.h"
#include "store/store.h"
#include "wire/smtp/server.h"

namespace godwit::serve {

namespace {

using smtp::make_reply;

// As much as one read takes at once; lives only while there is something to read.
constexpr std::size_t kReadSize = 32 * 1024;

bool is_submission(flow::Protocol protocol) {
    return protocol == flow::Protocol::Submission || protocol == flow::Protocol::Submissions;
}

smtp::Service service_of(flow::Protocol protocol) {
    if (protocol == flow::Protocol::Lmtp) {
        return smtp::Service::Lmtp;
    }
    return is_submission(protocol) ? smtp::Service::Submission : smtp::Service::Mx;
}

// Mail was answered: the reply is with the system.
void pass_answered(flow::Protocol protocol) {
    if (protocol == flow::Protocol::Lmtp) {
        crash_point<"lmtp.answered">();
    } else if (is_submission(protocol)) {
        crash_point<"submission.answered">();
    } else {
        crash_point<"smtp.answered">();
    }
}

class Session {
public:
    explicit Session(Connection connection)
        : services_(connection.services),
          listener_(std::move(connection.listener)),
          tls_(connection.tls),
          permit_(std::move(connection.permit)),
          stream_(std::move(connection.stream)),
          attendance_(services_->roll_call, stream_.get()),
          watch_(services_, stream_.get()) {}

    net::Task<void> run();

private:
    smtp::ServerOptions options() const;
    net::Task<Result<>> converse();
    net::Task<Result<>> end_if_stale();
    net::Task<Result<>> read_more();
    net::Task<Result<>> flush();
    void note_unheard();
    net::Task<Result<>> handle_events();
    net::Task<Result<>> on(smtp::event::MailFrom event);
    net::Task<Result<>> on(smtp::event::RcptTo event);
    net::Task<Result<>> on(smtp::event::DataStart event);
    net::Task<Result<>> on(smtp::event::BodyBytes event);
    net::Task<Result<>> on(smtp::event::EndOfMail event);
    net::Task<Result<>> on(smtp::event::TransactionDropped event);
    net::Task<Result<>> on(smtp::event::StartTls event);
    net::Task<Result<>> on(smtp::event::AuthPassword event);
    net::Task<Result<>> on(smtp::event::AuthScramLookup event);
    net::Task<Result<>> on(smtp::event::AuthCertificate event);
    net::Task<Result<>> on(smtp::event::AuthToken event);
    net::Task<Result<>> on(smtp::event::AuthProved event);
    net::Task<Result<>> on(smtp::event::AuthFailed event);
    net::Task<Result<>> on(smtp::event::Hello event);
    net::Task<Result<>> on(smtp::event::Question event);
    net::Task<Result<>> on(smtp::event::StandIn event);
    net::Task<Result<>> on(smtp::event::Forwarded event);
    net::Task<Result<>> on(smtp::event::Etrn event);
    net::Task<Result<>> on(smtp::event::Turn event);
    net::Task<Result<>> on(smtp::event::Close event);
    net::Task<std::vector<smtp::Reply>> take_mail(smtp::event::EndOfMail* event);
    [[nodiscard]] std::vector<std::string> unwanted_solicitation() const;
    net::Task<bool> vouches_for(std::string author);
    void settle_login(const LoginOutcome& outcome);
    void note_refusal(std::string_view stage, std::string recipient, const smtp::Reply& reply);
    flow::Origin origin(const smtp::Transaction& transaction) const;
    void set_deadline();
    [[nodiscard]] std::chrono::seconds patience() const;
    [[nodiscard]] MonoTime end_of_patience() const;
    void forget_mail();
    /// The client, or whom it stands in for.
    [[nodiscard]] const net::Endpoint& peer() const {
        return stand_in_.peer ? *stand_in_.peer : stream_->peer();
    }
    /// For logs and traces, where a filter's word counts too.
    [[nodiscard]] std::string peer_name() const;
    [[nodiscard]] std::string hello_name() const;
    [[nodiscard]] bool may_ask() const;
    [[nodiscard]] flow::MailAsker asker() const {
        return {.peer = peer(), .account = login_ ? login_->name : ""};
    }
    [[nodiscard]] bool is_local_door() const { return stream_->peer().is_unix(); }
    [[nodiscard]] bool may_relay() const {
        return login_.has_value() || (is_submission(listener_.protocol) && is_local_door());
    }

    flow::Services* services_;
    flow::ListenerSettings listener_;
    const net::TlsServerContext* tls_;
    flow::ConnectionPermit permit_;
    std::unique_ptr<net::Stream> stream_;
    flow::Attendance attendance_;
    CredentialWatch watch_;
    std::optional<smtp::ServerEngine> engine_;
    std::optional<LoggedIn> login_;
    std::optional<CredentialMark>
        scram_mark_;  ///< Of the keys that the open exchange is held with.
    bool is_failure_counted_ =
        false;  ///< By verify_password or admit_proved, for the AuthFailed to come.
    bool is_done_ = false;
    MonoTime replied_at_{};  ///< When the client last heard from us.
    std::uint64_t octets_since_reply_ = 0;
    StandIn stand_in_;                            ///< XCLIENT, until the connection ends.
    std::optional<smtp::ClientFacts> forwarded_;  ///< XFORWARD, until the transaction ends.
    // The open transaction, beside the engine's: what the directory said, and the body so far.
    std::string sender_;  ///< For who looks for what was refused.
    std::vector<store::Recipient> resolved_;
    Duration verified_for_{};       ///< Spent with asking downstream servers.
    std::optional<int> priority_;   ///< What was granted of MT-PRIORITY.
    bool is_auth_trusted_ = false;  ///< AUTH= names an address of whoever is logged in.
    std::optional<MailId> mail_;
    std::optional<flow::Intake> intake_;
    std::optional<smtp::Reply> body_failure_;
    bool is_report_ = false;         ///< MAIL FROM:<>.
    bool is_mail_answered_ = false;  ///< The reply to a message's end waits to be written.
    /// Window W2: mail was taken, and nothing has come from the client since. Its 250 may be lost.
    std::optional<MailId> unheard_;
    bool was_end_ahead_ = false;  ///< Something, maybe its end, had come before the 250 was said.
};

smtp::ServerOptions Session::options() const {
    const flow::SettingsPtr settings = services_->settings();
    smtp::ServerOptions options;
    options.service = service_of(listener_.protocol);
    options.hostname = settings->hostname;
    options.message_size_max = settings->limits.message_size;
    options.recipients_max =
        is_submission(listener_.protocol) || options.service == smtp::Service::Lmtp
            ? settings->limits.recipients_authenticated
            : settings->limits.recipients;
    options.recipients_authenticated_max = settings->limits.recipients_authenticated;
    options.tls_active = stream_->tls() != nullptr;
    options.tls_available = tls_ != nullptr && !options.tls_active && !is_local_door();
    options.takes_early_input = is_local_door();
    if (is_submission(listener_.protocol)) {
        options.own_domain = settings->default_domain;
    }
    if (is_submission(listener_.protocol) && !is_local_door()) {
        options.auth_available = true;
        options.auth_required = true;
        options.allow_plaintext_auth =
            settings->allow_plaintext_login && stream_->peer().is_loopback();
        options.tls_required = tls_ != nullptr && !options.allow_plaintext_auth;
    }
    options.bindings = flow::channel_bindings(stream_->tls());
    options.has_sha1_keys = settings->has_sha1_keys;
    options.takes_tokens = flow::takes_tokens(*settings);
    options.token_refusal = flow::token_refusal(*settings);
    options.nonce_seed = services_->random->bytes(32);
    options.scram_decoy_secret = services_->decoy_secret;
    options.bare_newlines =
        listener_.reject_bare_newline ? smtp::BareNewlines::Reject : smtp::BareNewlines::Repair;
    const flow::TrustSettings& trust = settings->trust;
    options.answers_questions = may_ask();
    options.answers_questions_of_users = trust.answer_users;
    // By the connection itself: whoever stands in for others may do so again.
    options.takes_stand_ins = flow::is_in(trust.xclient, stream_->peer());
    options.takes_forwarded = flow::is_in(trust.xforward, stream_->peer());
    for (const std::string& keyword : unwanted_solicitation()) {
        options.refused_solicitation += (options.refused_solicitation.empty() ? "" : ",") + keyword;
    }
    options.takes_requests =
        options.service != smtp::Service::Lmtp && flow::may_ask_from(*settings, peer());
    options.takes_requests_of_users = options.auth_available && flow::may_users_ask(*settings);
    options.hold_seconds_max = flow::hold_max.count();
    options.hold_until_max = unix_seconds(services_->clock->wall()) + flow::hold_max.count();
    return options;
}

void Session::set_deadline() {
    stream_->set_deadline(stream_->shard().now() + patience());
}

std::chrono::seconds Session::patience() const {
    return engine_->is_receiving_data() ? limits::smtp_data_timeout
                                        : services_->settings()->limits.command_timeout;
}

// I2: octets that drip in do not begin the time anew; the last reply did.
MonoTime Session::end_of_patience() const {
    std::chrono::seconds whole = patience();
    if (engine_->is_receiving_data()) {
        whole += std::chrono::seconds(octets_since_reply_ / smtp_data_rate_min);
    }
    return std::min(stream_->shard().now() + patience(), replied_at_ + whole);
}

net::Task<void> Session::run() {
    if (permit_) {
        const flow::Protocol protocol = listener_.protocol;
        if (protocol == flow::Protocol::Submissions && tls_ != nullptr) {
            stream_->set_deadline(stream_->shard().now() + limits::tls_handshake_timeout);
            const Result<> secured = co_await stream_->start_tls_server(tls_);
            if (!secured) {
                log::info("smtp.tls_failed",
                          {{"peer", peer().to_string()}, {"error", secured.error().text}});
                co_return;
            }
        }
    }
    engine_.emplace(options());
    if (!services_->store->is_sound()) {
        engine_->refuse(
            make_reply(421, {4, 3, 0}, "The server's disk has failed, try again later"));
    } else if (!listener_.takes_mail) {
        engine_->refuse(
            make_reply(521, {5, 3, 2}, services_->settings()->hostname + " does not accept mail"));
    } else if (permit_) {
        // Whoever speaks before the greeting is no mail server (A9, T6).
        const Result<bool> early = stream_->has_input();
        if (early && *early && stream_->tls() == nullptr && !is_local_door()) {
            std::array<char, 512> bytes;
            stream_->set_deadline(stream_->shard().now() + std::chrono::seconds(1));
            const Result<std::size_t> got = co_await stream_->read_some(bytes);
            engine_->feed(got && *got > 0 ? std::string_view(bytes.data(), *got) : " ");
        } else {
            engine_->greet();
        }
    } else {
        engine_->refuse(make_reply(421, {4, 7, 0}, "Too many connections, try again later"));
    }
    replied_at_ = stream_->shard().now();
    const Result<> ended = co_await converse();
    if (!ended && ended.error().code != ErrorCode::Closed) {
        log::debug("smtp.connection_lost",
                   {{"peer", peer().to_string()}, {"error", ended.error().text}});
    }
    if (ended) {
        stream_->set_deadline(stream_->shard().now() + std::chrono::seconds(5));
        co_await stream_->close();
    }
}

net::Task<Result<>> Session::flush() {
    const std::string output = engine_->take_output();
    if (!output.empty()) {
        set_deadline();
        if (unheard_ && is_mail_answered_) {
            was_end_ahead_ = stream_->has_input().value_or(true);
        }
        const Result<> written = co_await stream_->write_all(output);
        replied_at_ = stream_->shard().now();
        octets_since_reply_ = 0;
        if (!written) {
            note_unheard();
            co_return written;
        }
        if (std::exchange(is_mail_answered_, false)) {
            pass_answered(listener_.protocol);
        }
    }
    co_return Result<>();
}

net::Task<Result<>> Session::converse() {
    while (!is_done_) {
        if (attendance_.is_closing()) {
            probe<"smtp.closing">();
            engine_->begin_shutdown();
        }
        CO_TRY(co_await handle_events());
        CO_TRY(co_await end_if_stale());
        CO_TRY(co_await flush());
        if (is_done_) {
            break;
        }
        if (engine_->wants_input()) {
            CO_TRY(co_await read_more());
        }
    }
    co_return Result<>();
}

// T46: at a command boundary, so that mail under way is answered first.
net::Task<Result<>> Session::end_if_stale() {
    if (engine_->is_between_commands() && co_await watch_.is_stale()) {
        login_.reset();
        watch_.end();
        engine_->hang_up(
            make_reply(421, {4, 7, 0}, "Credentials were changed, please log in again"),
            "credentials changed");
        co_return co_await handle_events();
    }
    co_return Result<>();
}

net::Task<Result<>> Session::read_more() {
    stream_->set_deadline(end_of_patience());
    const Result<net::Readiness> ready = co_await stream_->wait_readable();
    if (!ready) {
        if (engine_->is_receiving_data()) {
            probe<"smtp.client_lost_in_body">();
        }
        if (ready.error().code != ErrorCode::Timeout) {
            note_unheard();
        }
        if (ready.error().code == ErrorCode::Timeout) {
            probe<"smtp.client_silent">();
            // The stream is dead by its own rule; the engine drops what is open.
            engine_->on_timeout();
        } else {
            engine_->on_disconnect();
        }
        CO_TRY(co_await handle_events());
        co_return std::unexpected(ready.error());
    }
    if (*ready == net::Readiness::Interrupted) {
        co_return Result<>();
    }
    const auto buffer = std::make_unique_for_overwrite<char[]>(kReadSize);
    const Result<std::size_t> got = co_await stream_->read_some({buffer.get(), kReadSize});
    if (!got || *got == 0) {
        if (!got || was_end_ahead_) {
            note_unheard();
        }
        engine_->on_disconnect();
        CO_TRY(co_await handle_events());
        co_return got ? Result<>(peer_error(ErrorCode::Closed, "the client went away"))
                      : Result<>(std::unexpected(got.error()));
    }
    unheard_.reset();
    octets_since_reply_ += *got;
    engine_->feed(std::string_view(buffer.get(), *got));
    co_return Result<>();
}

// RELIABILITY.md W2: the mail is ours, its sender may not know and send it again. RFC 5321
// 4.2.5 gives the responsibility to us; RFC 1047.
void Session::note_unheard() {
    if (unheard_) {
        log::info("smtp.reply_unheard", {{"id", *unheard_}, {"peer", peer().to_string()}});
        count(Metric::PossibleDuplicates);
        unheard_.reset();
    }
}

net::Task<Result<>> Session::handle_events() {
    for (;;) {
        std::optional<smtp::event::Event> event = engine_->next_event();
        if (!event || is_done_) {
            co_return Result<>();
        }
        // One event at a time, in order; each is finished before the next is asked for.
        Result<> handled;
        switch (event->index()) {
            case 0: handled = co_await on(std::get<0>(std::move(*event))); break;
            case 1: handled = co_await on(std::get<1>(std::move(*event))); break;
            case 2: handled = co_await on(std::get<2>(std::move(*event))); break;
            case 3: handled = co_await on(std::get<3>(std::move(*event))); break;
            case 4: handled = co_await on(std::get<4>(std::move(*event))); break;
            case 5: handled = co_await on(std::get<5>(std::move(*event))); break;
            case 6: handled = co_await on(std::get<6>(std::move(*event))); break;
            case 7: handled = co_await on(std::get<7>(std::move(*event))); break;
            case 8: handled = co_await on(std::get<8>(std::move(*event))); break;
            case 9: handled = co_await on(std::get<9>(std::move(*event))); break;
            case 10: handled = co_await on(std::get<10>(std::move(*event))); break;
            case 11: handled = co_await on(std::get<11>(std::move(*event))); break;
            case 12: handled = co_await on(std::get<12>(std::move(*event))); break;
            case 13: handled = co_await on(std::get<13>(std::move(*event))); break;
            case 14: handled = co_await on(std::get<14>(std::move(*event))); break;
            case 15: handled = co_await on(std::get<15>(std::move(*event))); break;
            case 16: handled = co_await on(std::get<16>(std::move(*event))); break;
            case 17: handled = co_await on(std::get<17>(std::move(*event))); break;
            case 18: handled = co_await on(std::get<18>(std::move(*event))); break;
            default: handled = co_await on(std::get<19>(std::move(*event))); break;
        }
        static_assert(std::variant_size_v<smtp::event::Event> == 20, "each event has its case");
        CO_TRY(std::move(handled));
    }
}

net::Task<Result<>> Session::on(smtp::event::Hello event) {
    log::debug("smtp.hello", {{"peer", peer().to_string()}, {"name", event.name}});
    co_return Result<>();
}

net::Task<Result<>> Session::on(smtp::event::MailFrom event) {
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
std::vector<std::string> Session::unwanted_solicitation() const {
    return is_submission(listener_.protocol) ? std::vector<std::string>()
                                             : services_->settings()->inbound.refused_solicitation;
}

// RFC 4954: AUTH= is believed of those who may write under that address.
net::Task<bool> Session::vouches_for(std::string author) {
    const auto address = mail::parse_address(author);
    if (!login_ || !address) {
        co_return false;
    }
    std::vector<mail::Address> addresses = {*address};
    const std::optional<smtp::Reply> refusal =
        co_await flow::check_ownership(services_, login_->account, std::move(addresses));
    co_return !refusal.has_value();
}

net::Task<Result<>> Session::on(smtp::event::RcptTo event) {
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

void Session::note_refusal(std::string_view stage, std::string recipient,
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

net::Task<Result<>> Session::on(smtp::event::DataStart) {
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

net::Task<Result<>> Session::on(smtp::event::BodyBytes event) {
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

flow::Origin Session::origin(const smtp::Transaction& transaction) const {
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

net::Task<std::vector<smtp::Reply>> Session::take_mail(smtp::event::EndOfMail* event) {
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

net::Task<Result<>> Session::on(smtp::event::EndOfMail event) {
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

net::Task<Result<>> Session::on(smtp::event::TransactionDropped) {
    forget_mail();
    forwarded_.reset();
    co_return Result<>();
}

void Session::forget_mail() {
    resolved_.clear();
    verified_for_ = {};
    mail_.reset();
    intake_.reset();
    body_failure_.reset();
}

net::Task<Result<>> Session::on(smtp::event::StartTls) {
    CO_TRY(co_await flush());
    stream_->set_deadline(stream_->shard().now() + limits::tls_handshake_timeout);
    CO_TRY(co_await stream_->start_tls_server(tls_));
    login_.reset();
    stand_in_.login.reset();
    watch_.end();
    engine_->tls_started(flow::channel_bindings(stream_->tls()));
    co_return Result<>();
}

void Session::settle_login(const LoginOutcome& outcome) {
    login_ = outcome.who;
    if (login_) {
        watch_.begin(*login_);
    }
    is_failure_counted_ = outcome.verdict == sasl::Verdict::Denied;
    engine_->answer_auth(outcome.verdict);
}

net::Task<Result<>> Session::on(smtp::event::AuthPassword event) {
    CO_TRY(co_await flush());
    settle_login(co_await verify_password(services_, std::move(event.authzid),
                                          std::move(event.authcid), std::move(event.password),
                                          peer()));
    co_return Result<>();
}

net::Task<Result<>> Session::on(smtp::event::AuthScramLookup event) {
    Result<ScramLookup> found =
        co_await find_scram_keys(services_, std::move(event.authcid), event.hash, peer());
    scram_mark_ = found ? found->mark : std::nullopt;
    if (found) {
        engine_->answer_scram(std::move(found->keys));
    } else {
        engine_->answer_scram_unavailable();
    }
    co_return Result<>();
}

net::Task<Result<>> Session::on(smtp::event::AuthCertificate event) {
    // A proxy's certificate says nothing of whom it stands in for.
    const net::TlsSession* tls = stand_in_.peer ? nullptr : stream_->tls();
    settle_login(co_await admit_certificate(
        services_, tls != nullptr ? tls->client_addresses() : std::vector<std::string>(),
        std::move(event.authzid), peer()));
    co_return Result<>();
}

net::Task<Result<>> Session::on(smtp::event::AuthToken event) {
    CO_TRY(co_await flush());
    settle_login(
        co_await admit_token(services_, std::move(event.token), std::move(event.authzid), peer()));
    co_return Result<>();
}

net::Task<Result<>> Session::on(smtp::event::AuthProved event) {
    settle_login(co_await admit_proved(services_, std::exchange(scram_mark_, {}),
                                       std::move(event.authzid), std::move(event.authcid), peer()));
    co_return Result<>();
}

net::Task<Result<>> Session::on(smtp::event::AuthFailed event) {
    login_.reset();
    watch_.end();
    // A wrong password was counted where it was verified; a wrong SCRAM proof is known only here
    // (T37).
    if (event.failure == sasl::Failure::Credentials && !std::exchange(is_failure_counted_, false)) {
        note_failure(services_, event.authcid, peer());
    }
    log::info("smtp.auth_failed",
              {{"peer", peer().to_string()}, {"user", event.authcid}, {"reason", event.reason}});
    co_return Result<>();
}

std::string Session::peer_name() const {
    if (forwarded_) {
        return forwarded_peer(*forwarded_);
    }
    return peer().is_unix() ? "local" : peer().to_string();
}

// XFORWARD_README, note 4: what a filter tells of another session and what this one is are not
// mixed.
std::string Session::hello_name() const {
    return forwarded_ ? forwarded_->text(smtp::ClientFact::Hello) : engine_->hello_name();
}

// RFC 5321 7.3: who has an address is told to few.
bool Session::may_ask() const {
    return flow::is_in(services_->settings()->trust.answer, peer()) ||
           (is_submission(listener_.protocol) && is_local_door());
}

net::Task<Result<>> Session::on(smtp::event::Question event) {
    flow::Question question{.text = std::move(event.text),
                            .is_of_list = event.is_of_list,
                            .takes_utf8 = event.takes_utf8,
                            .may_relay = may_relay()};
    engine_->answer(co_await flow::answer_question(services_, std::move(question)));
    co_return Result<>();
}

net::Task<Result<>> Session::on(smtp::event::StandIn event) {
    StandInAnswer answer =
        co_await stand_in(services_, std::move(event.facts), stand_in_, stream_->peer());
    if (answer.refusal) {
        engine_->answer(std::move(*answer.refusal));
        co_return Result<>();
    }
    const net::Endpoint client = answer.client.peer.value_or(stream_->peer());
    if (client.address() != peer().address()) {
        const flow::SettingsPtr settings = services_->settings();
        flow::ConnectionPermit permit = services_->connection_guard->admit(
            client, {.total = settings->limits.connections,
                     .per_address = settings->limits.connections_per_address});
        if (!permit) {
            engine_->answer(make_reply(421, {4, 7, 0}, "Too many connections, try again later"));
            co_return Result<>();
        }
        permit_ = std::move(permit);
    }
    log::info("smtp.xclient", {{"connection", stream_->peer().to_string()},
                               {"peer", client.to_string()},
                               {"name", answer.client.name},
                               {"user", answer.client.login ? answer.client.login->name : ""}});
    stand_in_ = std::move(answer.client);
    forwarded_.reset();
    login_ = stand_in_.login;
    watch_.end();
    std::optional<sasl::Done> identity;
    if (login_) {
        watch_.begin(*login_);
        identity = sasl::Done{.authzid = "", .authcid = login_->name};
    }
    engine_->answer_stand_in(std::move(identity), may_ask());
    co_return Result<>();
}

net::Task<Result<>> Session::on(smtp::event::Forwarded event) {
    if (!forwarded_) {
        forwarded_.emplace();
    }
    forwarded_->update(event.facts);
    co_return Result<>();
}

net::Task<Result<>> Session::on(smtp::event::Etrn event) {
    flow::Etrn etrn{.option = event.option, .node = std::move(event.node)};
    engine_->answer(co_await flow::answer_etrn(services_, std::move(etrn), asker()));
    co_return Result<>();
}

net::Task<Result<>> Session::on(smtp::event::Turn event) {
    flow::MailAsker owner = asker();
    owner.takes_it = true;
    if (login_) {
        owner.id = login_->account;
        owner.auth_epoch = login_->auth_epoch;
    }
    flow::Turn turn =
        co_await flow::prepare_turn(services_, std::move(event.domains), std::move(owner));
    if (turn.refusal) {
        engine_->answer(std::move(*turn.refusal));
        co_return Result<>();
    }
    engine_->answer(make_reply(250, {2, 0, 0}, "OK now reversing the connection"));
    CO_TRY(co_await flush());
    watch_.end();
    stream_ =
        co_await flow::take_turn(services_, std::move(stream_), std::move(turn), &attendance_);
    check(stream_ != nullptr, "a turn gives its stream back");
    co_return Result<>();
}

net::Task<Result<>> Session::on(smtp::event::Close event) {
    forget_mail();
    is_done_ = true;
    log::debug("smtp.closed", {{"peer", peer().to_string()}, {"detail", event.detail}});
    co_return Result<>();
}

}  // namespace

net::Task<void> serve_smtp(Connection connection) {
    Session session(std::move(connection));
    co_await session.run();
}

}  // namespace godwit::serve
