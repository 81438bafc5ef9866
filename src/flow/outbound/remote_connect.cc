// The session until it is ready: address, TLS, greeting, login.
#include "flow/outbound/remote.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/channel_bindings.h"
#include "flow/outbound/outbound_tls.h"
#include "mail/address/domain.h"

namespace godwit::flow {

namespace {

namespace ev = smtp::client_event;

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
        session->account(failure);
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
    waits_since_ = net::Shard::here().now();
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

}  // namespace godwit::flow
