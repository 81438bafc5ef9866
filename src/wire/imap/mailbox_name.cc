#include "wire/imap/mailbox_name.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "base/limits.h"
#include "wire/imap/utf7.h"

namespace godwit::imap {

namespace {

struct Decoded {
    std::string text;
    bool repaired = false;
};

// See the header for what is forgiven.
Result<Decoded> decode(std::string_view wire, NameSpelling spelling) {
    if (spelling == NameSpelling::Utf7 && is_ascii(wire)) {
        if (auto strict = utf7_decode(wire)) {
            // A name hidden in base64 may hold controls; they are judged with the rest below.
            return Decoded{*std::move(strict), false};
        }
        return Decoded{std::string(wire), true};
    }
    if (!is_utf8(wire)) {
        return peer_error(ErrorCode::Invalid, "Mailbox name is not UTF-8");
    }
    return Decoded{std::string(wire), spelling == NameSpelling::Utf7};
}

// RFC 6855 3: U+0080 to U+009F, and the separators of lines and paragraphs, U+2028 and U+2029.
bool has_hidden_control(std::string_view name) {
    for (std::size_t i = 0; i + 1 < name.size(); ++i) {
        const std::string_view rest = name.substr(i);
        if ((rest[0] == '\xc2' && rest[1] >= '\x80' && rest[1] <= '\x9f') ||
            rest.starts_with("\xe2\x80\xa8") || rest.starts_with("\xe2\x80\xa9")) {
            return true;
        }
    }
    return false;
}

Result<> check_characters(std::string_view name) {
    if (std::ranges::any_of(name, is_ctl) || has_hidden_control(name)) {
        return peer_error(ErrorCode::Invalid, "Mailbox name has control characters");
    }
    if (name.size() > limits::mailbox_name_size_max) {
        return peer_error(ErrorCode::LimitExceeded, "Mailbox name is too long");
    }
    return {};
}

// RFC 3501 5.1: INBOX in any case is INBOX; here also as the first level of a longer name.
void raise_inbox(std::string& name) {
    if (starts_with_ignore_case(name, kInbox) &&
        (name.size() == kInbox.size() || name[kInbox.size()] == kHierarchySeparator)) {
        name.replace(0, kInbox.size(), kInbox);
    }
}

}  // namespace

Result<MailboxName> parse_mailbox_name(std::string_view wire, NameSpelling spelling) {
    // The encoded form is at most 8/3 of a name's octets, and shifts; cut off before decoding
    // (T85).
    if (wire.size() > 4 * limits::mailbox_name_size_max) {
        return peer_error(ErrorCode::LimitExceeded, "Mailbox name is too long");
    }
    Decoded decoded = TRY(decode(wire, spelling));
    MailboxName out;
    out.name = std::move(decoded.text);
    out.repaired = decoded.repaired;
    while (out.name.size() > 1 && out.name.ends_with(kHierarchySeparator)) {
        out.name.pop_back();
        out.trailing_separator = true;
    }
    TRY(check_characters(out.name));
    if (out.name.empty()) {
        return peer_error(ErrorCode::Invalid, "Mailbox name is empty");
    }
    const auto levels = 1 + std::ranges::count(out.name, kHierarchySeparator);
    if (std::cmp_greater(levels, limits::mailbox_depth_max)) {
        return peer_error(ErrorCode::LimitExceeded, "Mailbox name has too many levels");
    }
    out.given = out.name;
    raise_inbox(out.name);
    return out;
}

Result<MailboxName> read_mailbox_name(Lexer& lexer, NameSpelling spelling) {
    return parse_mailbox_name(TRY(lexer.astring()), spelling);
}

Result<std::string> read_list_pattern(std::string_view wire, NameSpelling spelling) {
    if (wire.size() > 4 * limits::mailbox_name_size_max) {
        return peer_error(ErrorCode::LimitExceeded, "Mailbox pattern is too long");
    }
    Decoded decoded = TRY(decode(wire, spelling));
    TRY(check_characters(decoded.text));
    return std::move(decoded.text);
}

}  // namespace godwit::imap
