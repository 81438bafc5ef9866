// The server engine's frame: input to lines, replies to output, and every way to end.
// RFC 5321 2.3.8, 3.1, 3.8, 4.5.3.1.4; RFC 2920 3.2.
#include "wire/smtp/server.h"

#include "base/ascii.h"

namespace godwit::smtp {

ServerEngine::ServerEngine(ServerOptions options) : options_(std::move(options)) {
    tls_active_ = options_.tls_active;
}

void ServerEngine::greet() {
    check(state_ == State::Start, "greeted twice");
    state_ = State::Command;
    send_greeting();
}

void ServerEngine::send_greeting() {
    send({.code = 220, .enhanced = {}, .text = options_.hostname + " " + options_.greeting});
}

void ServerEngine::refuse(Reply reply) {
    check(state_ == State::Start, "refused after the greeting");
    // RFC 7504: who takes no mail at all need not listen on.
    if (reply.is_temporary() || reply.code == 521) {
        close_with(reply, event::CloseReason::Refused, "refused at the greeting");
        return;
    }
    state_ = State::Refused;
    send(reply);
}

void ServerEngine::feed(std::string_view bytes) {
    if (bytes.empty() || state_ == State::Closed) {
        return;
    }
    if (state_ == State::Start) {
        close_with(
            make_reply(554, {5, 5, 0}, "Protocol synchronization error: wait for the greeting"),
            event::CloseReason::Protocol, "spoke before the greeting");
        return;
    }
    if (state_ == State::TlsHandshake) {
        close(event::CloseReason::Protocol, "clear bytes during the handshake");
        return;
    }
    input_.erase(0, input_pos_);
    input_pos_ = 0;
    input_ += bytes;
}

std::optional<event::Event> ServerEngine::next_event() {
    if (events_.empty()) {
        run();
    }
    if (events_.empty()) {
        return std::nullopt;
    }
    std::optional<event::Event> next(std::move(events_.front()));
    events_.pop_front();
    return next;
}

std::string ServerEngine::take_output() {
    return std::exchange(output_, std::string());
}

bool ServerEngine::wants_input() const {
    return pending_ == Pending::None && events_.empty() && state_ != State::Closed &&
           state_ != State::TlsHandshake;
}

void ServerEngine::run() {
    bool goes_on = true;
    while (goes_on && events_.empty() && pending_ == Pending::None) {
        switch (state_) {
            case State::Command:
            case State::Refused:
            case State::AuthResponse: goes_on = run_line(); break;
            case State::Data: goes_on = run_data(); break;
            case State::Chunk: goes_on = run_chunk(); break;
            case State::Discard: goes_on = run_discard(); break;
            case State::Start:
            case State::TlsHandshake:
            case State::Closed: goes_on = false; break;
        }
    }
}

std::size_t ServerEngine::line_size_max() const {
    const bool is_auth =
        state_ == State::AuthResponse || starts_with_ignore_case(unread(), "AUTH ");
    return is_auth ? limits::smtp_auth_line_size_max : limits::smtp_command_line_size_max;
}

/// The next line with its end, or nullopt when it is not whole yet or never may be (closed, then).
std::optional<std::string> ServerEngine::take_line() {
    const std::string_view rest = unread();
    const std::size_t line_feed = rest.find('\n');
    const bool is_whole = line_feed != std::string_view::npos;
    const std::size_t size = is_whole ? line_feed + 1 : rest.size();
    if (size > line_size_max() || (!is_whole && size == line_size_max())) {
        // T7: the connection ends; nothing is read on in search of a line's end.
        close_with(make_reply(500, {5, 5, 2}, "Line too long"), event::CloseReason::Protocol,
                   "line too long");
        return std::nullopt;
    }
    if (!is_whole) {
        return std::nullopt;
    }
    std::string line(rest.substr(0, size));
    input_pos_ += size;
    return line;
}

bool ServerEngine::run_line() {
    if (close_if_shutting_down()) {
        return false;
    }
    if (state_ == State::Command && !hello_verb_ && unread().starts_with("\x16\x03")) {
        // D17: a TLS ClientHello on a port that starts in clear.
        close_with(make_reply(501, {5, 5, 2}, "This port starts without TLS"),
                   event::CloseReason::Protocol, "TLS handshake in clear");
        return false;
    }
    std::optional<std::string> taken = take_line();
    if (!taken) {
        return false;
    }
    std::string_view line = *taken;
    line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
    const bool is_bare = !taken->ends_with("\r\n");
    const Verb verb = find_verb(line);
    if (state_ == State::Refused) {
        if (verb == Verb::Quit) {
            dispatch(QuitCommand{});
        } else {
            refuse_command(
                make_reply(503, {5, 5, 1}, "No service here; say QUIT"));  // RFC 5321 3.1
        }
        return true;
    }
    if (is_bare && verb != Verb::Http) {
        // RFC 5321 2.3.8: a line ends with CRLF only. The answer tells people at a terminal.
        exchange_.reset();
        state_ = State::Command;
        refuse_command(make_reply(500, {5, 5, 2}, "Lines end with <CR><LF>"));
        return true;
    }
    if (state_ == State::AuthResponse) {
        on_auth_line(line);
        return true;
    }
    if (auto refusal = out_of_order(verb)) {
        if (verb != Verb::Data || !refuses_early_input("DATA")) {
            refuse_command(*refusal);
        }
        return true;
    }
    auto command =
        parse_command(line, {.offered = offered_,
                             .smtputf8 = transaction_ && transaction_->parameters.smtputf8,
                             .local_name = options_.hostname,
                             .own_domain = options_.own_domain});
    if (command) {
        dispatch(*std::move(command));
    } else if (verb == Verb::Bdat) {
        // Nobody knows how many octets follow: none of them may be taken for a command.
        close_with(command.error(), event::CloseReason::Protocol, "malformed BDAT");
    } else if (verb != Verb::Data || !refuses_early_input("DATA")) {
        refuse_command(command.error());
    }
    return true;
}

void ServerEngine::send(const Reply& reply) {
    write_reply(reply, output_);
}

void ServerEngine::refuse_command(const Reply& reply) {
    if (++errors_ > limits::smtp_errors_max) {
        close_with(make_reply(421, {4, 7, 0}, "Too many errors"), event::CloseReason::TooManyErrors,
                   "too many errors; the last would have been: " + to_string(reply));
        return;
    }
    send(reply);
}

/// THE end of a transaction, however it comes about. D14, T5.
Transaction ServerEngine::clear_transaction() {
    Transaction ended = transaction_ ? *std::move(transaction_) : Transaction();
    transaction_.reset();
    asked_mail_.reset();
    asked_rcpt_.reset();
    data_.reset();
    chunks_.reset();
    body_.clear();
    content_size_ = 0;
    is_oversize_ = false;
    chunk_left_ = 0;
    chunk_size_ = 0;
    chunk_is_last_ = false;
    asked_url_.reset();
    chunk_count_ = 0;
    return ended;
}

void ServerEngine::end_transaction() {
    if (transaction_) {
        events_.emplace_back(event::TransactionDropped{.had_body = data_ || chunks_});
    }
    (void)clear_transaction();
}

void ServerEngine::begin_session() {
    end_transaction();
    hello_verb_.reset();
    hello_name_.clear();
    offered_ = {};
    identity_.reset();
    exchange_.reset();
}

void ServerEngine::close(event::CloseReason reason, std::string detail) {
    if (state_ == State::Closed) {
        return;
    }
    end_transaction();
    exchange_.reset();
    pending_ = Pending::None;
    state_ = State::Closed;
    input_.clear();
    input_pos_ = 0;
    events_.emplace_back(event::Close{.reason = reason, .detail = std::move(detail)});
}

void ServerEngine::close_with(const Reply& reply, event::CloseReason reason, std::string detail) {
    if (state_ != State::Closed) {
        send(reply);
        close(reason, std::move(detail));
    }
}

bool ServerEngine::close_if_shutting_down() {
    const bool is_boundary = state_ == State::Command || state_ == State::AuthResponse ||
                             state_ == State::Refused || state_ == State::Start;
    if (!is_shutting_down_ || pending_ != Pending::None || !is_boundary) {
        return false;
    }
    close_with(make_reply(421, {4, 3, 2}, "Service is shutting down"), event::CloseReason::Shutdown,
               "shutdown");
    return true;
}

void ServerEngine::answer(Reply reply) {
    if (state_ == State::Closed) {
        return;  // The peer left while the caller was busy (E5).
    }
    const Pending pending = std::exchange(pending_, Pending::None);
    switch (pending) {
        case Pending::Mail: answer_mail(reply); return;
        case Pending::Rcpt: answer_rcpt(reply); return;
        case Pending::DataStart: answer_data_start(reply); return;
        case Pending::ChunkStart: answer_chunk_start(reply); return;
        case Pending::Url:
            // RFC 4468 3.2: what cannot be fetched ends the transaction.
            check(!reply.is_positive() && !reply.is_intermediate(),
                  "a URL is refused with 4xx or 5xx");
            refuse_content(reply, 1);
            return;
        case Pending::EndOfMail:
            // One answer for all: LMTP says it once per recipient.
            answer_end_of_mail(std::vector<Reply>(replies_due_, reply));
            return;
        case Pending::Question:
            send(reply);
            (void)close_if_shutting_down();
            return;
        case Pending::Turn:
            send(reply);
            if (reply.is_positive()) {
                close(event::CloseReason::Turned, "turned round");
            }
            (void)close_if_shutting_down();
            return;
        case Pending::StandIn:
            if (reply.code == 421) {
                close_with(reply, event::CloseReason::Refused,
                           "the client stood in for is refused");
            } else {
                refuse_command(reply);
            }
            return;
        case Pending::None:
        case Pending::AuthPassword:
        case Pending::AuthLookup:
        case Pending::AuthProved: break;
    }
    check(false, "answer() without a question that takes a Reply");
}

void ServerEngine::answer_each(std::vector<Reply> replies) {
    if (state_ == State::Closed) {
        return;
    }
    check(pending_ == Pending::EndOfMail, "answer_each() without EndOfMail");
    check(replies.size() == replies_due_, "one reply per recipient is due");
    pending_ = Pending::None;
    answer_end_of_mail(replies);
}

void ServerEngine::begin_shutdown() {
    is_shutting_down_ = true;
    (void)close_if_shutting_down();
}

void ServerEngine::on_timeout() {
    if (pending_ != Pending::EndOfMail) {
        close_with(make_reply(421, {4, 4, 2}, options_.hostname + " waited too long"),
                   event::CloseReason::Timeout, "timeout");
    }
}

void ServerEngine::on_disconnect() {
    close(event::CloseReason::Disconnected, "the peer went away");
}

void ServerEngine::hang_up(Reply reply, std::string detail) {
    check(pending_ != Pending::EndOfMail, "hang_up() between the dot and its reply");
    close_with(reply, event::CloseReason::Refused, std::move(detail));
}

std::string ServerEngine::protocol_name(bool smtputf8) const {
    // RFC 3848 and RFC 6531 4.3.
    const std::string told = stand_in_.text(ClientFact::Protocol);
    if (told == "SMTP" || (told.empty() && hello_verb_ == Verb::Helo)) {
        return "SMTP";
    }
    std::string name = smtputf8 ? "UTF8" : (options_.service == Service::Lmtp ? "" : "E");
    name += options_.service == Service::Lmtp ? "LMTP" : "SMTP";
    name += tls_active_ ? "S" : "";
    name += identity_ ? "A" : "";
    return name;
}

}  // namespace godwit::smtp
