// The arguments of SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS. RFC 4314 3, 7.
#pragma once

#include <string>

#include "base/result.h"
#include "wire/imap/lexer.h"
#include "wire/imap/mailbox_name.h"

namespace godwit::imap {

/// An identifier is a login name or "anyone": no longer than an address can be.
inline constexpr std::size_t acl_identifier_size_max = 320;

enum class AclMode : unsigned char { Replace, Add, Remove };

/// SETACL; DELETEACL and LISTRIGHTS without the rights.
struct AclArguments {
    MailboxName mailbox;
    std::string identifier;  ///< Not empty, UTF-8 without controls; not prepared otherwise.
    AclMode mode = AclMode::Replace;
    std::string rights{};  ///< Letters, whatever they are.
};
Result<AclArguments> parse_set_acl(Lexer& lexer, NameSpelling spelling);
Result<AclArguments> parse_acl_entry(Lexer& lexer, NameSpelling spelling);

}  // namespace godwit::imap
