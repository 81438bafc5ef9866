#include "serve/pop3/session.h"

#include "base/encoding.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "flow/channel_bindings.h"
#include "flow/oauth/token_desk.h"
#include "flow/policy/login_guard.h"
#include "flow/read.h"
#include "flow/roll_call.h"
#include "flow/sound_body.h"
#include "mail/message/summary.h"
#include "serve/login/credential_watch.h"
#include "serve/login/login.h"
#include "serve/pop3/maildrop.h"
#include "store/store.h"
#include "wire/pop3/server.h"
#include "wire/sasl/server_exchange.h"

namespace godwit::serve {

namespace {

constexpr std::size_t kReadSize = 8 * 1024;
constexpr std::uint64_t kBodyStep = 64 * 1024;
// Without it a connection that never logs in is held by a word every few minutes (T87). As IMAP's.
constexpr std::chrono::seconds kLoginTimeout = limits::imap_preauth_timeout;
constexpr std::chrono::seconds kFarewellTimeout(5);

class Session {
public:
    explicit Session(Connection connection)
        : services_(connection.services),
          protocol_(connection.listener.protocol),
          tls_(connection.tls),
          permit_(std::move(connection.permit)),
          stream_(std::move(connection.stream)),
          login_limit_(stream_->shard().now() + kLoginTimeout),
          attendance_(services_->roll_call, stream_.get()),
          watch_(services_, stream_.get()) {}

    net::Task<void> run();

private:
    pop3::ServerOptions options() const;
    bool passwords_allowed() const;
    sasl::Means means() const;
    net::Task<Result<>> converse();
    net::Task<Result<>> read_more();
    net::Task<Result<>> flush();
    net::Task<Result<>> handle(pop3::ServerEvent event);
    net::Task<void> log_in(LoginOutcome outcome);
    net::Task<void> start_auth(pop3::AuthStart start);
    net::Task<void> follow(sasl::Step step);
    net::Task<Result<>> retrieve(pop3::Retrieve wanted);
    net::Task<Result<>> secure();
    void deny(sasl::Verdict verdict);

    flow::Services* services_;
    flow::Protocol protocol_;
    const net::TlsServerContext* tls_;
    flow::ConnectionPermit permit_;
    std::unique_ptr<net::Stream> stream_;
    MonoTime login_limit_;
    net::Timer alarm_;  ///< Goes off at login_limit_; with a deadline alone nothing could be said.
    flow::Attendance attendance_;
    CredentialWatch watch_;
    std::optional<pop3::Server> engine_;
    std::optional<sasl::ServerExchange> exchange_;
    std::optional<CredentialMark> scram_mark_;  ///< Of the keys that the exchange is held with.
    LoginOutcome proved_;              ///< Between a SCRAM proof and the client's last word.
    bool is_failure_counted_ = false;  ///< Of the exchange, where the token was looked at.
    std::optional<LoggedIn> login_;
    MaildropSnapshot maildrop_;
    std::size_t failures_ = 0;
    bool is_done_ = false;
};

bool Session::passwords_allowed() const {
    return stream_->tls() != nullptr ||
           (services_->settings()->allow_plaintext_login && stream_->peer().is_loopback());
}

sasl::Means Session::means() const {
    return {
        .passwords_allowed = passwords_allowed(),
        .has_sha1_keys = services_->settings()->has_sha1_keys,
        .takes_tokens = stream_->tls() != nullptr && flow::takes_tokens(*services_->settings())};
}

pop3::ServerOptions Session::options() const {
    pop3::ServerOptions options;
    options.stls_offered = tls_ != nullptr && stream_->tls() == nullptr;
    options.passwords_allowed = passwords_allowed();
    options.login_delay_seconds =
        static_cast<std::uint32_t>(services_->settings()->limits.pop3_login_delay.count());
    const sasl::ChannelBindings bindings = flow::channel_bindings(stream_->tls());
    for (const sasl::MechanismRow* row : sasl::offered_mechanisms(means(), bindings)) {
        options.sasl_mechanisms += options.sasl_mechanisms.empty() ? "" : " ";
        options.sasl_mechanisms += row->name;
    }
    return options;
}

net::Task<void> Session::run() {
    if (protocol_ == flow::Protocol::Pop3s && tls_ != nullptr && permit_) {
        stream_->set_deadline(stream_->shard().now() + limits::tls_handshake_timeout);
        if (!co_await stream_->start_tls_server(tls_)) {
            co_return;
        }
    }
    engine_.emplace(options());
    if (!permit_) {
        static_cast<void>(engine_->take_output());
        engine_->close("[SYS/TEMP] Too many connections, try again later");
    }
    const Result<> ended = co_await converse();
    if (ended) {
        stream_->set_deadline(stream_->shard().now() + kFarewellTimeout);
        co_await stream_->close();
    }
}

net::Task<Result<>> Session::flush() {
    const std::string output = engine_->take_output();
    if (!output.empty()) {
        const MonoTime now = stream_->shard().now();
        stream_->set_deadline(login_ ? now + limits::pop3_idle_timeout
                                     : std::max(login_limit_, now + kFarewellTimeout));
        CO_TRY(co_await stream_->write_all(output));
    }
    co_return Result<>();
}

net::Task<Result<>> Session::converse() {
    while (!is_done_) {
        CO_TRY(co_await handle(engine_->next()));
    }
    co_return Result<>();
}

net::Task<Result<>> Session::read_more() {
    if (attendance_.is_closing()) {
        probe<"pop3.closed_at_shutdown">();
        // RFC 1939 6: without QUIT nothing is removed.
        engine_->close("[SYS/TEMP] Server is shutting down");
        co_return Result<>();
    }
    if (co_await watch_.is_stale()) {
        engine_->close("[AUTH] Credentials were changed, please log in again");  // T46, RFC 3206 4.
        co_return Result<>();
    }
    const MonoTime now = stream_->shard().now();
    if (!login_ && now >= login_limit_) {
        engine_->close("No login for too long");
        co_return Result<>();
    }
    // RFC 1939 3: whoever is logged in and silent is cut off without a word.
    stream_->set_deadline(now + limits::pop3_idle_timeout);
    if (!login_) {
        alarm_ = stream_->shard().call_at(login_limit_,
                                          [stream = stream_.get()] { stream->interrupt(); });
    }
    const Result<net::Readiness> ready = co_await stream_->wait_readable();
    alarm_.cancel();
    CO_TRY(Result<net::Readiness>(ready));
    if (*ready == net::Readiness::Interrupted) {
        co_return Result<>();
    }
    if (!login_) {
        stream_->set_deadline(login_limit_);  // Half a TLS record is no input yet.
    }
    std::string buffer(kReadSize, '\0');
    const std::size_t got = CO_TRY(co_await stream_->read_some(buffer));
    if (got == 0) {
        co_return peer_error(ErrorCode::Closed, "the client went away");
    }
    count(Metric::Pop3Commands);
    engine_->feed(std::string_view(buffer).substr(0, got));
    co_return Result<>();
}

net::Task<Result<>> Session::handle(pop3::ServerEvent event) {
    if (std::holds_alternative<pop3::NeedMore>(event)) {
        CO_TRY(co_await flush());
        co_return co_await read_more();
    }
    if (std::holds_alternative<pop3::Drain>(event)) {
        co_return co_await flush();
    }
    if (auto* login = std::get_if<pop3::PasswordLogin>(&event)) {
        CO_TRY(co_await flush());
        co_await log_in(co_await verify_password(services_, "", std::move(login->user),
                                                 std::move(login->password), stream_->peer()));
        co_return Result<>();
    }
    if (auto* start = std::get_if<pop3::AuthStart>(&event)) {
        co_await start_auth(std::move(*start));
        co_return Result<>();
    }
    if (auto* response = std::get_if<pop3::AuthResponse>(&event)) {
        co_await follow(response->bytes ? exchange_->respond(*response->bytes)
                                        : exchange_->cancel());
        co_return Result<>();
    }
    if (std::holds_alternative<pop3::StartTls>(event)) {
        co_return co_await secure();
    }
    if (auto* wanted = std::get_if<pop3::Retrieve>(&event)) {
        co_return co_await retrieve(*wanted);
    }
    if (auto* commit = std::get_if<pop3::Commit>(&event)) {
        engine_->committed(co_await remove_messages(services_, login_->account, &maildrop_,
                                                    std::move(commit->deleted)));
        co_return Result<>();
    }
    is_done_ = true;
    CO_TRY(co_await flush());
    crash_point<"pop3.end_answered">();
    co_return Result<>();
}

net::Task<Result<>> Session::secure() {
    CO_TRY(co_await flush());
    stream_->set_deadline(stream_->shard().now() + limits::tls_handshake_timeout);
    CO_TRY(co_await stream_->start_tls_server(tls_));
    engine_->tls_started(options());
    co_return Result<>();
}

void Session::deny(sasl::Verdict verdict) {
    if (verdict == sasl::Verdict::Temporary) {
        engine_->denied(pop3::LoginFailure::Temporary);
        return;
    }
    engine_->denied(pop3::LoginFailure::Credentials);
    if (++failures_ >= limits::smtp_auth_failures_max) {
        engine_->close("[AUTH] Too many failed logins");
    }
}

net::Task<void> Session::log_in(LoginOutcome outcome) {
    if (outcome.verdict != sasl::Verdict::Granted || !outcome.who) {
        deny(outcome.verdict);
        co_return;
    }
    // Behind the proof, so that it says nothing of who has an account (RFC 2449 8.1.1).
    if (!services_->login_guard->may_open_maildrop(outcome.who->account,
                                                   services_->settings()->limits.pop3_login_delay,
                                                   services_->clock->mono())) {
        log::info("pop3.login_too_soon",
                  {{"user", outcome.who->name}, {"peer", stream_->peer().to_string()}});
        engine_->denied(pop3::LoginFailure::TooSoon);
        co_return;
    }
    Result<MaildropSnapshot> maildrop = co_await take_maildrop(services_, outcome.who->account);
    if (!maildrop) {
        log::error("pop3.maildrop_failed",
                   {{"user", outcome.who->name}, {"error", maildrop.error().text}});
        deny(sasl::Verdict::Temporary);
        co_return;
    }
    login_ = std::move(outcome.who);
    watch_.begin(*login_);
    maildrop_ = std::move(*maildrop);
    engine_->granted(maildrop_.listing);
    log::info("pop3.login", {{"user", login_->name},
                             {"peer", stream_->peer().to_string()},
                             {"messages", static_cast<std::uint64_t>(maildrop_.uids.size())}});
}

net::Task<void> Session::start_auth(pop3::AuthStart start) {
    const sasl::MechanismRow* row = sasl::find_mechanism(start.mechanism);
    sasl::ChannelBindings bindings = flow::channel_bindings(stream_->tls());
    if (row == nullptr || !sasl::is_offered(*row, means(), bindings)) {
        engine_->denied(pop3::LoginFailure::Permanent);
        co_return;
    }
    sasl::ExchangeOptions options;
    options.bindings = std::move(bindings);
    options.plus_announced = !options.bindings.is_empty();
    options.nonce = hex_encode(services_->random->bytes(18));
    options.decoy_secret = services_->decoy_secret;
    options.token_refusal = flow::token_refusal(*services_->settings());
    is_failure_counted_ = false;
    exchange_.emplace(row->mechanism, std::move(options));
    std::optional<std::string_view> initial;
    if (start.initial) {
        initial = *start.initial;
    }
    co_await follow(exchange_->start(initial));
}

net::Task<void> Session::follow(sasl::Step step) {
    for (;;) {
        if (auto* challenge = std::get_if<sasl::Challenge>(&step)) {
            engine_->challenge(challenge->bytes);
            co_return;
        }
        if (auto* password = std::get_if<sasl::NeedPassword>(&step)) {
            co_await log_in(co_await verify_password(
                services_, std::move(password->authzid), std::move(password->authcid),
                std::move(password->password), stream_->peer()));
            co_return;
        }
        if (auto* lookup = std::get_if<sasl::NeedScramKeys>(&step)) {
            Result<ScramLookup> found =
                co_await find_scram_keys(services_, lookup->authcid, lookup->hash, stream_->peer());
            scram_mark_ = found ? found->mark : std::nullopt;
            step = found ? exchange_->keys(std::move(found->keys)) : exchange_->unavailable();
            continue;
        }
        if (auto* certificate = std::get_if<sasl::NeedCertificate>(&step)) {
            const net::TlsSession* tls = stream_->tls();
            co_await log_in(co_await admit_certificate(
                services_, tls != nullptr ? tls->client_addresses() : std::vector<std::string>(),
                std::move(certificate->authzid), stream_->peer()));
            co_return;
        }
        if (auto* bearer = std::get_if<sasl::NeedToken>(&step)) {
            LoginOutcome outcome = co_await admit_token(
                services_, std::move(bearer->token), std::move(bearer->authzid), stream_->peer());
            is_failure_counted_ = outcome.verdict == sasl::Verdict::Denied;
            step = exchange_->finish(outcome.verdict);
            proved_ = std::move(outcome);
            continue;
        }
        if (auto* proved = std::get_if<sasl::Proved>(&step)) {
            LoginOutcome outcome =
                co_await admit_proved(services_, std::exchange(scram_mark_, {}), proved->authzid,
                                      proved->authcid, stream_->peer());
            step = exchange_->finish(outcome.verdict);
            if (std::holds_alternative<sasl::Challenge>(step)) {
                // SCRAM's last word goes out as a challenge that the client answers with nothing.
                proved_ = std::move(outcome);
                continue;
            }
            co_await log_in(std::move(outcome));
            co_return;
        }
        if (std::holds_alternative<sasl::Done>(step)) {
            co_await log_in(std::exchange(proved_, LoginOutcome{}));
            co_return;
        }
        const auto& failed = std::get<sasl::Failed>(step);
        if (failed.failure == sasl::Failure::Credentials && !is_failure_counted_) {
            note_failure(services_, failed.authcid, stream_->peer());
        }
        deny(failed.failure == sasl::Failure::Temporary ? sasl::Verdict::Temporary
                                                        : sasl::Verdict::Denied);
        co_return;
    }
}

net::Task<Result<>> Session::retrieve(pop3::Retrieve wanted) {
    const AccountId account = login_->account;
    const EmailId email = maildrop_.emails.at(wanted.index);
    const Uid uid = maildrop_.uids.at(wanted.index);
    using Found = std::optional<store::MessageRecord>;
    const Result<Found> found = co_await flow::read(
        services_,
        [account, email, uid](const store::Snapshot& snapshot,
                              store::ReadTier tier) -> Result<Found> {
            // The row is what says that it is still there; the record may outlive it for a while.
            const auto rows = TRY(store::read_rows(snapshot, tier, account, store::kInbox, uid, 1));
            if (rows.empty() || rows.front().uid != uid) {
                return std::nullopt;
            }
            return store::read_record(snapshot, tier, account, email);
        });
    if (!found || !*found) {
        probe<"pop3.message_not_given">();
        engine_->refuse(found ? pop3::LoginFailure::Permanent : pop3::LoginFailure::Temporary,
                        found ? "The message is gone" : "The message cannot be read now");
        co_return Result<>();
    }
    const store::MessageRecord record = **found;
    store::BlobStore* blobs = &services_->store->blobs();
    const auto piece_at = [this, blobs, blob = record.blob](std::uint64_t at) {
        return flow::read(services_,
                          [blobs, blob, at](const store::Snapshot&, store::ReadTier tier) {
                              return blobs->read(blob, at, kBodyStep, tier);
                          });
    };
    // All of it before the promise: a damaged body is an answer, not a broken connection.
    Result<std::string> piece = co_await piece_at(0);
    Result<> whole;
    if (piece && piece->size() < record.blob_size) {
        whole = co_await flow::check_body(services_, record.blob, piece->size(),
                                          record.blob_size - piece->size());
    }
    if (!piece || !whole || (piece->empty() && record.blob_size != 0)) {
        log::error("pop3.body_unreadable", {{"account", account.value()},
                                            {"uid", uid.value()},
                                            {"error", !piece   ? piece.error().text
                                                      : !whole ? whole.error().text
                                                               : "short body"}});
        engine_->refuse(pop3::LoginFailure::Temporary, "The message is damaged");
        co_return Result<>();
    }
    const Result<mail::MessageSummary> summary = mail::MessageSummary::decode(record.summary);
    const std::uint64_t header_size =
        record.prefix.size() + (summary ? summary->header_size : record.blob_size);
    engine_->begin_message(record.prefix.size() + record.blob_size, header_size);
    bool wants_more = engine_->add_message(record.prefix);
    for (std::uint64_t at = 0; wants_more && at < record.blob_size;) {
        if (at != 0) {
            piece = co_await piece_at(at);
        }
        if (!piece) {
            flow::forget_sound_body(record.blob);
        }
        const std::string octets = CO_TRY(std::move(piece));
        if (octets.empty()) {
            // Half a message must not look whole: the connection ends without the final dot.
            co_return internal_error(ErrorCode::Corrupt, "a body is shorter than its record says");
        }
        at += octets.size();
        wants_more = engine_->add_message(octets);
        if (engine_->output_size() >= limits::stream_write_buffer_max) {
            CO_TRY(co_await flush());
        }
    }
    engine_->end_message();
    crash_point<"pop3.message_given">();
    co_return Result<>();
}

}  // namespace

net::Task<void> serve_pop3(Connection connection) {
    Session session(std::move(connection));
    co_await session.run();
}

}  // namespace godwit::serve
