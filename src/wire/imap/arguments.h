// The arguments of the commands whose grammar is short. Each function reads from the SP after the
// command's name to the end of the command.
// RFC 3501 9; RFC 4959 (initial response); RFC 2971; RFC 5161; RFC 6154 6 (CREATE). LIST and STATUS
// are in list.h, APPEND is in append.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "wire/imap/flags.h"
#include "wire/imap/lexer.h"
#include "wire/imap/mailbox_name.h"
#include "wire/imap/seqset.h"

namespace godwit::imap {

struct LoginArguments {
    std::string user;
    std::string password;
};
Result<LoginArguments> parse_login(Lexer& lexer);

struct AuthenticateArguments {
    std::string mechanism;  ///< Upper case.
    /// Still in base64; "" for "=", which is an empty response that is there (RFC 4959 3).
    std::optional<std::string> initial_response;
};
Result<AuthenticateArguments> parse_authenticate(Lexer& lexer);

/// Field and value; a NIL list is empty. Bounds of RFC 2971 3.3.
using IdFields = std::vector<std::pair<std::string, std::optional<std::string>>>;
Result<IdFields> parse_id(Lexer& lexer);

/// Capability names in upper case, unknown ones included (RFC 5161 3.1).
Result<std::vector<std::string>> parse_enable(Lexer& lexer);

/// SELECT, EXAMINE, DELETE, SUBSCRIBE, UNSUBSCRIBE: one mailbox.
Result<MailboxName> parse_mailbox(Lexer& lexer, NameSpelling spelling);

struct CreateArguments {
    MailboxName mailbox;
    std::vector<std::string> uses;  ///< As written; RFC 6154 3.
};
/// Parameters other than USE are an error (RFC 4466 2.2).
Result<CreateArguments> parse_create(Lexer& lexer, NameSpelling spelling);

struct RenameArguments {
    MailboxName from;
    MailboxName to;
};
Result<RenameArguments> parse_rename(Lexer& lexer, NameSpelling spelling);

/// COPY and MOVE.
struct CopyArguments {
    SequenceSet set;
    MailboxName mailbox;
};
Result<CopyArguments> parse_copy(Lexer& lexer, NameSpelling spelling);

/// UID EXPUNGE. RFC 4315 2.1.
Result<SequenceSet> parse_sequence_set(Lexer& lexer);

enum class StoreMode : std::uint8_t { Replace, Add, Remove };
struct StoreArguments {
    SequenceSet set;
    StoreMode mode = StoreMode::Replace;
    bool silent = false;
    FlagSet flags;
    std::optional<std::uint64_t> unchanged_since = {};  ///< RFC 7162 3.1.3.
};
Result<StoreArguments> parse_store(Lexer& lexer);

}  // namespace godwit::imap
