// The LIST line by which a client learns of one mailbox that it did not list: its name as we keep
// it. RFC 9051 6.3.2, 6.3.9.7. Only for who enabled IMAP4rev2 (Q41).
#pragma once

#include <string_view>

#include "serve/imap/conversation.h"
#include "store/mailbox/mailbox.h"

namespace godwit::serve::imap_desk {

/// "* LIST (...) "/" name", with OLDNAME when the client `asked` for it by another spelling.
void write_name(Conversation* c, const store::MailboxState& mailbox, std::string_view asked);
/// The same of a name that was just made, taken or given up, where it differs from what was
/// `asked`; nothing otherwise.
void tell_other_name(Conversation* c, std::string_view attributes, std::string_view name,
                     std::string_view asked);

}  // namespace godwit::serve::imap_desk
