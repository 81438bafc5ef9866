#include "wire/pop3/server.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"

namespace godwit::pop3 {

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
    if (options_.login_delay_seconds > 0) {
        // RFC 2449 6.5: the same for all.
        output_.append("LOGIN-DELAY ").append(std::to_string(options_.login_delay_seconds));
        output_.append("\r\n");
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

std::optional<ServerEvent> Server::on_noop(std::string_view) {
    ok("");
    return std::nullopt;
}

std::string_view code_of(LoginFailure failure) {
    switch (failure) {
        case LoginFailure::Credentials: return "AUTH";
        case LoginFailure::Temporary: return "SYS/TEMP";
        case LoginFailure::Permanent: return "SYS/PERM";
        case LoginFailure::InUse: return "IN-USE";
        case LoginFailure::TooSoon: return "LOGIN-DELAY";
    }
    return "SYS/TEMP";
}

}  // namespace godwit::pop3
