#include "wire/pop3/server.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/encoding.h"
#include "base/result.h"

namespace godwit::pop3 {

namespace {

std::string_view code_of(LoginFailure failure) {
    switch (failure) {
        case LoginFailure::Credentials: return "AUTH";
        case LoginFailure::Temporary: return "SYS/TEMP";
        case LoginFailure::Permanent: return "SYS/PERM";
        case LoginFailure::InUse: return "IN-USE";
    }
    return "SYS/TEMP";
}

std::string_view login_text(LoginFailure failure) {
    switch (failure) {
        case LoginFailure::Credentials: return "Name or password is wrong";
        case LoginFailure::Temporary: return "Try again later";
        case LoginFailure::Permanent: return "This account cannot be used";
        case LoginFailure::InUse: return "The maildrop is in use";
    }
    return "Try again later";
}

}  // namespace

enum class ValidIn : std::uint8_t { Authorization, Transaction, Both };

struct Server::CommandRow {
    std::string_view word;
    ValidIn valid_in;
    Handler handler;
    std::string_view capability = {};  ///< The CAPA line it brings by itself, RFC 2449 6.
};

// RFC 1939 5-7, RFC 2449 5, RFC 2595 4, RFC 6856 2.1 and 3. AUTH, STLS and USER are announced by
// what the listener offers.
constexpr Server::CommandRow Server::kCommands[] = {
    {"APOP", ValidIn::Authorization, &Server::on_apop},
    {"AUTH", ValidIn::Authorization, &Server::on_auth},
    {"CAPA", ValidIn::Both, &Server::on_capa},
    {"DELE", ValidIn::Transaction, &Server::on_dele},
    {"LANG", ValidIn::Both, &Server::on_lang, "LANG"},
    {"LIST", ValidIn::Transaction, &Server::on_list},
    {"NOOP", ValidIn::Transaction, &Server::on_noop},
    {"PASS", ValidIn::Authorization, &Server::on_pass},
    {"QUIT", ValidIn::Both, &Server::on_quit},
    {"RETR", ValidIn::Transaction, &Server::on_retr},
    {"RSET", ValidIn::Transaction, &Server::on_rset},
    {"STAT", ValidIn::Transaction, &Server::on_stat},
    {"STLS", ValidIn::Authorization, &Server::on_stls},
    {"TOP", ValidIn::Transaction, &Server::on_top, "TOP"},
    {"UIDL", ValidIn::Transaction, &Server::on_uidl, "UIDL"},
    {"USER", ValidIn::Authorization, &Server::on_user},
    {"UTF8", ValidIn::Authorization, &Server::on_utf8, "UTF8 USER"},
};

Server::Server(ServerOptions options) : options_(std::move(options)) {
    ok(options_.greeting);
}

void Server::ok(std::string_view text) {
    output_.append("+OK");
    if (!text.empty()) {
        output_.append(" ").append(text);
    }
    output_.append("\r\n");
}

void Server::error(std::string_view text, std::string_view code) {
    output_.append("-ERR ");
    if (!code.empty()) {
        output_.append("[").append(code).append("] ");
    }
    output_.append(text).append("\r\n");
}

void Server::syntax_error(std::string_view text) {
    if (++bad_commands_ >= limits::pop3_bad_commands_max) {
        close("Too many bad commands");
        return;
    }
    error(text);
}

void Server::close(std::string_view text) {
    error(text);
    state_ = State::Closed;
    waiting_ = Waiting::Nothing;
    listing_ = Listing::None;
}

void Server::feed(std::string_view bytes) {
    if (state_ == State::Closed) {
        return;
    }
    input_.erase(0, pos_);
    pos_ = 0;
    input_.append(bytes);
}

ServerEvent Server::next() {
    for (;;) {
        if (output_.size() >= limits::stream_write_buffer_max) {
            return Drain{};
        }
        if (state_ == State::Closed) {
            return Close{};
        }
        if (listing_ != Listing::None) {
            (void)write_listing();  // Goes on above when the output is full.
            continue;
        }
        if (waiting_ != Waiting::Nothing && waiting_ != Waiting::AuthLine) {
            return NeedMore{};
        }
        const std::optional<std::string> line = take_line();
        if (state_ == State::Closed) {
            continue;
        }
        if (!line) {
            return NeedMore{};
        }
        if (line_too_long_) {
            line_too_long_ = false;
            continue;
        }
        const bool in_auth = waiting_ == Waiting::AuthLine;
        if (auto event = in_auth ? run_auth_line(*line) : run_command(*line)) {
            return *std::move(event);
        }
    }
}

// The next line without its end. Before a line has ended its size is bounded; PASS, AUTH and SASL
// answers may be long, and which of them it is shows only in the line: one bound for all.
std::optional<std::string> Server::take_line() {
    const std::string_view rest = std::string_view(input_).substr(pos_);
    const std::size_t newline = rest.find('\n');
    if (newline == std::string_view::npos) {
        if (rest.size() > limits::pop3_auth_line_size_max + 1) {
            close("Line is too long");
        } else if (rest.empty()) {
            std::string().swap(input_);
            pos_ = 0;
        }
        return std::nullopt;
    }
    pos_ += newline + 1;
    std::string_view line = rest.substr(0, newline);
    const bool has_cr = line.ends_with('\r');
    if (has_cr) {
        line.remove_suffix(1);
    }
    if (line.size() > limits::pop3_auth_line_size_max) {
        close("Line is too long");
        return std::nullopt;
    }
    if (!has_cr || line.find('\0') != std::string_view::npos ||
        line.find('\r') != std::string_view::npos) {
        line_too_long_ = true;
        syntax_error(has_cr ? "NUL and bare CR are not allowed" : "A line must end with CRLF");
        if (waiting_ == Waiting::AuthLine) {
            close("Authentication is broken off");
        }
    }
    return std::string(line);
}

std::optional<ServerEvent> Server::run_command(std::string_view line) {
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::string word = to_upper(line.substr(0, space));
    const std::string_view arguments =
        space < line.size() ? line.substr(space + 1) : std::string_view();
    const auto* row =
        std::ranges::lower_bound(kCommands, std::string_view(word), {}, &CommandRow::word);
    if (row == std::end(kCommands) || row->word != word) {
        has_user_ = false;
        syntax_error("Unknown command");
        return std::nullopt;
    }
    // RFC 1939 7: PASS only directly after a successful USER.
    if (row->handler != &Server::on_pass) {
        has_user_ = false;
    }
    // RFC 2449 4: 255 octets; SASL and passwords may be longer.
    if (line.size() > limits::pop3_line_size_max && word != "AUTH" && word != "PASS") {
        syntax_error("Line is too long");
        return std::nullopt;
    }
    const bool logged_in = state_ == State::Transaction;
    if (row->valid_in != ValidIn::Both && (row->valid_in == ValidIn::Transaction) != logged_in) {
        syntax_error(logged_in ? "Not after login" : "Not before login");
        return std::nullopt;
    }
    return (this->*row->handler)(arguments);
}

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

std::optional<ServerEvent> Server::on_capa(std::string_view) {
    ok("Capabilities follow");
    if (options_.passwords_allowed) {
        output_.append("USER\r\n");
    }
    if (!options_.sasl_mechanisms.empty()) {
        output_.append("SASL ").append(options_.sasl_mechanisms).append("\r\n");
    }
    if (options_.stls_offered) {
        output_.append("STLS\r\n");
    }
    for (const CommandRow& row : kCommands) {
        if (!row.capability.empty()) {
            output_.append(row.capability).append("\r\n");
        }
    }
    // RFC 2449 6.4, 6.6, 6.7, 6.9; AUTH-RESP-CODE is of RFC 3206.
    output_.append("RESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\nIMPLEMENTATION ");
    output_.append(options_.implementation).append("\r\n.\r\n");
    return std::nullopt;
}

std::optional<ServerEvent> Server::on_utf8(std::string_view arguments) {
    if (!arguments.empty()) {
        syntax_error("UTF8 has no arguments");
        return std::nullopt;
    }
    utf8_ = true;
    ok("UTF-8 it is");
    return std::nullopt;
}

std::optional<ServerEvent> Server::on_lang(std::string_view arguments) {
    if (arguments.empty()) {
        ok("Languages follow");
        output_.append("en English\r\n.\r\n");
    } else if (arguments == "*" || equals_ignore_case(arguments, "en")) {
        ok("en English it is");  // RFC 6856 3.2: the tag, then text.
    } else {
        error("Only English is spoken");
    }
    return std::nullopt;
}

std::uint64_t Server::remaining_size() const {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < maildrop_.size(); ++i) {
        out += deleted_[i] ? 0 : maildrop_[i].size;
    }
    return out;
}

std::optional<ServerEvent> Server::on_stat(std::string_view) {
    ok(std::to_string(remaining_count()) + " " + std::to_string(remaining_size()));
    return std::nullopt;
}

std::optional<std::size_t> Server::find_message(std::string_view argument) {
    const auto number = parse_u64(argument);
    if (!number || *number == 0) {
        syntax_error("Expected a message number");
        return std::nullopt;
    }
    if (*number > maildrop_.size()) {
        error("No such message");
        return std::nullopt;
    }
    const auto index = static_cast<std::size_t>(*number - 1);
    if (deleted_[index]) {
        error("Message is deleted");
        return std::nullopt;
    }
    return index;
}

void Server::write_one(std::size_t index, Listing listing) {
    output_.append(std::to_string(index + 1)).append(" ");
    if (listing == Listing::Sizes) {
        output_.append(std::to_string(maildrop_[index].size));
    } else {
        output_.append(maildrop_[index].unique_id);
    }
    output_.append("\r\n");
}

std::optional<ServerEvent> Server::list_or_one(std::string_view arguments, Listing listing) {
    if (arguments.empty()) {
        ok(std::to_string(remaining_count()) + " messages");
        listing_ = listing;
        listing_at_ = 0;
    } else if (const auto index = find_message(arguments)) {
        output_.append("+OK ");
        write_one(*index, listing);
    }
    return std::nullopt;
}

// Writes until the buffer is full or the list is done; a big maildrop costs one buffer (T87).
bool Server::write_listing() {
    while (listing_at_ < maildrop_.size()) {
        if (output_.size() >= limits::stream_write_buffer_max) {
            return false;
        }
        if (!deleted_[listing_at_]) {
            write_one(listing_at_, listing_);
        }
        ++listing_at_;
    }
    output_.append(".\r\n");
    listing_ = Listing::None;
    return true;
}

std::optional<ServerEvent> Server::on_list(std::string_view arguments) {
    return list_or_one(arguments, Listing::Sizes);
}

std::optional<ServerEvent> Server::on_uidl(std::string_view arguments) {
    return list_or_one(arguments, Listing::UniqueIds);
}

std::optional<ServerEvent> Server::on_retr(std::string_view arguments) {
    const auto index = find_message(arguments);
    if (!index) {
        return std::nullopt;
    }
    if (maildrop_[*index].requires_utf8 && !utf8_) {
        error("Message needs UTF8 mode", "UTF8");
        return std::nullopt;
    }
    top_lines_.reset();
    waiting_ = Waiting::Message;
    return Retrieve{*index, std::nullopt};
}

std::optional<ServerEvent> Server::on_top(std::string_view arguments) {
    const std::size_t space = arguments.find(' ');
    const auto lines =
        space == std::string_view::npos ? std::nullopt : parse_u64(arguments.substr(space + 1));
    if (!lines) {
        syntax_error("Expected TOP message lines");
        return std::nullopt;
    }
    auto event = on_retr(arguments.substr(0, space));
    if (event) {
        top_lines_ = lines;
        std::get<Retrieve>(*event).top_lines = lines;
    }
    return event;
}

void Server::begin_message(std::uint64_t size, std::uint64_t header_size) {
    check(waiting_ == Waiting::Message, "begin_message() without RETR");
    waiting_ = Waiting::Body;
    if (top_lines_) {
        ok("Top follows");
        stuffer_ = MessageStuffer(TopLimit{header_size, *top_lines_});
    } else {
        ok(std::to_string(size) + " octets");
        stuffer_ = MessageStuffer();
    }
}

bool Server::add_message(std::string_view bytes) {
    check(waiting_ == Waiting::Body, "add_message() without begin_message()");
    return stuffer_.add(bytes, output_);
}

void Server::end_message() {
    check(waiting_ == Waiting::Body, "end_message() without begin_message()");
    stuffer_.finish(output_);
    waiting_ = Waiting::Nothing;
}

void Server::refuse(LoginFailure failure, std::string_view text) {
    check(waiting_ == Waiting::Message, "refuse() without RETR");
    waiting_ = Waiting::Nothing;
    error(text, code_of(failure));
}

std::optional<ServerEvent> Server::on_dele(std::string_view arguments) {
    if (const auto index = find_message(arguments)) {
        deleted_[*index] = true;
        ++deleted_count_;
        ok("Message " + std::to_string(*index + 1) + " will be removed");
    }
    return std::nullopt;
}

std::optional<ServerEvent> Server::on_rset(std::string_view) {
    deleted_.assign(maildrop_.size(), false);
    deleted_count_ = 0;
    ok("Maildrop has " + std::to_string(maildrop_.size()) + " messages");
    return std::nullopt;
}

std::optional<ServerEvent> Server::on_noop(std::string_view) {
    ok("");
    return std::nullopt;
}

std::optional<ServerEvent> Server::on_quit(std::string_view) {
    if (state_ == State::Authorization) {
        ok("Goodbye");
        state_ = State::Closed;
        return std::nullopt;
    }
    // RFC 1939 6: only QUIT removes anything.
    Commit out;
    out.deleted.reserve(deleted_count_);
    for (std::size_t i = 0; i < deleted_.size(); ++i) {
        if (deleted_[i]) {
            out.deleted.push_back(i);
        }
    }
    waiting_ = Waiting::Commit;
    return out;
}

void Server::committed(bool all_removed) {
    check(waiting_ == Waiting::Commit, "committed() without QUIT");
    waiting_ = Waiting::Nothing;
    if (all_removed) {
        ok("Goodbye");
    } else {
        error("Some deleted messages are not removed", "SYS/TEMP");
    }
    state_ = State::Closed;
}

}  // namespace godwit::pop3
