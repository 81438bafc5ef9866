#include "wire/imap/url.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/encoding.h"
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

}  // namespace

Result<MessageUrl> parse_message_url(std::string_view url) {
    if (url.size() > url_size_max) {
        return bad_url("it is too long");
    }
    MessageUrl out;
    std::string_view rest = url;
    if (rest.starts_with('/')) {
        rest.remove_prefix(1);
        if (rest.starts_with('/')) {
            return bad_url("it names a server");
        }
        const std::size_t uid_at = find_word(rest, "/;UID=");
        if (uid_at == std::string_view::npos) {
            return bad_url("it names no message");
        }
        TRY(read_mailbox(rest.substr(0, uid_at), out));
        rest.remove_prefix(uid_at + 1);
    }
    if (!take_name(rest, "UID")) {
        return bad_url("it names no message");
    }
    out.uid = TRY(take_number(rest));
    TRY(read_piece(rest, out));
    // RFC 4469 Appendix A writes "/;UID=20/" too.
    if (!rest.empty() && rest != "/") {
        return bad_url("something behind what it names");
    }
    return out;
}

}  // namespace godwit::imap
