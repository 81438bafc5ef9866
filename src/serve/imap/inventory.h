// What an account has to list: its mailboxes and subscriptions, and what LIST says of one.
// RFC 3501 7.2.2; RFC 3348; RFC 5258; RFC 6154 2.
#pragma once

#include <string>
#include <vector>

#include "net/io/task.h"
#include "serve/imap/conversation.h"
#include "store/mailbox/mailbox.h"

namespace godwit::serve::imap_desk {

/// Read in one step: both lists are bounded (limits::mailboxes_max).
struct Inventory {
    std::vector<store::MailboxState> mailboxes;  ///< By name, INBOX first.
    std::vector<std::string> subscriptions;
};
net::Task<Result<Inventory>> take_inventory(Conversation* c);

/// The attributes of a name but its special use, without parentheses; never empty. Null: no mailbox
/// has the name. Q11: that alone is \NonExistent.
std::string list_attributes(const store::MailboxState* mailbox, bool has_inferiors);

}  // namespace godwit::serve::imap_desk
