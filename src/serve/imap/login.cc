// Serves STARTTLS, LOGIN and AUTHENTICATE.
// RFC 3501 6.2.1-6.2.3; RFC 4959 (initial response); RFC 4422; RFC 5530 3. T11, T36-T40; Q37.
#include "base/encoding.h"
#include "base/log.h"
#include "flow/oauth/token_desk.h"
#include "serve/imap/conversation.h"
#include "wire/imap/arguments.h"

namespace godwit::serve::imap_desk {

namespace {

Answer plaintext_refused() {
    return no(imap::code::kPrivacyRequired, "Passwords are taken over TLS only");
}

// One login command: carries a SASL exchange between the client and the login desk.
class Authentication {
public:
    Authentication(Conversation* conversation, const sasl::MechanismRow* row)
        : c_(conversation), exchange_(row->mechanism, options()) {}

    AnswerTask run(std::optional<std::string> initial);

private:
    sasl::ExchangeOptions options() const;
    net::Task<Result<bool>> challenge(std::string bytes);
    sasl::Step settle(LoginOutcome outcome);
    Answer fail(const sasl::Failed& failed);

    Conversation* c_;
    sasl::ServerExchange exchange_;
    sasl::Step step_;
    std::optional<CredentialMark> scram_mark_;  // Of the keys that the exchange is held with.
    std::optional<LoggedIn> who_;
    bool is_throttled_ = false;
    bool is_failure_counted_ = false;  // By who looked at the credentials.
};

sasl::ExchangeOptions Authentication::options() const {
    sasl::ExchangeOptions options;
    options.bindings = c_->bindings();
    options.plus_announced = !options.bindings.is_empty();
    options.nonce = base64_encode(c_->services()->random->bytes(24));
    options.decoy_secret = c_->services()->decoy_secret;
    options.token_refusal = flow::token_refusal(*c_->services()->settings());
    return options;
}

AnswerTask finish_login(Conversation* c, LoggedIn who) {
    const Result<> done = co_await c->log_in(std::move(who));
    if (!done) {
        co_return std::unexpected(done.error());
    }
    Answer answer = ok("Logged in");
    answer.code = imap::code::capability(capability_list(*c));
    co_return answer;
}

Answer denied() {
    return no(imap::code::kAuthenticationFailed, "Name or password is wrong");
}

Answer put_off(bool is_throttled) {
    return no(imap::code::kUnavailable, is_throttled
                                            ? "Too many failed logins, try again later"
                                            : "Cannot check the login now, try again later");
}

Answer Authentication::fail(const sasl::Failed& failed) {
    if (failed.failure == sasl::Failure::Credentials && !failed.authcid.empty()) {
        log::info("imap.auth_failed", {{"peer", c_->stream().peer().to_string()},
                                       {"user", failed.authcid},
                                       {"reason", failed.reason}});
    }
    switch (failed.failure) {
        case sasl::Failure::Malformed: return bad("Not what the mechanism expects");
        case sasl::Failure::Cancelled:
            return bad("Authentication was cancelled");  // RFC 3501 6.2.2.
        case sasl::Failure::Temporary: return put_off(is_throttled_);
        case sasl::Failure::Credentials: break;
    }
    return denied();
}

// False when the session must end.
net::Task<Result<bool>> Authentication::challenge(std::string bytes) {
    c_->out().challenge(base64_encode(bytes));
    const std::optional<std::string> line =
        CO_TRY(co_await c_->read_line(limits::imap_preauth_command_size_max));
    if (!line) {
        co_return false;
    }
    if (*line == "*") {
        step_ = exchange_.cancel();
    } else if (const std::optional<std::string> answer = base64_decode(*line)) {
        step_ = exchange_.respond(*answer);
    } else {
        step_ = sasl::Failed{sasl::Failure::Malformed, "", "not base64"};
    }
    co_return true;
}

sasl::Step Authentication::settle(LoginOutcome outcome) {
    who_ = std::move(outcome.who);
    is_throttled_ = outcome.is_throttled;
    is_failure_counted_ = outcome.verdict == sasl::Verdict::Denied;
    return exchange_.finish(outcome.verdict);
}

AnswerTask Authentication::run(std::optional<std::string> initial) {
    step_ = exchange_.start(initial ? std::optional<std::string_view>(*initial) : std::nullopt);
    const net::Endpoint peer = c_->stream().peer();
    for (;;) {
        sasl::Step step = std::move(step_);
        if (auto* next = std::get_if<sasl::Challenge>(&step)) {
            if (!CO_TRY(co_await challenge(std::move(next->bytes)))) {
                co_return Answer{.code = "", .text = "", .is_silent = true};
            }
        } else if (auto* wanted = std::get_if<sasl::NeedPassword>(&step)) {
            LoginOutcome outcome = co_await verify_password(
                c_->services(), std::move(wanted->authzid), std::move(wanted->authcid),
                std::move(wanted->password), peer);
            step_ = settle(std::move(outcome));
        } else if (auto* keys = std::get_if<sasl::NeedScramKeys>(&step)) {
            Result<ScramLookup> found = co_await find_scram_keys(
                c_->services(), std::move(keys->authcid), keys->hash, peer);
            is_throttled_ = !found && found.error().code == ErrorCode::LimitExceeded;
            scram_mark_ = found ? found->mark : std::nullopt;
            step_ = found ? exchange_.keys(std::move(found->keys)) : exchange_.unavailable();
        } else if (auto* certificate = std::get_if<sasl::NeedCertificate>(&step)) {
            const net::TlsSession* tls = c_->stream().tls();
            LoginOutcome outcome = co_await admit_certificate(
                c_->services(),
                tls != nullptr ? tls->client_addresses() : std::vector<std::string>(),
                std::move(certificate->authzid), peer);
            step_ = settle(std::move(outcome));
        } else if (auto* bearer = std::get_if<sasl::NeedToken>(&step)) {
            LoginOutcome outcome = co_await admit_token(c_->services(), std::move(bearer->token),
                                                        std::move(bearer->authzid), peer);
            step_ = settle(std::move(outcome));
        } else if (auto* proved = std::get_if<sasl::Proved>(&step)) {
            LoginOutcome outcome =
                co_await admit_proved(c_->services(), scram_mark_, std::move(proved->authzid),
                                      std::move(proved->authcid), peer);
            step_ = settle(std::move(outcome));
        } else if (const auto* failed = std::get_if<sasl::Failed>(&step)) {
            // A wrong password, and an account that a proof may not be for, were counted where they
            // were looked at; a wrong proof is known only here (T37).
            if (failed->failure == sasl::Failure::Credentials && !is_failure_counted_) {
                note_failure(c_->services(), failed->authcid, peer);
            }
            co_return fail(*failed);
        } else {
            if (!who_) {
                co_return denied();
            }
            co_return co_await finish_login(c_, *std::move(who_));
        }
    }
}

}  // namespace

AnswerTask run_starttls(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    if (const Result<> end = lexer.end(); !end) {
        co_return bad(end.error().text);
    }
    if (!c->may_start_tls()) {
        co_return bad("TLS is not to be had, or on already");
    }
    const Result<bool> more = c->stream().has_input();
    if (c->reader().has_unread() || (more && *more)) {
        // T11: commands behind STARTTLS were put there by somebody in between.
        c->say_bye(imap::code::kClientBug, "Nothing may follow STARTTLS before the handshake");
        co_return bad("Input behind STARTTLS");
    }
    c->out().tagged(command.tag, imap::Condition::Ok, "", "Begin TLS negotiation now");
    CO_TRY(co_await c->flush());
    CO_TRY(co_await c->start_tls());
    co_return Answer{.code = "", .text = "", .is_silent = true};
}

AnswerTask run_login(Conversation* c, imap::Command command) {
    // T36: refused before the arguments are looked at.
    if (!c->may_send_password()) {
        co_return plaintext_refused();
    }
    imap::Lexer lexer(command);
    Result<imap::LoginArguments> arguments = imap::parse_login(lexer);
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    const net::Endpoint peer = c->stream().peer();
    LoginOutcome outcome = co_await verify_password(c->services(), "", std::move(arguments->user),
                                                    std::move(arguments->password), peer);
    if (outcome.verdict == sasl::Verdict::Temporary) {
        co_return put_off(outcome.is_throttled);
    }
    if (outcome.verdict == sasl::Verdict::Denied || !outcome.who) {
        co_return denied();
    }
    co_return co_await finish_login(c, *std::move(outcome.who));
}

AnswerTask run_authenticate(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::AuthenticateArguments> arguments = imap::parse_authenticate(lexer);
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    const sasl::MechanismRow* row = sasl::find_mechanism(arguments->mechanism);
    if (row == nullptr) {
        co_return no(imap::code::kCannot, "Unknown mechanism");
    }
    if (row->reveals_password && !c->may_send_password()) {
        co_return plaintext_refused();
    }
    if (!sasl::is_offered(*row, c->means(), c->bindings())) {
        co_return no(imap::code::kCannot, "The mechanism is not offered here");
    }
    std::optional<std::string> initial;
    if (arguments->initial_response) {
        initial = base64_decode(*arguments->initial_response);
        if (!initial) {
            co_return bad("The initial response is not base64");
        }
    }
    Authentication authentication(c, row);
    co_return co_await authentication.run(std::move(initial));
}

}  // namespace godwit::serve::imap_desk
