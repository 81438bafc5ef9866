#include "flow/outbound/remote.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "base/encoding.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/channel_bindings.h"
#include "flow/outbound/deliver_by.h"
#include "flow/outbound/outbound_tls.h"
#include "flow/read.h"
#include "mail/address/domain.h"
#include "store/kv/record.h"

namespace godwit::flow {

TlsWish tls_wish(const store::QueueMessage& message) {
    if (message.require_tls && !message.sender.empty()) {
        return TlsWish::Required;
    }
    return message.tls_optional ? TlsWish::Optional : TlsWish::Usual;
}

net::Task<void> decide_hop_tls(const Services* services, HopAddress* hop, std::string domain,
                               TlsWish wish) {
    TlsQuestion question;
    hop->domain = domain;
    question.domain = std::move(domain);
    question.host = hop->host;
    question.port = hop->port;
    question.wish = wish;
    if (hop->is_configured) {
        question.route = hop->tls;
    }
    hop->policy = co_await decide_tls(services, std::move(question));
}

AttemptTls wanted_tls(const HopAddress& hop) {
    AttemptTls tls;
    if (hop.policy) {
        tls.policy = to_string(hop.policy->level);
        tls.origin = hop.policy->origin;
    }
    return tls;
}

namespace {

// With what the handshake came to.
AttemptTls found_tls(const HopAddress& hop, const net::TlsSession* session) {
    AttemptTls tls = wanted_tls(hop);
    if (session != nullptr) {
        tls.version = session->version();
        tls.cipher = session->cipher();
        tls.is_verified = session->is_verified();
        tls.error = session->verify_error();
    }
    return tls;
}

namespace ev = smtp::client_event;

std::chrono::seconds patience(smtp::WaitingFor waiting) {
    switch (waiting) {
        case smtp::WaitingFor::Greeting: return limits::smtp_client_greeting_timeout;
        case smtp::WaitingFor::DataInitReply: return limits::smtp_client_data_init_timeout;
        case smtp::WaitingFor::BodyWrite: return limits::smtp_client_data_block_timeout;
        case smtp::WaitingFor::DataDoneReply: return limits::smtp_client_data_done_timeout;
        case smtp::WaitingFor::QuitReply: return limits::smtp_client_quit_timeout;
        case smtp::WaitingFor::CommandReply:
        case smtp::WaitingFor::Nothing: break;
    }
    return limits::smtp_client_command_timeout;
}

// What waits for its reply was said, or the reply has come.
void pass_said(smtp::WaitingFor awaited) {
    switch (awaited) {
        case smtp::WaitingFor::CommandReply: return crash_point<"outbound.command_said">();
        case smtp::WaitingFor::DataInitReply: return crash_point<"outbound.data_said">();
        case smtp::WaitingFor::DataDoneReply: return crash_point<"outbound.dot_said">();
        case smtp::WaitingFor::QuitReply: return crash_point<"outbound.quit_said">();
        case smtp::WaitingFor::Greeting:
        case smtp::WaitingFor::BodyWrite:
        case smtp::WaitingFor::Nothing: return;
    }
}

void pass_heard(smtp::WaitingFor awaited) {
    switch (awaited) {
        case smtp::WaitingFor::Greeting: return crash_point<"outbound.greeting_heard">();
        case smtp::WaitingFor::CommandReply: return crash_point<"outbound.command_answered">();
        case smtp::WaitingFor::DataInitReply: return crash_point<"outbound.data_answered">();
        case smtp::WaitingFor::DataDoneReply: return crash_point<"outbound.dot_answered">();
        case smtp::WaitingFor::QuitReply:
        case smtp::WaitingFor::BodyWrite:
        case smtp::WaitingFor::Nothing: return;
    }
}

smtp::Outcome host_failure(smtp::Stage stage, smtp::EnhancedStatus status, std::string text) {
    smtp::Outcome outcome;
    outcome.kind =
        status.status_class == 5 ? smtp::OutcomeKind::Permanent : smtp::OutcomeKind::Temporary;
    outcome.scope = smtp::FaultScope::Host;
    outcome.stage = stage;
    outcome.reply = smtp::make_reply(status.status_class == 5 ? 550 : 451, status, std::move(text));
    outcome.is_local = true;
    return outcome;
}

smtp::Outcome unread_body() {
    smtp::Outcome outcome;
    outcome.scope = smtp::FaultScope::Message;
    outcome.stage = smtp::Stage::Body;
    outcome.reply = smtp::make_reply(451, {4, 3, 0}, "the stored message could not be read whole");
    outcome.is_local = true;
    return outcome;
}

// "mx.example.com:25".
std::string place_of(const HopAddress& hop) {
    return hop.host + ":" + std::to_string(hop.port);
}

smtp::Outcome refused(const HopAddress& hop) {
    const smtp::Reply& reply = *hop.policy->refusal;
    log::info(
        "outbound.tls_refused",
        {{"host", hop.host}, {"policy", hop.policy->origin}, {"reply", smtp::to_string(reply)}});
    smtp::Outcome outcome = host_failure(
        // The stage whose 5xx is final (C3): what REQUIRETLS forbids is not for a later try.
        reply.is_permanent() ? smtp::Stage::Hello : smtp::Stage::Tls,
        reply.enhanced.value_or(smtp::EnhancedStatus{4, 7, 5}), reply.text);
    return outcome;
}

smtp::TlsUse use_of(TlsPolicy::Level level) {
    switch (level) {
        case TlsPolicy::Level::None: return smtp::TlsUse::Never;
        case TlsPolicy::Level::May: return smtp::TlsUse::IfOffered;
        case TlsPolicy::Level::Encrypt:
        case TlsPolicy::Level::Verify:
        case TlsPolicy::Level::Dane: break;
    }
    return smtp::TlsUse::Required;
}

smtp::RcptParameters parameters_of(const store::QueueRecipient& recipient) {
    smtp::RcptParameters parameters;
    const auto has = [&recipient](store::Notify bit) {
        return (recipient.notify & static_cast<std::uint8_t>(bit)) != 0;
    };
    parameters.notify.is_stated = recipient.notify != 0;
    parameters.notify.success = has(store::Notify::Success);
    parameters.notify.failure = has(store::Notify::Failure);
    parameters.notify.delay = has(store::Notify::Delay);
    const std::size_t separator = recipient.original.find(';');
    if (separator != std::string::npos) {
        parameters.orcpt = smtp::OriginalRecipient{recipient.original.substr(0, separator),
                                                   recipient.original.substr(separator + 1)};
    }
    if (recipient.valid_since) {
        parameters.valid_since =
            smtp::ValidSince{.at = unix_seconds(recipient.valid_since->at),
                             .must_be_checked = recipient.valid_since->must_be_checked};
    }
    return parameters;
}

// A host that must not be used for what its domain publishes.
void account_for_refusal(const Services* services, const HopAddress& hop) {
    if (hop.policy->accounting && hop.policy->accounting->standing) {
        note_tls_session(services, hop.domain, hop.policy->accounting->policy,
                         hop.policy->accounting->standing);
    }
}

std::string address_text(const net::Endpoint& at) {
    return at.address().to_string();
}

// Of a session without TLS, or that ended where TLS was to begin.
mail::TlsFailureDetail failure_of(const std::optional<smtp::Outcome>& failure) {
    mail::TlsFailureDetail detail;
    detail.failure = mail::TlsFailure::StarttlsNotSupported;
    if (!failure || failure->reply.enhanced == smtp::EnhancedStatus{4, 7, 4}) {
        return detail;
    }
    detail.reason = smtp::to_string(failure->reply);
    if (failure->is_local) {
        constexpr std::string_view kCertificate = "certificate verify failed";
        detail.failure = detail.reason.contains(kCertificate)
                             ? failure_of_certificate(detail.reason)
                             : mail::TlsFailure::ValidationFailure;
    }
    return detail;
}

}  // namespace

bool HopAddress::operator==(const HopAddress& other) const {
    const auto all = [](const HopAddress& hop) {
        return std::tie(hop.host, hop.port, hop.is_lmtp, hop.tls, hop.username, hop.password,
                        hop.token_file, hop.source_v4, hop.source_v6, hop.hello, hop.is_configured,
                        hop.policy);
    };
    return all(*this) == all(other);
}

net::Task<std::expected<std::unique_ptr<RemoteSession>, smtp::Outcome>> RemoteSession::open(
    const Services* services, HopAddress hop, net::Endpoint at) {
    if (!hop.policy) {
        hop.policy = policy_of(hop.tls, DaneAnswer{}, TlsQuestion{});
    }
    if (hop.policy->refusal) {
        account_for_refusal(services, hop);
        co_return std::unexpected(refused(hop));
    }
    std::unique_ptr<RemoteSession> session(
        new RemoteSession(services, std::move(hop), std::move(at)));
    const bool may_do_without = session->hop_.policy->level == TlsPolicy::Level::May &&
                                session->hop_.tls != RouteSettings::Tls::Implicit;
    const bool is_broken =
        may_do_without && services->outbound_tls != nullptr &&
        services->outbound_tls->is_broken(place_of(session->hop_), services->clock->wall());
    std::optional<smtp::Outcome> failure = co_await session->connect(is_broken);
    if (!is_broken) {
        session->account(failure);
    }
    if (failure && failure->stage == smtp::Stage::Tls && may_do_without) {
        // C11: opportunistic TLS that breaks is done without, on a new connection.
        log::info("outbound.tls_given_up",
                  {{"host", session->hop_.host}, {"reply", smtp::to_string(failure->reply)}});
        probe<"outbound.tls_given_up">();
        if (services->outbound_tls != nullptr) {
            services->outbound_tls->note_broken(place_of(session->hop_), services->clock->wall());
        }
        failure = co_await session->connect(true);
    }
    if (failure && session->uses_helo_) {
        probe<"outbound.helo_after_hang_up">();
        failure = co_await session->connect(true);
    }
    if (failure) {
        co_return std::unexpected(std::move(*failure));
    }
    co_return session;
}

// RFC 8460, "Result Types". What came to an end before TLS was asked for says nothing of it; what
// the handshake's end was about is told by the reply.
void RemoteSession::account(const std::optional<smtp::Outcome>& failure) const {
    const bool is_about_tls = !failure || failure->stage == smtp::Stage::Tls;
    if (!hop_.policy->accounting || !is_about_tls || stream_ == nullptr) {
        return;
    }
    const TlsAccounting& accounting = *hop_.policy->accounting;
    std::optional<mail::TlsFailureDetail> detail = accounting.standing;
    const bool wants_name = accounting.policy.type == mail::TlsPolicyType::Sts;
    if (failure || tls_.version.empty()) {
        detail = failure_of(failure);
    } else if (!detail && wants_name && !tls_.is_verified) {
        detail.emplace().failure = failure_of_certificate(tls_.error);
        detail->reason = tls_.error;
    }
    if (detail) {
        detail->sending_ip = stream_->local().is_unix() ? "" : address_text(stream_->local());
        detail->receiving_host = hop_.host;
        detail->receiving_helo = engine_ ? engine_->peer().name : "";
        detail->receiving_ip = at_.is_unix() ? "" : address_text(at_);
    }
    note_tls_session(services_, hop_.domain, accounting.policy, std::move(detail));
}

MonoTime RemoteSession::deadline_in(Duration patience) const {
    const MonoTime usual = net::Shard::here().now() + patience;
    return std::min(usual, hop_.give_up_at.value_or(usual));
}

net::DialRequest RemoteSession::dial_request() const {
    net::DialRequest request;
    request.host = hop_.host;
    request.port = hop_.port;
    request.endpoints = {at_};
    request.source_v4 = hop_.source_v4;
    request.source_v6 = hop_.source_v6;
    request.deadline = deadline_in(limits::smtp_client_connect_timeout);
    return request;
}

std::string RemoteSession::hello_name() const {
    return hop_.hello.empty() ? services_->settings()->hostname : hop_.hello;
}

smtp::ClientOptions RemoteSession::client_options(bool without_tls) const {
    smtp::ClientOptions options;
    options.hello_name = hello_name();
    options.is_lmtp = hop_.is_lmtp;
    options.tls_active = stream_->tls() != nullptr;
    options.bindings = channel_bindings(stream_->tls());
    options.tls = without_tls ? smtp::TlsUse::Never : use_of(hop_.policy->level);
    if (!hop_.username.empty()) {
        options.credentials = sasl::Credentials{};
        options.credentials->name = hop_.username;
        options.credentials->password = hop_.password;
        options.credentials->token = token_;
        options.credentials->host = hop_.host;
        options.credentials->port = hop_.port;
        options.allow_plaintext_auth = stream_->peer().is_loopback();
    }
    options.auth_nonce = hex_encode(services_->random->bytes(16));
    if (services_->peer_quirks != nullptr) {
        const PeerManners manners = services_->peer_quirks->of(at_, services_->clock->mono());
        options.may_pipeline = manners.may_pipeline;
        options.is_dot_late = manners.is_behind_fixup && may_say_helo();
    }
    options.use_helo = uses_helo_ || options.is_dot_late;
    return options;
}

// Whoever renews the token writes the file anew: it is read for each session.
net::Task<std::optional<smtp::Outcome>> RemoteSession::fetch_token() {
    if (hop_.token_file.empty()) {
        co_return std::nullopt;
    }
    const auto read_secret = services_->read_secret;
    const std::string path = hop_.token_file;
    Result<std::string> read = temporary_error(ErrorCode::Unsupported, "no files are read here");
    if (read_secret) {
        read = co_await net::offload(services_->offload,
                                     [read_secret, path] { return read_secret(path); });
    }
    constexpr std::string_view kBlank = " \t\r\n";
    token_ = read ? std::move(*read) : "";
    token_.erase(token_.find_last_not_of(kBlank) + 1);
    token_.erase(0, token_.find_first_not_of(kBlank));
    if (token_.empty()) {
        log::error("outbound.no_token",
                   {{"file", path}, {"error", read ? "it is empty" : read.error().text}});
        co_return host_failure(smtp::Stage::Auth, {4, 7, 0},
                               "no access token for " + hop_.host + ": see the server's log");
    }
    co_return std::nullopt;
}

// HELO brings neither TLS nor AUTH: only where neither is needed.
bool RemoteSession::may_say_helo() const {
    return !hop_.is_lmtp && hop_.username.empty() &&
           (hop_.policy->level == TlsPolicy::Level::May ||
            hop_.policy->level == TlsPolicy::Level::None);
}

void RemoteSession::note_quirk(PeerQuirk quirk) {
    if (services_->peer_quirks != nullptr) {
        probe<"outbound.peer_has_quirk">();
        log::info(
            "outbound.peer_quirk",
            {{"host", peer_name_},
             {"quirk", quirk == PeerQuirk::HangsInGroups ? "hangs in groups" : "masked greeting"}});
        services_->peer_quirks->note(at_, quirk, services_->clock->mono());
    }
}

// C18: what breaks behind such a greeting may go with less.
void RemoteSession::heed_masked_greeting(const std::vector<smtp::Outcome>& outcomes) {
    const bool is_broken = std::ranges::any_of(outcomes, [](const smtp::Outcome& outcome) {
        return outcome.is_local && outcome.kind == smtp::OutcomeKind::Temporary;
    });
    if (engine_->is_greeting_masked() && is_broken && may_say_helo()) {
        note_quirk(PeerQuirk::Fixup);
    }
}

net::Task<std::optional<smtp::Outcome>> RemoteSession::connect(bool without_tls) {
    if (auto failure = co_await fetch_token()) {
        co_return failure;
    }
    net::DialRequest request = dial_request();
    crash_point<"outbound.connecting">();
    Result<net::Dialed> dialed =
        co_await net::dial(services_->network, services_->resolver, std::move(request));
    if (!dialed) {
        probe<"outbound.no_connection">();
        co_return host_failure(smtp::Stage::Greeting, {4, 4, 1},
                               hop_.host + ": " + dialed.error().text);
    }
    crash_point<"outbound.connected">();
    opened_at_ = services_->clock->mono();
    stream_ = std::move(dialed->stream);
    is_tls_proven_ = false;
    peer_name_ = hop_.host + "[" + dialed->endpoint.to_string() + "]";
    if (hop_.tls == RouteSettings::Tls::Implicit) {
        stream_->set_deadline(deadline_in(limits::tls_handshake_timeout));
        net::TlsClientOptions tls = tls_options();
        const Result<> secured =
            co_await stream_->start_tls_client(services_->tls_client, std::move(tls));
        if (!secured) {
            co_return host_failure(smtp::Stage::Tls, {4, 7, 5},
                                   peer_name_ + ": " + secured.error().text);
        }
    }
    co_return co_await greet(without_tls);
}

net::Task<std::unique_ptr<RemoteSession>> RemoteSession::turn(const Services* services,
                                                              std::unique_ptr<net::Stream> stream,
                                                              std::string name, Duration time) {
    HopAddress hop;
    hop.host = std::move(name);
    hop.is_configured = true;
    hop.tls = RouteSettings::Tls::Never;
    hop.policy = policy_of(hop.tls, DaneAnswer{}, TlsQuestion{});
    hop.give_up_at = net::Shard::here().now() + time;
    net::Endpoint at = stream->peer();
    std::unique_ptr<RemoteSession> session(
        new RemoteSession(services, std::move(hop), std::move(at)));
    session->opened_at_ = services->clock->mono();
    session->peer_name_ = session->hop_.host + "[" + stream->peer().to_string() + "]";
    session->stream_ = std::move(stream);
    if (const auto failure = co_await session->greet(true)) {
        log::info("outbound.turn_failed",
                  {{"peer", session->peer_name_}, {"reply", smtp::to_string(failure->reply)}});
    }
    co_return session;
}

// On a fresh stream, up to ready.
net::Task<std::optional<smtp::Outcome>> RemoteSession::greet(bool without_tls) {
    smtp::ClientOptions options = client_options(without_tls);
    chose_helo_ = options.use_helo;
    engine_.emplace(std::move(options));
    const ev::Event event = co_await next_event();
    if (std::holds_alternative<ev::Ready>(event)) {
        is_ready_ = true;
        tls_ = found_tls(hop_, stream_->tls());
        const bool is_us = std::ranges::any_of(
            own_names(*services_->settings()),
            [this](const auto& name) { return equals_ignore_case(engine_->peer().name, name); });
        if (!hop_.is_configured && is_us) {
            is_ready_ = false;
            co_return host_failure(smtp::Stage::Hello, {5, 4, 6},
                                   peer_name_ + " says it is us: mail loops back to this server");
        }
        co_return std::nullopt;
    }
    smtp::Outcome outcome =
        host_failure(smtp::Stage::Greeting, {4, 4, 2}, peer_name_ + " closed the connection");
    if (const auto* failed = std::get_if<ev::Failed>(&event)) {
        outcome.stage = failed->stage;
        outcome.reply = failed->reply;
        outcome.is_local = failed->is_local;
        // C5: a server that hangs up on EHLO is asked once more, with HELO.
        uses_helo_ = !uses_helo_ && failed->stage == smtp::Stage::Hello && failed->is_hang_up &&
                     stream_->tls() == nullptr && may_say_helo();
        if (failed->is_permanent) {
            probe<"outbound.host_says_never">();
        }
    }
    co_await part();
    co_return outcome;
}

// From a host that was not let go on: QUIT, where the engine still has it to say (C13, RFC 8689
// 4.2.1).
net::Task<void> RemoteSession::part() {
    const std::string last = engine_->take_output();
    if (last.empty()) {
        stream_->abort();
        co_return;
    }
    stream_->set_deadline(net::Shard::here().now() + limits::smtp_client_quit_timeout);
    if (const Result<> said = co_await stream_->write_all(last); said) {
        co_await stream_->close();
    } else {
        stream_->abort();
    }
}

net::Task<Result<>> RemoteSession::flush() {
    const std::string output = engine_->take_output();
    if (!output.empty()) {
        stream_->set_deadline(deadline_in(patience(engine_->waiting_for())));
        if (in_hand_ != nullptr && engine_->waiting_for() == smtp::WaitingFor::DataDoneReply) {
            in_hand_->set_may_be_sent(true);
        }
        CO_TRY(co_await stream_->write_all(output));
    }
    co_return Result<>();
}

// Writes what is ready, then waits for the peer once.
net::Task<void> RemoteSession::hear() {
    const Result<> written = co_await flush();
    const bool wants_body = engine_->waiting_for() == smtp::WaitingFor::BodyWrite;
    if (engine_->is_closed() || (written && wants_body)) {
        co_return;
    }
    const smtp::WaitingFor awaited = engine_->waiting_for();
    pass_said(awaited);
    // After a write error the peer's last words may still be there (E7).
    stream_->set_deadline(deadline_in(patience(engine_->waiting_for())));
    std::string buffer(16 * 1024, '\0');
    const Result<std::size_t> got = co_await stream_->read_some(buffer);
    if (got && *got > 0) {
        pass_heard(awaited);
        is_tls_proven_ = stream_->tls() != nullptr;
        engine_->feed(std::string_view(buffer).substr(0, *got));
    }
    if (is_late_alert(got)) {
        probe<"outbound.tls_late_alert">();
        engine_->tls_failed(got.error().text);
    } else if (!written) {
        engine_->on_disconnect(written.error().text);
    } else if (!got && got.error().code == ErrorCode::Timeout) {
        engine_->on_timeout();
    } else if (!got || *got == 0) {
        engine_->on_disconnect(got ? "connection closed by the peer" : got.error().text);
    }
}

net::TlsClientOptions RemoteSession::tls_options() const {
    const TlsPolicy& policy = *hop_.policy;
    net::TlsClientOptions options;
    // C15: the name in the MX record, or what the policy says.
    options.host = policy.server_name.empty() ? hop_.host : policy.server_name;
    options.names = policy.names;
    options.tlsa = policy.tlsa;
    options.verify = policy.level == TlsPolicy::Level::Dane     ? net::TlsVerify::Dane
                     : policy.level == TlsPolicy::Level::Verify ? net::TlsVerify::Name
                                                                : net::TlsVerify::Opportunistic;
    // C14: machines behind one name have tickets of their own.
    options.resume_key = stream_->peer().to_string() + "\n" + hello_name() + "\n" + options.host +
                         "\n" + policy.identity();
    return options;
}

// C19: with TLS 1.3 the peer's "no" to the handshake comes after we think it done.
bool RemoteSession::is_late_alert(const Result<std::size_t>& got) const {
    return stream_->tls() != nullptr && !is_tls_proven_ && !got &&
           got.error().kind == ErrorKind::Peer;
}

net::Task<void> RemoteSession::secure() {
    const Result<> written = co_await flush();
    stream_->set_deadline(deadline_in(limits::tls_handshake_timeout));
    net::TlsClientOptions options = tls_options();
    Result<> secured = written;
    if (secured) {
        secured = co_await stream_->start_tls_client(services_->tls_client, std::move(options));
    }
    if (!secured) {
        engine_->tls_failed(secured.error().text);
        co_return;
    }
    engine_->tls_started(channel_bindings(stream_->tls()));
}

net::Task<ev::Event> RemoteSession::next_event() {
    for (;;) {
        std::optional<ev::Event> event = engine_->next_event();
        if (event && std::holds_alternative<ev::StartTls>(*event)) {
            co_await secure();
            continue;
        }
        if (event) {
            co_return std::move(*event);
        }
        if (engine_->is_closed()) {
            co_return ev::Closed{};
        }
        co_await hear();
    }
}

smtp::OutgoingMail RemoteSession::envelope(const RemoteMail& mail,
                                           const std::vector<std::size_t>& batch) const {
    smtp::OutgoingMail outgoing;
    if (!mail.message.sender.empty()) {
        if (auto sender = mail::parse_address(mail.message.sender, mail::Domainless::Allow);
            sender) {
            outgoing.sender = std::move(*sender);
        }
    }
    for (const std::size_t index : batch) {
        const store::QueueRecipient& recipient = mail.recipients[index];
        if (auto address = mail::parse_address(recipient.address); address) {
            outgoing.recipients.push_back({std::move(*address), parameters_of(recipient)});
        }
    }
    outgoing.size = form_.size;
    outgoing.is_eight_bit = form_.is_eight_bit;
    outgoing.needs_smtputf8 = mail.message.needs_smtputf8;
    // RFC 3461 5.2.1 (b): as it was said to us, or not at all.
    outgoing.ret = mail.message.return_headers_only ? smtp::DsnReturn::Headers
                   : mail.message.return_full       ? smtp::DsnReturn::Full
                                                    : smtp::DsnReturn::Unstated;
    if (!mail.message.envelope_id.empty()) {
        outgoing.envid = mail.message.envelope_id;
    }
    outgoing.is_binary = form_.is_binary;
    outgoing.require_tls = mail.message.require_tls;
    outgoing.by = time_left(mail.message, services_->clock->wall());
    outgoing.priority = mail.message.priority;
    outgoing.solicit = mail.message.solicit;
    outgoing.auth = mail.message.auth;
    return outgoing;
}

void RemoteSession::note_damage(MailId mail, const Error& error) {
    log::error("outbound.body_unreadable", {{"id", mail}, {"error", error.text}});
    if (error.code == ErrorCode::NotFound || store::is_damage(error)) {
        body_damage_ = error;
    }
}

// A message on its way: where it is read, and what rewrites it.
struct RemoteSession::Outgoing {
    Outgoing(const Services* services, const store::QueueMessage* queued,
             const mail::ReencodePlan* plan)
        : message(queued), stored(services, queued) {
        if (plan != nullptr) {
            encoder.emplace(plan);
        }
    }
    const store::QueueMessage* message;
    StoredMessage stored;
    std::optional<mail::Reencoder> encoder;
};

// One step of the body; false when it could not be read.
net::Task<bool> RemoteSession::pump_body(Outgoing* outgoing) {
    for (;;) {
        Result<std::string> piece = co_await outgoing->stored.next();
        if (!piece) {
            note_damage(outgoing->message->mail, piece.error());
            engine_->abort_body();
            co_return false;
        }
        const bool is_end = piece->empty();
        std::string bytes;
        if (!outgoing->encoder) {
            bytes = std::move(*piece);
        } else if (is_end) {
            outgoing->encoder->finish(bytes);
        } else {
            outgoing->encoder->feed(*piece, bytes);
        }
        if (!bytes.empty()) {
            engine_->supply(bytes);
        }
        if (is_end) {
            engine_->end_body();
        }
        if (is_end || !bytes.empty()) {
            co_return true;
        }
    }
}

// False when the stored message could not be read.
net::Task<bool> RemoteSession::prepare_body(const store::QueueMessage* message) {
    const smtp::ExtensionSet& offered = engine_->peer().set;
    const HopForm hop{.eight_bit = offered.contains(smtp::Extension::EightBitMime),
                      .binary = offered.contains(smtp::Extension::BinaryMime) &&
                                offered.contains(smtp::Extension::Chunking)};
    Result<BodyForm> form = co_await decide_form(services_, message, hop);
    if (!form) {
        note_damage(message->mail, form.error());
        co_return false;
    }
    form_ = std::move(*form);
    co_return true;
}

// As many of those that are left as the peer takes in one transaction (RFC 9422); at least one.
std::vector<std::size_t> RemoteSession::next_batch(const RemoteMail& mail,
                                                   const std::vector<std::size_t>& open) const {
    const smtp::PeerLimits& peer = engine_->peer().limits;
    std::vector<std::size_t> batch;
    std::vector<std::string> domains;
    for (const std::size_t index : open) {
        if (peer.recipients && batch.size() >= *peer.recipients) {
            break;
        }
        const std::string& address = mail.recipients[index].address;
        std::string domain = to_lower(address.substr(address.rfind('@') + 1));
        if (std::ranges::find(domains, domain) == domains.end()) {
            if (peer.domains && domains.size() >= *peer.domains) {
                continue;
            }
            domains.push_back(std::move(domain));
        }
        batch.push_back(index);
    }
    return batch;
}

net::Task<std::vector<smtp::Outcome>> RemoteSession::send(RemoteMail mail) {
    body_damage_.reset();
    const bool is_read = co_await prepare_body(&mail.message);
    if (!is_read || form_.refusal) {
        // Nothing was said: the session is as good as before.
        co_return std::vector<smtp::Outcome>(mail.recipients.size(),
                                             is_read ? *form_.refusal : unread_body());
    }
    std::vector<std::optional<smtp::Outcome>> outcomes(mail.recipients.size());
    std::vector<std::size_t> open(mail.recipients.size());
    std::iota(open.begin(), open.end(), std::size_t{0});
    const std::uint32_t mails_max = engine_->peer().limits.mails.value_or(UINT32_MAX);
    while (!open.empty() && is_ready_) {
        const std::vector<std::size_t> batch = next_batch(mail, open);
        std::vector<smtp::Outcome> said = co_await transact(&mail, batch);
        std::erase_if(open, [&](std::size_t index) {
            const auto at = std::ranges::find(batch, index);
            if (at == batch.end()) {
                return false;
            }
            smtp::Outcome& outcome = said[static_cast<std::size_t>(at - batch.begin())];
            // B6: those that were only too many go next, in the same session. Each turn settles
            // one at the least: the first that was accepted.
            const bool goes_again = outcome.is_for_number && is_ready_;
            outcomes[index] = std::move(outcome);
            return !goes_again;
        });
        if (messages_ >= mails_max && is_ready_) {
            is_used_up_ = !open.empty();
            co_await close();  // B7: the peer wants no more on this connection.
        }
    }
    std::vector<smtp::Outcome> all;
    for (std::optional<smtp::Outcome>& outcome : outcomes) {
        all.push_back(std::move(outcome).value_or(
            host_failure(smtp::Stage::Mail, {4, 4, 2}, peer_name_ + ": connection lost")));
    }
    co_return all;
}

net::Task<std::vector<smtp::Outcome>> RemoteSession::transact(const RemoteMail* mail,
                                                              std::vector<std::size_t> batch) {
    is_ready_ = false;
    ++messages_;
    in_hand_ = mail->in_hand;
    engine_->send(envelope(*mail, batch));
    Outgoing outgoing(services_, &mail->message, form_.plan.get());
    std::vector<smtp::Outcome> outcomes;
    for (;;) {
        ev::Event event = co_await next_event();
        if (std::holds_alternative<ev::Pause>(event)) {
            if (const Result<> written = co_await flush(); written) {
                co_await net::sleep_for(fixup_pause);
            }
            engine_->resume();
            continue;
        }
        if (std::holds_alternative<ev::NeedBody>(event)) {
            const bool is_read = co_await pump_body(&outgoing);
            const Result<> written = co_await flush();
            crash_point<"outbound.body_piece_said">();
            if (!written && is_read) {
                probe<"outbound.body_cut_short">();
                // The peer's own words, if any, say more than our write error (E7).
                co_await hear();
            }
            continue;
        }
        if (auto* done = std::get_if<ev::TransactionDone>(&event)) {
            outcomes = std::move(done->outcomes);
            if (done->too_many_recipients) {
                probe<"outbound.too_many_recipients">();
            }
            if (engine_->is_closed()) {
                break;
            }
            continue;
        }
        is_ready_ = std::holds_alternative<ev::Ready>(event);
        break;
    }
    in_hand_ = nullptr;
    if (engine_->has_hung_in_group()) {
        note_quirk(PeerQuirk::HangsInGroups);
    }
    heed_masked_greeting(outcomes);
    if (outcomes.size() != batch.size()) {
        outcomes.resize(batch.size(), host_failure(smtp::Stage::Mail, {4, 4, 2},
                                                   peer_name_ + ": connection lost"));
    }
    co_return outcomes;
}

net::Task<smtp::Outcome> RemoteSession::ask(std::string sender, mail::Address recipient) {
    smtp::OutgoingMail question;
    question.is_probe = true;
    if (auto from = mail::parse_address(sender, mail::Domainless::Allow); from) {
        question.sender = std::move(*from);
    }
    question.recipients.push_back({std::move(recipient), {}});
    is_ready_ = false;
    ++messages_;
    engine_->send(std::move(question));
    smtp::Outcome said =
        host_failure(smtp::Stage::Mail, {4, 4, 2}, peer_name_ + ": connection lost");
    for (;;) {
        ev::Event event = co_await next_event();
        auto* done = std::get_if<ev::TransactionDone>(&event);
        if (done == nullptr) {
            is_ready_ = std::holds_alternative<ev::Ready>(event);
            co_return said;
        }
        if (!done->outcomes.empty()) {
            said = std::move(done->outcomes.front());
        }
    }
}

bool RemoteSession::peer_has_dsn() const {
    return engine_ && engine_->peer().set.contains(smtp::Extension::Dsn);
}

bool RemoteSession::peer_keeps_time() const {
    return engine_ && engine_->peer().set.contains(smtp::Extension::DeliverBy);
}

net::Task<void> RemoteSession::close() {
    if (!is_ready_) {
        co_return;
    }
    is_ready_ = false;
    engine_->quit();
    const ev::Event event = co_await next_event();
    static_cast<void>(event);  // 221 or not, it is over (C13).
    stream_->set_deadline(net::Shard::here().now() + limits::smtp_client_quit_timeout);
    co_await stream_->close();
}

}  // namespace godwit::flow
