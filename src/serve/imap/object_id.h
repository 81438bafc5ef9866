// ObjectIDs: what a mailbox, an email and a thread are called for ever. RFC 8474 4, 5, 8.1.
// A letter, the account's number and theirs in hexadecimal, so that ids of no two accounts meet.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace godwit::serve::imap_desk {

/// The letter in front.
enum class ObjectKind : char { Mailbox = 'f', Email = 'm', Thread = 't' };

/// "m1a_2f": `number` is that of a MailboxId, EmailId or ThreadId.
std::string object_id(ObjectKind kind, AccountId account, std::uint32_t number);
/// The number, when `text` is object_id(kind, account, number); ids are compared with case.
std::optional<std::uint32_t> parse_object_id(ObjectKind kind, AccountId account,
                                             std::string_view text);
/// "MAILBOXID (f1_2)", a response code.
std::string mailbox_id_code(AccountId account, MailboxId mailbox);

}  // namespace godwit::serve::imap_desk
