#include "flow/outbound/remote.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/channel_bindings.h"
#include "flow/read.h"
#include "mail/address/domain.h"
#include "store/kv/record.h"

namespace godwit::flow {

namespace {

namespace ev = smtp::client_event;

constexpr std::uint64_t kBodyStep = 64 * 1024;

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
    return parameters;
}

}  // namespace

net::Task<std::expected<std::unique_ptr<RemoteSession>, smtp::Outcome>> RemoteSession::open(
    const Services* services, HopAddress hop, net::Endpoint at) {
    std::unique_ptr<RemoteSession> session(
        new RemoteSession(services, std::move(hop), std::move(at)));
    std::optional<smtp::Outcome> failure = co_await session->connect(false);
    if (failure && failure->stage == smtp::Stage::Tls &&
        session->hop_.tls == RouteSettings::Tls::Opportunistic) {
        // C11: opportunistic TLS that breaks is done without, on a new connection.
        log::info("outbound.tls_given_up",
                  {{"host", session->hop_.host}, {"reply", smtp::to_string(failure->reply)}});
        probe<"outbound.tls_given_up">();
        failure = co_await session->connect(true);
    }
    if (failure) {
        co_return std::unexpected(std::move(*failure));
    }
    co_return session;
}

net::DialRequest RemoteSession::dial_request() const {
    net::DialRequest request;
    request.host = hop_.host;
    request.port = hop_.port;
    request.endpoints = {at_};
    request.source_v4 = hop_.source_v4;
    request.source_v6 = hop_.source_v6;
    request.deadline = net::Shard::here().now() + limits::smtp_client_connect_timeout;
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
    options.tls = without_tls || hop_.tls == RouteSettings::Tls::Never ? smtp::TlsUse::Never
                  : hop_.tls == RouteSettings::Tls::Required           ? smtp::TlsUse::Required
                                                                       : smtp::TlsUse::IfOffered;
    if (!hop_.username.empty()) {
        options.credentials = sasl::Credentials{};
        options.credentials->name = hop_.username;
        options.credentials->password = hop_.password;
        options.allow_plaintext_auth = stream_->peer().is_loopback();
    }
    options.auth_nonce = hex_encode(services_->random->bytes(16));
    return options;
}

net::Task<std::optional<smtp::Outcome>> RemoteSession::connect(bool without_tls) {
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
    peer_name_ = hop_.host + "[" + dialed->endpoint.to_string() + "]";
    if (hop_.tls == RouteSettings::Tls::Implicit) {
        stream_->set_deadline(net::Shard::here().now() + limits::tls_handshake_timeout);
        net::TlsClientOptions tls{.host = hop_.host, .verify = net::TlsVerify::Name, .alpn = {}};
        const Result<> secured =
            co_await stream_->start_tls_client(services_->tls_client, std::move(tls));
        if (!secured) {
            co_return host_failure(smtp::Stage::Tls, {4, 7, 5},
                                   peer_name_ + ": " + secured.error().text);
        }
    }
    engine_.emplace(client_options(without_tls));
    const ev::Event event = co_await next_event();
    if (std::holds_alternative<ev::Ready>(event)) {
        is_ready_ = true;
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
        if (failed->is_permanent) {
            probe<"outbound.host_says_never">();
        }
    }
    stream_->abort();
    co_return outcome;
}

net::Task<Result<>> RemoteSession::flush() {
    const std::string output = engine_->take_output();
    if (!output.empty()) {
        stream_->set_deadline(net::Shard::here().now() + patience(engine_->waiting_for()));
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
    stream_->set_deadline(net::Shard::here().now() + patience(engine_->waiting_for()));
    std::string buffer(16 * 1024, '\0');
    const Result<std::size_t> got = co_await stream_->read_some(buffer);
    if (got && *got > 0) {
        pass_heard(awaited);
        engine_->feed(std::string_view(buffer).substr(0, *got));
    }
    if (!written) {
        engine_->on_disconnect(written.error().text);
    } else if (!got && got.error().code == ErrorCode::Timeout) {
        engine_->on_timeout();
    } else if (!got || *got == 0) {
        engine_->on_disconnect(got ? "connection closed by the peer" : got.error().text);
    }
}

net::Task<void> RemoteSession::secure() {
    const Result<> written = co_await flush();
    stream_->set_deadline(net::Shard::here().now() + limits::tls_handshake_timeout);
    net::TlsClientOptions options;
    options.host = hop_.host;
    options.verify = hop_.tls == RouteSettings::Tls::Required ? net::TlsVerify::Name
                                                              : net::TlsVerify::Opportunistic;
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

smtp::OutgoingMail RemoteSession::envelope(const RemoteMail& mail) const {
    smtp::OutgoingMail outgoing;
    if (!mail.message.sender.empty()) {
        if (auto sender = mail::parse_address(mail.message.sender, mail::Domainless::Allow);
            sender) {
            outgoing.sender = std::move(*sender);
        }
    }
    for (const store::QueueRecipient& recipient : mail.recipients) {
        if (auto address = mail::parse_address(recipient.address); address) {
            outgoing.recipients.push_back({std::move(*address), parameters_of(recipient)});
        }
    }
    outgoing.size = mail.message.prefix.size() + mail.message.blob_size;
    outgoing.is_eight_bit = mail.message.is_8bit;
    outgoing.needs_smtputf8 = mail.message.needs_smtputf8;
    // RFC 3461 5.2.1 (b): as it was said to us, or not at all.
    outgoing.ret = mail.message.return_headers_only ? smtp::DsnReturn::Headers
                   : mail.message.return_full       ? smtp::DsnReturn::Full
                                                    : smtp::DsnReturn::Unstated;
    if (!mail.message.envelope_id.empty()) {
        outgoing.envid = mail.message.envelope_id;
    }
    return outgoing;
}

// One step of the body; false when it could not be read.
net::Task<bool> RemoteSession::pump_body(const store::QueueMessage* message,
                                         std::uint64_t* offset) {
    const std::uint64_t prefix = message->prefix.size();
    if (*offset < prefix) {
        engine_->supply(message->prefix);
        *offset = prefix;
    } else if (*offset < prefix + message->blob_size) {
        store::BlobStore* blobs = &services_->store->blobs();
        const BlobId blob = message->blob;
        const std::uint64_t at = *offset - prefix;
        Result<std::string> piece = co_await read(
            services_, [blobs, blob, at](const store::Snapshot&, store::ReadTier tier) {
                return blobs->read(blob, at, kBodyStep, tier);
            });
        if (!piece || piece->empty()) {
            log::error(
                "outbound.body_unreadable",
                {{"id", message->mail}, {"error", piece ? "short body" : piece.error().text}});
            if (piece || piece.error().code == ErrorCode::NotFound ||
                store::is_damage(piece.error())) {
                body_damage_ =
                    piece ? internal_error(ErrorCode::Corrupt, "the body is too short").error()
                          : piece.error();
            }
            engine_->abort_body();
            co_return false;
        }
        *offset += piece->size();
        engine_->supply(*piece);
    }
    if (*offset == prefix + message->blob_size) {
        engine_->end_body();
    }
    co_return true;
}

net::Task<std::vector<smtp::Outcome>> RemoteSession::send(RemoteMail mail) {
    is_ready_ = false;
    ++messages_;
    body_damage_.reset();
    engine_->send(envelope(mail));
    std::uint64_t offset = 0;
    std::vector<smtp::Outcome> outcomes;
    for (;;) {
        ev::Event event = co_await next_event();
        if (std::holds_alternative<ev::NeedBody>(event)) {
            const bool is_read = co_await pump_body(&mail.message, &offset);
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
    if (outcomes.size() != mail.recipients.size()) {
        outcomes.resize(mail.recipients.size(), host_failure(smtp::Stage::Mail, {4, 4, 2},
                                                             peer_name_ + ": connection lost"));
    }
    co_return outcomes;
}

bool RemoteSession::peer_has_dsn() const {
    return engine_ && engine_->peer().set.contains(smtp::Extension::Dsn);
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
