// The snapshot of INBOX that a POP3 session works on. RFC 1939 4: numbers are fixed for the
// session; nobody is locked out: what others expunge meanwhile is refused when it is asked for.
#pragma once

#include <string>
#include <vector>

#include "flow/services.h"
#include "net/io/task.h"
#include "store/mailbox/mailbox.h"
#include "wire/pop3/server.h"

namespace godwit::serve {

struct MaildropSnapshot {
    UidValidity uid_validity;
    std::vector<Uid> uids;  ///< In the order of the maildrop.
    std::vector<EmailId> emails;
    pop3::Maildrop listing;  ///< Sizes and unique ids.
};

/// Reads INBOX in bounded steps.
net::Task<Result<MaildropSnapshot>> take_maildrop(const flow::Services* services,
                                                  AccountId account);

/// Removes messages by their place in the snapshot, durably. False when some could not be removed.
net::Task<bool> remove_messages(const flow::Services* services, AccountId account,
                                const MaildropSnapshot* maildrop, std::vector<std::size_t> deleted);

}  // namespace godwit::serve
