// The arguments of the commands whose grammar is short. Each function reads from the SP after the
// command's name to the end of the command.
// RFC 3501 9; RFC 4466 3 (append); RFC 4959 (initial response); RFC 2971; RFC 5161; RFC 6154; RFC
// 5819.
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

/// SELECT, EXAMINE, CREATE, DELETE, SUBSCRIBE, UNSUBSCRIBE: one mailbox.
Result<MailboxName> parse_mailbox(Lexer& lexer, NameSpelling spelling);

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

/// Bits of what STATUS, and LIST with RETURN (STATUS ...), ask for.
enum class StatusItem : std::uint8_t {
    Messages = 1,
    Recent = 2,
    UidNext = 4,
    UidValidity = 8,
    Unseen = 16,
    HighestModSeq = 32,  ///< RFC 7162 3.1.7.
};
struct StatusArguments {
    MailboxName mailbox;
    std::uint8_t items = 0;  ///< StatusItem bits, at least one.
};
Result<StatusArguments> parse_status(Lexer& lexer, NameSpelling spelling);

/// LIST, LSUB, XLIST (Q17). RFC 3501 6.3.8; the extended form of RFC 6154 2 is understood.
struct ListArguments {
    std::string reference;              ///< UTF-8, may be empty.
    std::vector<std::string> patterns;  ///< UTF-8, without the reference; at least one.
    bool select_subscribed = false;     ///< LIST (SUBSCRIBED)
    bool select_special_use = false;    ///< LIST (SPECIAL-USE)
    bool return_subscribed = false;
    bool return_children = false;
    bool return_special_use = false;
    bool extended = false;  ///< Any of the extended syntax was used.
};
Result<ListArguments> parse_list(Lexer& lexer, NameSpelling spelling);

enum class StoreMode : std::uint8_t { Replace, Add, Remove };
struct StoreArguments {
    SequenceSet set;
    StoreMode mode = StoreMode::Replace;
    bool silent = false;
    FlagSet flags;
    std::optional<std::uint64_t> unchanged_since = {};  ///< RFC 7162 3.1.3.
};
Result<StoreArguments> parse_store(Lexer& lexer);

/// One message of an APPEND.
struct AppendMessage {
    FlagSet flags;
    std::optional<WallTime> internal_date;
    LiteralToken literal;
    bool utf8 = false;  ///< UTF8 (~{n} ...): RFC 6855 4; taken without ENABLE (Q14).
};
struct AppendArguments {
    MailboxName mailbox;
    std::vector<AppendMessage> messages;  ///< One; more in the syntax of RFC 3502.
};
/// The command so far, when its text ends with a literal's header (LiteralOffer): the last message
/// is the one offered.
Result<AppendArguments> parse_append_offer(Lexer& lexer, NameSpelling spelling);
/// The whole command.
Result<AppendArguments> parse_append(Lexer& lexer, NameSpelling spelling);

}  // namespace godwit::imap
