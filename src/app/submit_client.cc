// Drives the SMTP client engine over one stream of a shard of its own.
#include "app/submit_client.h"

#include <algorithm>
#include <future>

#include "app/cli.h"
#include "app/file.h"
#include "base/ascii.h"
#include "base/encoding.h"
#include "base/limits.h"
#include "base/random.h"
#include "flow/channel_bindings.h"
#include "mail/message/header.h"
#include "net/dial/dial.h"
#include "net/io/asio_network.h"
#include "net/io/shard_pool.h"
#include "net/resolver/unbound_resolver.h"
#include "net/tls/context.h"

namespace godwit::app {
namespace {

namespace ev = smtp::client_event;
using Outcomes = std::vector<smtp::Outcome>;

constexpr std::size_t kBodyStep = 64 * 1024;

/// What the session runs over; outlives it.
struct Street {
    net::ShardPool pool{1};
    net::AsioNetwork network{&pool};
    std::unique_ptr<net::UnboundResolver> resolver;
    std::unique_ptr<net::TlsClientContext> tls;
};

class Session {
public:
    Session(Street* street, SubmitRequest* request) : street_(street), request_(request) {}

    net::Task<Result<Outcomes>> run() {
        CO_TRY(co_await connect());
        smtp::ClientOptions options;
        options.hello_name = request_->hello_name;
        options.tls =
            request_->tls == SubmitTls::StartTls ? smtp::TlsUse::Required : smtp::TlsUse::Never;
        options.tls_active = request_->tls == SubmitTls::Implicit;
        options.credentials = request_->credentials;
        options.allow_plaintext_auth = stream_->peer().is_loopback();
        options.bindings = flow::channel_bindings(stream_->tls());
        options.auth_nonce = hex_encode(system_random().bytes(16));
        engine_.emplace(std::move(options));
        co_return co_await converse();
    }

private:
    net::Task<Result<>> connect() {
        net::DialRequest dial;
        dial.host = request_->host;
        dial.port = request_->port;
        dial.allow_private = true;
        dial.deadline = net::Shard::here().now() + limits::smtp_client_connect_timeout;
        if (request_->host.starts_with("unix:")) {
            dial.endpoints = {CO_TRY(net::Endpoint::parse(request_->host))};
        } else if (const auto address = net::IpAddress::parse(request_->host)) {
            dial.endpoints = {net::Endpoint(*address, request_->port)};
        } else if (request_->host == "localhost") {
            dial.endpoints = {net::Endpoint(net::IpAddress::loopback_v4(), request_->port)};
        }
        auto dialed =
            co_await net::dial(&street_->network, street_->resolver.get(), std::move(dial));
        if (!dialed) {
            co_return temporary_error(ErrorCode::Closed,
                                      "cannot reach the server: " + std::move(dialed.error().text));
        }
        stream_ = std::move(dialed->stream);
        if (request_->tls == SubmitTls::Implicit) {
            CO_TRY(co_await handshake());
        }
        co_return Result<>();
    }

    net::Task<Result<>> handshake() {
        net::TlsClientOptions options{
            .host = request_->host, .verify = net::TlsVerify::Name, .alpn = {}};
        stream_->set_deadline(net::Shard::here().now() + limits::tls_handshake_timeout);
        co_return co_await stream_->start_tls_client(street_->tls.get(), std::move(options));
    }

    net::Task<Result<>> flush() {
        const std::string output = engine_->take_output();
        if (output.empty()) {
            co_return Result<>();
        }
        stream_->set_deadline(net::Shard::here().now() + limits::smtp_client_data_block_timeout);
        Result<> written = co_await stream_->write_all(output);
        if (!written) {
            engine_->on_write_failed();
        }
        co_return written;
    }

    net::Task<void> hear() {
        const Result<> written = co_await flush();
        if (engine_->is_closed()) {
            co_return;
        }
        const auto patience = engine_->waiting_for() == smtp::WaitingFor::DataDoneReply
                                  ? limits::smtp_client_data_done_timeout
                                  : limits::smtp_client_command_timeout;
        stream_->set_deadline(net::Shard::here().now() + patience);
        std::string buffer(16 * 1024, '\0');
        const Result<std::size_t> got = co_await stream_->read_some(buffer);
        if (got && *got > 0) {
            engine_->feed(std::string_view(buffer).substr(0, *got));
        } else if (!got && got.error().code == ErrorCode::Timeout) {
            engine_->on_timeout();
        } else {
            engine_->on_disconnect(got ? "the server closed the connection" : got.error().text);
        }
        if (!written) {
            engine_->on_disconnect(written.error().text);
        }
    }

    net::Task<void> secure() {
        Result<> done = co_await flush();
        if (done) {
            done = co_await handshake();
        }
        if (done) {
            engine_->tls_started(flow::channel_bindings(stream_->tls()));
        } else {
            engine_->tls_failed(done.error().text);
        }
    }

    void supply() {
        const std::string_view rest = std::string_view(request_->message).substr(offset_);
        const std::string_view piece = rest.substr(0, kBodyStep);
        if (!piece.empty()) {
            engine_->supply(piece);
            offset_ += piece.size();
        }
        if (offset_ == request_->message.size()) {
            engine_->end_body();
        }
    }

    net::Task<void> act(ev::Event event) {
        if (std::holds_alternative<ev::StartTls>(event)) {
            co_await secure();
        } else if (std::holds_alternative<ev::NeedBody>(event)) {
            supply();
            const Result<> written = co_await flush();
            if (!written) {
                co_await hear();
            }
        } else if (std::holds_alternative<ev::Ready>(event)) {
            if (std::exchange(is_sent_, true)) {
                engine_->quit();
            } else {
                engine_->send(request_->mail);
            }
        } else if (auto* done = std::get_if<ev::TransactionDone>(&event)) {
            outcomes_ = std::move(done->outcomes);
        } else if (auto* failed = std::get_if<ev::Failed>(&event)) {
            failure_ = fail(failed->is_permanent ? ErrorKind::Peer : ErrorKind::Temporary,
                            failed->is_permanent ? ErrorCode::Denied : ErrorCode::Unavailable,
                            to_string(failed->reply))
                           .error();
        }
    }

    net::Task<Result<Outcomes>> converse() {
        while (!engine_->is_closed()) {
            std::optional<ev::Event> event = engine_->next_event();
            if (event) {
                co_await act(*std::move(event));
            } else {
                co_await hear();
            }
        }
        // Closed with events left: they tell why.
        while (std::optional<ev::Event> event = engine_->next_event()) {
            if (!std::holds_alternative<ev::StartTls>(*event)) {
                co_await act(*std::move(event));
            }
        }
        const Result<> written = co_await flush();
        static_cast<void>(written);  // QUIT, if anything: it is over.
        if (outcomes_.empty()) {
            co_return std::unexpected(failure_.value_or(
                Error{ErrorKind::Temporary, ErrorCode::Unavailable, "the server went away"}));
        }
        co_return std::move(outcomes_);
    }

    Street* street_;
    SubmitRequest* request_;
    std::unique_ptr<net::Stream> stream_;
    std::optional<smtp::ClientEngine> engine_;
    std::size_t offset_ = 0;
    bool is_sent_ = false;
    Outcomes outcomes_;
    std::optional<Error> failure_;
};

net::Task<void> run_session(Session* session, std::promise<Result<Outcomes>>* promise) {
    auto outcome = co_await session->run();
    promise->set_value(std::move(outcome));
}

}  // namespace

Result<std::vector<smtp::Outcome>> submit(SubmitRequest request) {
    request.mail.size = request.message.size();
    Street street;
    if (request.tls != SubmitTls::None) {
        street.tls = TRY(net::TlsClientContext::create({.ca_file = request.ca_file}));
    }
    const bool is_name = !request.host.starts_with("unix:") && request.host != "localhost" &&
                         !net::IpAddress::parse(request.host);
    if (is_name) {
        street.resolver =
            TRY(net::UnboundResolver::create(&street.pool.shard(0), {.use_resolv_conf = true}));
    }
    std::promise<Result<Outcomes>> promise;
    auto future = promise.get_future();
    Session session(&street, &request);
    net::spawn(street.pool.shard(0), "submit", run_session(&session, &promise));
    street.pool.start();
    auto outcome = future.get();
    street.pool.stop();
    street.pool.join();
    return outcome;
}

void describe_content(SubmitRequest& request) {
    const std::string_view message = request.message;
    request.mail.is_eight_bit = !is_ascii(message);
    bool needs_utf8 = request.mail.sender && request.mail.sender->needs_smtputf8();
    for (const smtp::OutgoingRecipient& recipient : request.mail.recipients) {
        needs_utf8 = needs_utf8 || recipient.address.needs_smtputf8();
    }
    const std::string_view header = message.substr(0, mail::split_header(message).size);
    request.mail.needs_smtputf8 = needs_utf8 || (!is_ascii(header) && is_utf8(header));
}

int report_outcomes(const SubmitRequest& request, const std::vector<smtp::Outcome>& outcomes,
                    std::string& complaints) {
    bool is_temporary = false;
    bool is_refused = false;
    for (std::size_t i = 0; i < outcomes.size() && i < request.mail.recipients.size(); ++i) {
        const smtp::Outcome& outcome = outcomes[i];
        if (outcome.kind == smtp::OutcomeKind::Delivered) {
            continue;
        }
        is_temporary = is_temporary || outcome.kind == smtp::OutcomeKind::Temporary;
        is_refused = is_refused || outcome.kind == smtp::OutcomeKind::Permanent;
        complaints.append(request.mail.recipients[i].address.to_string() + ": " +
                          smtp::to_string(outcome.reply) + "\n");
    }
    return is_refused ? kExitRefused : is_temporary ? kExitTemporary : kExitDone;
}

std::string accepted_reply(const std::vector<smtp::Outcome>& outcomes) {
    for (const smtp::Outcome& outcome : outcomes) {
        if (outcome.kind == smtp::OutcomeKind::Delivered) {
            return smtp::to_string(outcome.reply);
        }
    }
    return {};
}

}  // namespace godwit::app
