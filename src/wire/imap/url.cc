#include "wire/imap/url.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/encoding.h"
#include "mail/text/timestamp.h"
#include "wire/imap/mailbox_name.h"

namespace godwit::imap {

namespace {

std::unexpected<Error> bad_url(std::string_view why) {
    return peer_error(ErrorCode::Invalid, "Bad URL: " + std::string(why));
}

// Where `word` begins in `text`, ASCII case ignored.
std::size_t find_word(std::string_view text, std::string_view word) {
    const auto found = std::ranges::search(
        text, word, [](char left, char right) { return to_lower(left) == to_lower(right); });
    return found.empty() ? std::string_view::npos
                         : static_cast<std::size_t>(found.begin() - text.begin());
}

// The octets that "%XX" stand for. What may not stand bare is an error.
Result<std::string> unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '%') {
            const std::optional<std::string> octet = hex_decode(text.substr(i + 1, 2));
            if (!octet || octet->size() != 1) {
                return bad_url("% without two hexadecimal digits");
            }
            out += *octet;
            i += 2;
        } else if (is_vchar(c) && c != ';' && c != '"' && c != '<' && c != '>') {
            out.push_back(c);
        } else {
            return bad_url("a character that must be escaped");
        }
    }
    return out;
}

// Takes ";NAME=" off the front.
bool take_name(std::string_view& rest, std::string_view name) {
    if (!rest.starts_with(';') || !starts_with_ignore_case(rest.substr(1), name)) {
        return false;
    }
    if (rest.size() == name.size() + 1 || rest[name.size() + 1] != '=') {
        return false;
    }
    rest.remove_prefix(name.size() + 2);
    return true;
}

Result<std::uint32_t> take_number(std::string_view& rest) {
    const auto end = std::ranges::find_if_not(rest, is_digit);
    const auto digits = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
    const auto value = parse_u32(digits);
    if (!value || *value == 0) {
        return bad_url("a number above zero was expected");
    }
    rest.remove_prefix(digits.size());
    return *value;
}

// "/;SECTION=1.2.MIME" and "/;PARTIAL=0.1024", each at most once and in this order.
Result<> read_piece(std::string_view& rest, MessageUrl& out) {
    const auto value = [&rest] {
        const std::string_view text = rest.substr(0, rest.find("/;"));
        rest.remove_prefix(text.size());
        return text;
    };
    std::string_view after = rest.empty() ? rest : rest.substr(1);
    if (rest.starts_with('/') && take_name(after, "SECTION")) {
        rest = after;
        const std::string name = TRY(unescape(value()));
        if (name.empty()) {
            return bad_url("an empty section");
        }
        const std::string section = "[" + name + "]";
        Lexer lexer(section);
        out.section = TRY(read_section(lexer));
        TRY(lexer.end());
        after = rest.empty() ? rest : rest.substr(1);
    }
    if (rest.starts_with('/') && take_name(after, "PARTIAL")) {
        rest = after;
        const std::string partial = TRY(unescape(value()));
        Lexer lexer(partial);
        // Without a length: up to the end.
        out.partial = Partial{.origin = TRY(lexer.number64()),
                              .count = static_cast<std::uint64_t>(INT64_MAX)};
        if (lexer.take('.')) {
            out.partial->count = TRY(lexer.nz_number());
        }
        TRY(lexer.end());
    }
    return {};
}

// ";UID=20" and the piece, up to the end.
Result<> read_message(std::string_view rest, MessageUrl& out) {
    if (!take_name(rest, "UID")) {
        return bad_url("it names no message");
    }
    out.uid = TRY(take_number(rest));
    TRY(read_piece(rest, out));
    // RFC 4469 Appendix A writes "/;UID=20/" too.
    if (!rest.empty() && rest != "/") {
        return bad_url("something behind what it names");
    }
    return {};
}

// Mailbox and UIDVALIDITY, which stand before "/;UID=" or, relative to the selected mailbox, are
// not there.
Result<> read_mailbox(std::string_view text, MessageUrl& out) {
    const std::size_t end = text.find(';');
    std::string_view parameters = end == std::string_view::npos ? "" : text.substr(end);
    out.mailbox =
        TRY(parse_mailbox_name(TRY(unescape(text.substr(0, end))), NameSpelling::Utf8)).name;
    if (!parameters.empty()) {
        if (!take_name(parameters, "UIDVALIDITY")) {
            return bad_url("UIDVALIDITY was expected");
        }
        out.uid_validity = TRY(take_number(parameters));
        if (!parameters.empty()) {
            return bad_url("something behind UIDVALIDITY");
        }
    }
    return {};
}

// "mailbox/;UID=20/;SECTION=1.2": what stands behind the server, its first slash taken off.
Result<MessageUrl> read_path(std::string_view rest) {
    MessageUrl out;
    const std::size_t uid_at = find_word(rest, "/;UID=");
    if (uid_at == std::string_view::npos) {
        return bad_url("it names no message");
    }
    TRY(read_mailbox(rest.substr(0, uid_at), out));
    rest.remove_prefix(uid_at + 1);
    TRY(read_message(rest, out));
    return out;
}

// Up to `end`, which is taken too; all when it is not there.
std::string_view take_until(std::string_view& rest, char end) {
    const std::string_view text = rest.substr(0, rest.find(end));
    rest.remove_prefix(std::min(text.size() + 1, rest.size()));
    return text;
}

Result<> read_server(std::string_view server, ServerUrl& out) {
    if (const std::size_t at = server.rfind('@'); at != std::string_view::npos) {
        std::string_view user = server.substr(0, at);
        server.remove_prefix(at + 1);
        // How to log in is nothing to us: who shows the URL has done so.
        const std::size_t end = std::min(find_word(user, ";AUTH="), user.size());
        out.user = TRY(unescape(user.substr(0, end)));
    }
    const bool is_host = !server.empty() && std::ranges::all_of(server, [](char c) {
        return is_alnum(c) || c == '.' || c == '-' || c == ':' || c == '[' || c == ']' || c == '_';
    });
    if (!is_host) {
        return bad_url("it names no server");
    }
    out.host = server;
    return {};
}

Result<> read_access(std::string_view text, ServerUrl& out) {
    const auto take_prefix = [&text](std::string_view prefix) {
        const bool is_there = starts_with_ignore_case(text, prefix);
        text.remove_prefix(is_there ? prefix.size() : 0);
        return is_there;
    };
    if (equals_ignore_case(text, "authuser")) {
        out.access = UrlAccess::Authenticated;
    } else if (equals_ignore_case(text, "anonymous")) {
        out.access = UrlAccess::Anonymous;
    } else if (take_prefix("submit+")) {
        out.access = UrlAccess::Submit;
    } else if (take_prefix("user+")) {
        out.access = UrlAccess::User;
    } else {
        return bad_url("nobody is named who may have it");
    }
    const bool names_user = out.access == UrlAccess::Submit || out.access == UrlAccess::User;
    if (names_user) {
        out.access_user = TRY(unescape(text));
    }
    return names_user && out.access_user.empty() ? Result<>(bad_url("an empty user")) : Result<>();
}

// ":internal:91354a47...".
Result<UrlVerifier> read_verifier(std::string_view rest) {
    constexpr std::size_t kTokenMin = 16;  // RFC 4467 3: 128 bits.
    UrlVerifier out{.mechanism = std::string(take_until(rest, ':')), .token = {}};
    const bool is_name = !out.mechanism.empty() && std::ranges::all_of(out.mechanism, [](char c) {
        return is_alnum(c) || c == '-' || c == '.';
    });
    std::optional<std::string> token = hex_decode(rest);
    if (!is_name || !token || token->size() < kTokenMin) {
        return bad_url("it is not signed as it should be");
    }
    out.token = *std::move(token);
    return out;
}

// [";EXPIRE=" date-time] ";URLAUTH=" access [":" mechanism ":" token], up to the end of `url`.
Result<> read_url_auth(std::string_view url, std::size_t at, ServerUrl& out) {
    std::string_view rest = url.substr(at);
    if (take_name(rest, "EXPIRE")) {
        const std::string_view text = rest.substr(0, rest.find(';'));
        rest.remove_prefix(text.size());
        out.expire = mail::parse_timestamp(text);
        if (!out.expire) {
            return bad_url("EXPIRE is no date and time");
        }
    }
    if (!take_name(rest, "URLAUTH")) {
        return bad_url("URLAUTH was expected");
    }
    const std::string_view access = rest.substr(0, rest.find(':'));
    TRY(read_access(access, out));
    rest.remove_prefix(access.size());
    out.rump_size = url.size() - rest.size();
    if (!rest.empty()) {
        out.verifier = TRY(read_verifier(rest.substr(1)));
    }
    return {};
}

}  // namespace

Result<MessageUrl> parse_message_url(std::string_view url) {
    if (url.size() > url_size_max) {
        return bad_url("it is too long");
    }
    if (!url.starts_with('/')) {
        MessageUrl out;
        TRY(read_message(url, out));
        return out;
    }
    if (url.starts_with("//")) {
        return bad_url("it names a server");
    }
    return read_path(url.substr(1));
}

Result<ServerUrl> parse_server_url(std::string_view url) {
    constexpr std::string_view kScheme = "imap://";
    if (url.size() > url_size_max) {
        return bad_url("it is too long");
    }
    if (!starts_with_ignore_case(url, kScheme)) {
        return bad_url("it names no IMAP server");
    }
    ServerUrl out;
    std::string_view rest = url.substr(kScheme.size());
    TRY(read_server(take_until(rest, '/'), out));
    const std::size_t auth_at = std::min(find_word(rest, ";EXPIRE="), find_word(rest, ";URLAUTH="));
    out.rump_size = url.size();
    if (auth_at != std::string_view::npos) {
        TRY(read_url_auth(url, url.size() - rest.size() + auth_at, out));
    }
    out.message = TRY(read_path(rest.substr(0, auth_at)));
    return out;
}

}  // namespace godwit::imap
