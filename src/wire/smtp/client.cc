// The client's session: greeting, EHLO, TLS, AUTH, and every way to end.
// RFC 5321 3.1, 3.2, 4.1.1.1, 4.2; RFC 3207 4; RFC 4954. SMTP-BEHAVIOUR C, E8, E11; T12.
#include "wire/smtp/client.h"

#include "base/ascii.h"
#include "base/encoding.h"

namespace godwit::smtp {

ClientEngine::ClientEngine(ClientOptions options) : options_(std::move(options)) {
    tls_active_ = options_.tls_active;
    used_helo_ = options_.use_helo && !options_.is_lmtp;
}

void ClientEngine::feed(std::string_view bytes) {
    while (!bytes.empty() && state_ != State::Closed) {
        if (state_ == State::TlsHandshake) {
            // T12: what came in clear behind the 220 was not said by the peer we are about to meet.
            fail_locally(FaultScope::Host, Stage::Tls, {4, 7, 5},
                         "bytes behind the reply to STARTTLS");
            return;
        }
        const ReplyParser::Progress progress = parser_.feed(bytes);
        bytes.remove_prefix(progress.consumed);
        if (progress.status == ReplyParser::Status::Failed) {
            fail_locally(FaultScope::Host, stage(), {4, 5, 0},
                         "protocol error: " + parser_.failure());
            return;
        }
        if (progress.status == ReplyParser::Status::Complete) {
            ++replies_;
            on_reply(parser_.take());
        }
    }
}

std::optional<client_event::Event> ClientEngine::next_event() {
    if (!events_.empty()) {
        std::optional<client_event::Event> next(std::move(events_.front()));
        events_.pop_front();
        return next;
    }
    if (state_ == State::Body && wants_body_ && output_.size() < limits::stream_write_buffer_max) {
        wants_body_ = false;
        return client_event::NeedBody{};
    }
    return std::nullopt;
}

std::string ClientEngine::take_output() {
    is_end_out_ = is_end_out_ || is_message_complete();
    return std::exchange(output_, std::string());
}

bool ClientEngine::is_message_complete() const {
    // E4, E19: after BDAT it is the last counted octet that ends it, before end_body() says so.
    const bool is_all_counted =
        state_ == State::Body && is_counted_ && mail_ && supplied_ == mail_->size;
    return (state_ == State::BodyReplies && !accepted_.empty()) || is_all_counted;
}

WaitingFor ClientEngine::waiting_for() const {
    switch (state_) {
        case State::Greeting: return WaitingFor::Greeting;
        case State::Hello:
        case State::StartTlsReply:
        case State::Auth:
        case State::Rset: return WaitingFor::CommandReply;
        case State::Envelope:
            return !due_.empty() && due_.front().kind == Due::Kind::Data ? WaitingFor::DataInitReply
                                                                         : WaitingFor::CommandReply;
        case State::Body:
        case State::DotPause: return WaitingFor::BodyWrite;
        case State::BodyReplies: return WaitingFor::DataDoneReply;
        case State::Quit: return WaitingFor::QuitReply;
        case State::TlsHandshake:
        case State::Ready:
        case State::Closed: break;
    }
    return WaitingFor::Nothing;
}

Stage ClientEngine::stage() const {
    switch (state_) {
        case State::Greeting: return Stage::Greeting;
        case State::Hello: return Stage::Hello;
        case State::StartTlsReply:
        case State::TlsHandshake: return Stage::Tls;
        case State::Auth: return Stage::Auth;
        case State::Envelope:
            if (due_.empty() || due_.front().kind == Due::Kind::Mail) {
                return Stage::Mail;
            }
            return due_.front().kind == Due::Kind::Rcpt ? Stage::Rcpt : Stage::DataStart;
        case State::Body:
        case State::DotPause:
        case State::BodyReplies: return is_end_out_ ? Stage::DataEnd : Stage::Body;
        case State::Quit: return Stage::Quit;
        case State::Ready:
        case State::Rset:
        case State::Closed: break;
    }
    return Stage::Idle;
}

void ClientEngine::command(std::string_view line) {
    // Nothing that goes on a command line may bring its own line end: addresses and parameters are
    // valid values, but this is the last gate.
    for (const char c : line) {
        output_ += is_ctl(c) ? ' ' : c;
    }
    output_ += "\r\n";
}

void ClientEngine::on_reply(const Reply& reply) {
    const bool is_final =
        state_ == State::BodyReplies && !due_.empty() && due_.front().kind == Due::Kind::Final;
    if (reply.code == 421 && state_ != State::Quit && !is_final) {
        // E8: the end of the session, whatever was asked.
        fail(state_ == State::Envelope || state_ == State::Body ? FaultScope::Message
                                                                : FaultScope::Host,
             stage(), reply);
        return;
    }
    switch (state_) {
        case State::Greeting: on_greeting(reply); return;
        case State::Hello: on_hello(reply); return;
        case State::StartTlsReply: on_starttls(reply); return;
        case State::Auth: on_auth(reply); return;
        case State::Envelope:
        case State::BodyReplies: on_envelope_reply(reply); return;
        case State::Rset:
            if (reply.is_positive()) {
                become_ready();
            } else {
                fail(FaultScope::Host, Stage::Idle, reply);  // D15: reconnect instead.
            }
            return;
        case State::Quit:
            state_ = State::Closed;
            events_.emplace_back(client_event::Closed{});
            return;
        case State::Body:
        case State::DotPause:
            // E7: the peer has seen enough. Nothing but hanging up can stop a body; a dot would
            // make a whole message of half of one.
            if (reply.is_temporary() || reply.is_permanent()) {
                fail(FaultScope::Message, Stage::Body, reply);
                return;
            }
            break;
        case State::Ready:
        case State::TlsHandshake:
        case State::Closed: break;
    }
    fail_locally(FaultScope::Host, stage(), {4, 5, 0},
                 "a reply to no command: " + to_string(reply));
}

void ClientEngine::on_greeting(const Reply& reply) {
    if (reply.code != 220) {
        fail(FaultScope::Host, Stage::Greeting, reply);  // C3, C4
        return;
    }
    is_greeting_masked_ = !reply.text.empty() && std::ranges::all_of(reply.text, [](char c) {
        return c == '*' || c == '0' || c == '2' || c == ' ';
    });
    say_hello();
}

void ClientEngine::say_hello() {
    state_ = State::Hello;
    peer_ = {};  // C9: forgotten, not cached.
    const std::string_view verb = options_.is_lmtp ? "LHLO " : (used_helo_ ? "HELO " : "EHLO ");
    command(std::string(verb) + options_.hello_name);
}

void ClientEngine::on_hello(const Reply& reply) {
    if (reply.is_permanent() && !used_helo_ && !options_.is_lmtp) {
        used_helo_ = true;  // C5
        say_hello();
        return;
    }
    if (!reply.is_positive()) {
        fail(FaultScope::Host, Stage::Hello, reply);
        return;
    }
    peer_ = parse_ehlo_reply(reply);
    if (used_helo_) {
        peer_.set = {};
        peer_.auth_mechanisms.clear();
        peer_.size_max = 0;
    }
    after_hello();
}

void ClientEngine::after_hello() {
    if (!tls_active_ && options_.tls != TlsUse::Never && !tls_refused_) {
        if (peer_.set.contains(Extension::StartTls)) {
            state_ = State::StartTlsReply;
            command("STARTTLS");
            return;
        }
        if (options_.tls == TlsUse::Required) {
            fail_locally(FaultScope::Host, Stage::Tls, {4, 7, 4},
                         "STARTTLS is required but not offered");  // C12
            return;
        }
    }
    if (options_.credentials && !is_authenticated_) {
        begin_auth();
        return;
    }
    become_ready();
}

void ClientEngine::on_starttls(const Reply& reply) {
    if (reply.code == 220) {
        state_ = State::TlsHandshake;
        events_.emplace_back(client_event::StartTls{});
        return;
    }
    if (options_.tls == TlsUse::Required) {
        fail(FaultScope::Host, Stage::Tls, reply);
        return;
    }
    tls_refused_ = true;  // RFC 3207 4: the session may go on without.
    after_hello();
}

void ClientEngine::tls_started(sasl::ChannelBindings bindings) {
    if (state_ == State::Closed) {
        return;
    }
    check(state_ == State::TlsHandshake, "tls_started() without StartTls");
    tls_active_ = true;
    options_.bindings = std::move(bindings);
    parser_ = {};
    used_helo_ = false;
    say_hello();
}

void ClientEngine::tls_failed(std::string why) {
    end_session({.scope = FaultScope::Host,
                 .stage = Stage::Tls,
                 .is_permanent = false,
                 .reply = make_reply(454, {4, 7, 5}, "TLS handshake failed: " + std::move(why)),
                 .is_local = true},
                false);
}

void ClientEngine::begin_auth() {
    const bool may_reveal = tls_active_ || options_.allow_plaintext_auth;
    const auto mechanism =
        peer_.set.contains(Extension::Auth)
            ? sasl::choose_mechanism(peer_.auth_mechanisms, may_reveal, options_.bindings,
                                     !options_.credentials->token.empty())
            : std::nullopt;
    if (!mechanism) {
        fail_locally(FaultScope::Host, Stage::Auth, {4, 7, 4},
                     "no usable AUTH mechanism is offered");
        return;
    }
    // RFC 5802 6: "y" says that the server offers no -PLUS; where it does, it would have been
    // taken.
    exchange_.emplace(sasl::ClientExchange::Options{.mechanism = *mechanism,
                                                    .credentials = *options_.credentials,
                                                    .bindings = options_.bindings,
                                                    .nonce = options_.auth_nonce});
    std::string line = "AUTH " + std::string(sasl::row_of(*mechanism).name);
    if (const auto initial = exchange_->initial()) {
        line += ' ' + (initial->empty() ? "=" : base64_encode(*initial));
    }
    state_ = State::Auth;
    command(line);
}

void ClientEngine::on_auth(const Reply& reply) {
    if (reply.code == 334) {
        const auto challenge = base64_decode(trim(reply.text));
        auto response =
            challenge
                ? exchange_->respond(*challenge)
                : Result<std::string>(peer_error(ErrorCode::Invalid, "challenge is not base64"));
        if (!response) {
            fail_locally(FaultScope::Host, Stage::Auth, {4, 7, 0}, response.error().text);
            return;
        }
        command(base64_encode(*response));
        return;
    }
    if (reply.is_positive() && !exchange_->may_succeed()) {
        fail_locally(FaultScope::Host, Stage::Auth, {4, 7, 0},
                     "the server did not prove that it knows the password");
        return;
    }
    if (!reply.is_positive()) {
        fail(FaultScope::Host, Stage::Auth, reply);
        return;
    }
    is_authenticated_ = true;
    exchange_.reset();
    become_ready();
}

void ClientEngine::become_ready() {
    state_ = State::Ready;
    events_.emplace_back(client_event::Ready{});
}

void ClientEngine::quit() {
    if (state_ == State::Closed || state_ == State::Quit) {
        return;
    }
    check(!mail_, "quit() during a transaction");
    events_.clear();
    state_ = State::Quit;
    command("QUIT");
}

void ClientEngine::fail(FaultScope scope, Stage stage, const Reply& reply) {
    end_session({.scope = scope,
                 .stage = stage,
                 .is_permanent = reply.is_permanent(),
                 .reply = reply,
                 .is_local = false},
                reply.code != 421 && state_ != State::Body && state_ != State::DotPause);
}

void ClientEngine::fail_locally(FaultScope scope, Stage stage, EnhancedStatus status,
                                std::string text) {
    const bool says_quit = stage == Stage::Auth || (stage == Stage::Tls && state_ == State::Hello);
    end_session({.scope = scope,
                 .stage = stage,
                 .is_permanent = false,
                 .reply = make_reply(451, status, std::move(text)),
                 .is_local = true},
                says_quit);
}

void ClientEngine::end_session(client_event::Failed failed, bool says_quit) {
    if (state_ == State::Closed) {
        return;
    }
    if (mail_) {
        const OutcomeKind kind =
            failed.is_permanent ? OutcomeKind::Permanent : OutcomeKind::Temporary;
        settle_open({.kind = kind,
                     .scope = failed.scope,
                     .stage = failed.stage,
                     .reply = failed.reply,
                     .is_local = failed.is_local,
                     .is_ambiguous = is_end_out_ && failed.is_local && !accepted_.empty()});
        report_outcomes();
    }
    if (state_ == State::Body || state_ == State::DotPause) {
        output_.clear();  // No octet more: the end must not look like one.
    }
    if (says_quit) {
        command("QUIT");
    }
    exchange_.reset();
    state_ = State::Closed;
    // Questions that nobody has seen yet are withdrawn: their answers would come too late.
    std::erase_if(events_, [](const client_event::Event& event) {
        return std::holds_alternative<client_event::Ready>(event) ||
               std::holds_alternative<client_event::StartTls>(event);
    });
    events_.emplace_back(std::move(failed));
    events_.emplace_back(client_event::Closed{});
}

void ClientEngine::on_timeout() {
    if (state_ == State::Quit) {
        on_disconnect("");
        return;
    }
    const Stage at = stage();
    has_hung_in_group_ = state_ == State::Envelope && is_pipelining();
    end_session({.scope = at == Stage::DataEnd ? FaultScope::Message : FaultScope::Host,
                 .stage = at,
                 .is_permanent = false,
                 .reply = make_reply(451, {4, 4, 2}, "timed out"),
                 .is_local = true},
                false);
}

void ClientEngine::on_disconnect(std::string why) {
    if (state_ == State::Quit) {
        state_ = State::Closed;  // C13: no 221 is no error.
        events_.emplace_back(client_event::Closed{});
        return;
    }
    const Stage at = stage();
    // E6: some servers hang up at the dot instead of refusing; that says nothing of the host.
    end_session({.scope = at == Stage::DataEnd ? FaultScope::Message : FaultScope::Host,
                 .stage = at,
                 .is_permanent = false,
                 .reply = make_reply(451, {4, 4, 2},
                                     why.empty() ? "connection lost" : "connection lost: " + why),
                 .is_local = true,
                 .is_hang_up = true},
                false);
}

}  // namespace godwit::smtp
