// Before the maildrop is open: USER and PASS, AUTH, STLS.
// RFC 1939 4 and 7; RFC 5034; RFC 2595 4. SECURITY.md T11.
#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/encoding.h"
#include "base/result.h"
#include "wire/pop3/server.h"

namespace godwit::pop3 {

namespace {

std::string_view login_text(LoginFailure failure) {
    switch (failure) {
        case LoginFailure::Credentials: return "Name or password is wrong";
        case LoginFailure::Temporary: return "Try again later";
        case LoginFailure::Permanent: return "This account cannot be used";
        case LoginFailure::InUse: return "The maildrop is in use";
        case LoginFailure::TooSoon: return "You were here a moment ago, come back later";
    }
    return "Try again later";
}

}  // namespace

std::optional<ServerEvent> Server::on_apop(std::string_view) {
    // RFC 1939 7 makes it optional; it needs the password in clear on our side.
    error("APOP is not offered");
    return std::nullopt;
}

std::optional<ServerEvent> Server::on_user(std::string_view arguments) {
    if (!options_.passwords_allowed) {
        error("Start TLS first", "AUTH");
        return std::nullopt;
    }
    if (arguments.empty() || !is_utf8(arguments)) {
        // RFC 6856 2.2: names that are not UTF-8 must be refused.
        syntax_error("Expected USER name");
        return std::nullopt;
    }
    user_ = arguments;
    has_user_ = true;
    ok("Now PASS");
    return std::nullopt;
}

std::optional<ServerEvent> Server::on_pass(std::string_view arguments) {
    if (!std::exchange(has_user_, false)) {
        syntax_error("USER comes first");
        return std::nullopt;
    }
    if (arguments.size() > limits::password_size_max || !is_utf8(arguments)) {
        error(login_text(LoginFailure::Credentials), "AUTH");
        return std::nullopt;
    }
    waiting_ = Waiting::Login;
    // RFC 1939 7: spaces are part of the password.
    return PasswordLogin{std::exchange(user_, {}), std::string(arguments)};
}

std::optional<ServerEvent> Server::on_auth(std::string_view arguments) {
    if (arguments.empty() && !options_.sasl_mechanisms.empty()) {
        // The listing form that old clients use to probe.
        ok("Mechanisms follow");
        for (const std::string_view name : split(options_.sasl_mechanisms, ' ')) {
            output_.append(name).append("\r\n");
        }
        output_.append(".\r\n");
        return std::nullopt;
    }
    const std::size_t space = std::min(arguments.find(' '), arguments.size());
    AuthStart start{to_upper(arguments.substr(0, space)), std::nullopt};
    const auto names = split(options_.sasl_mechanisms, ' ');
    if (start.mechanism.empty() || std::ranges::find(names, start.mechanism) == names.end()) {
        error("Mechanism is not offered", options_.passwords_allowed ? "" : "AUTH");
        return std::nullopt;
    }
    if (space < arguments.size()) {
        const std::string_view initial = arguments.substr(space + 1);
        // RFC 5034: "=" is an empty response that is there.
        start.initial = initial == "=" ? std::string() : base64_decode(initial);
        if (!start.initial) {
            syntax_error("Initial response is not base64");
            return std::nullopt;
        }
    }
    waiting_ = Waiting::AuthVerdict;
    return start;
}

void Server::challenge(std::string_view bytes) {
    check(waiting_ == Waiting::AuthVerdict, "challenge() without AUTH");
    output_.append("+ ").append(base64_encode(bytes)).append("\r\n");
    waiting_ = Waiting::AuthLine;
}

std::optional<ServerEvent> Server::run_auth_line(std::string_view line) {
    AuthResponse out;
    if (line != "*") {
        out.bytes = base64_decode(line);
        if (!out.bytes) {
            // Told to the caller as a cancelled exchange: the mechanism's state ends with it.
            ++bad_commands_;
        }
    }
    waiting_ = Waiting::AuthVerdict;
    return out;
}

void Server::granted(Maildrop maildrop) {
    check(waiting_ == Waiting::Login || waiting_ == Waiting::AuthVerdict,
          "granted() without a login");
    waiting_ = Waiting::Nothing;
    state_ = State::Transaction;
    maildrop_ = std::move(maildrop);
    deleted_.assign(maildrop_.size(), false);
    deleted_count_ = 0;
    ok("Maildrop has " + std::to_string(maildrop_.size()) + " messages");
}

void Server::denied(LoginFailure failure) {
    check(waiting_ == Waiting::Login || waiting_ == Waiting::AuthVerdict,
          "denied() without a login");
    waiting_ = Waiting::Nothing;
    error(login_text(failure), code_of(failure));
}

std::optional<ServerEvent> Server::on_stls(std::string_view arguments) {
    if (!arguments.empty()) {
        syntax_error("STLS has no arguments");
        return std::nullopt;
    }
    if (!options_.stls_offered) {
        error("TLS is not to be had here");
        return std::nullopt;
    }
    if (utf8_) {
        error("Not after UTF8");  // RFC 6856 2.1
        return std::nullopt;
    }
    if (pos_ < input_.size()) {
        // T11: what came in clear after STLS must never be taken for something said inside TLS.
        close("Nothing may follow STLS");
        return std::nullopt;
    }
    waiting_ = Waiting::Tls;
    ok("Begin TLS");
    return StartTls{};
}

void Server::tls_started(ServerOptions options) {
    check(waiting_ == Waiting::Tls, "tls_started() without STLS");
    options_ = std::move(options);
    input_.clear();
    pos_ = 0;
    user_.clear();
    has_user_ = false;
    waiting_ = Waiting::Nothing;
}

}  // namespace godwit::pop3
