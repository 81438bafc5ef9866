// The arguments of LIST, LSUB, XLIST and STATUS, from the SP after the command's name to its end.
// RFC 3501 6.3.8-6.3.10; RFC 5258 3, 6; RFC 5819; RFC 6154 6; RFC 8438; RFC 9208 4.1.4.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/imap/lexer.h"
#include "wire/imap/mailbox_name.h"

namespace godwit::imap {

/// Bits of what STATUS, and LIST with RETURN (STATUS ...), ask for.
enum class StatusItem : std::uint16_t {
    Messages = 1,
    Recent = 2,
    UidNext = 4,
    UidValidity = 8,
    Unseen = 16,
    Size = 32,             ///< RFC 8438.
    Deleted = 64,          ///< RFC 9208 4.1.4, RFC 9051 6.3.11.
    DeletedStorage = 128,  ///< RFC 9208 4.1.4.
    HighestModSeq = 256,   ///< RFC 7162 3.1.7.
    AppendLimit = 512,     ///< RFC 7889 3.1.
    MailboxId = 1024,      ///< RFC 8474 4.3.
};
/// StatusItem bits.
using StatusItems = std::uint16_t;
constexpr bool has_item(StatusItems items, StatusItem item) {
    return (items & static_cast<StatusItems>(item)) != 0;
}

struct StatusArguments {
    MailboxName mailbox;
    StatusItems items = 0;  ///< At least one.
};
Result<StatusArguments> parse_status(Lexer& lexer, NameSpelling spelling);

/// LIST, LSUB, XLIST (Q17). RFC 3501 6.3.8; the extended form of RFC 5258 3.
struct ListArguments {
    std::string reference;              ///< UTF-8, may be empty.
    std::vector<std::string> patterns;  ///< UTF-8, without the reference; at least one.
    bool select_subscribed = false;
    bool select_remote = false;     ///< Understood; there are no remote mailboxes.
    bool select_recursive = false;  ///< RECURSIVEMATCH; never alone.
    bool select_special_use = false;
    bool return_subscribed = false;
    bool return_children = false;
    bool return_special_use = false;
    bool return_my_rights = false;             ///< RFC 8440.
    StatusItems return_status = 0;             ///< RFC 5819.
    std::vector<std::string> return_metadata;  ///< Entries; RFC 9590.
    bool extended = false;                     ///< Any of the extended syntax was used.
};
Result<ListArguments> parse_list(Lexer& lexer, NameSpelling spelling);

}  // namespace godwit::imap
