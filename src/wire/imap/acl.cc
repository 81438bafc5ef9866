#include "wire/imap/acl.h"

#include <algorithm>

#include "base/ascii.h"

namespace godwit::imap {

namespace {

// RFC 4314 3: what cannot be an identifier is BAD.
Result<> check_identifier(const Lexer& lexer, std::string_view identifier) {
    const bool has_control = std::ranges::any_of(
        identifier, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (identifier.empty() || identifier.size() > acl_identifier_size_max || has_control ||
        !is_utf8(identifier)) {
        return lexer.bad("no identifier");
    }
    return {};
}

Result<AclArguments> read_entry(Lexer& lexer, NameSpelling spelling) {
    AclArguments out;
    TRY(lexer.space());
    out.mailbox = TRY(read_mailbox_name(lexer, spelling));
    TRY(lexer.space());
    out.identifier = TRY(lexer.astring());
    TRY(check_identifier(lexer, out.identifier));
    return out;
}

}  // namespace

Result<AclArguments> parse_acl_entry(Lexer& lexer, NameSpelling spelling) {
    AclArguments out = TRY(read_entry(lexer, spelling));
    TRY(lexer.end());
    return out;
}

Result<AclArguments> parse_set_acl(Lexer& lexer, NameSpelling spelling) {
    AclArguments out = TRY(read_entry(lexer, spelling));
    TRY(lexer.space());
    out.rights = TRY(lexer.astring());
    if (out.rights.starts_with('+') || out.rights.starts_with('-')) {
        out.mode = out.rights.front() == '+' ? AclMode::Add : AclMode::Remove;
        out.rights.erase(0, 1);
    }
    TRY(lexer.end());
    return out;
}

}  // namespace godwit::imap
