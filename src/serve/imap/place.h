// Where a mailbox name leads and what the client may do there: the one way from a name to an
// account's mailbox. SECURITY.md T83 (what one may not see is not there), T84 (every command asks
// here). RFC 4314 4, 6.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "net/io/task.h"
#include "serve/imap/conversation.h"
#include "store/mailbox/access.h"
#include "store/mailbox/mailbox.h"

namespace godwit::serve::imap_desk {

/// A mailbox, and what the client may do with it. Those of others have no special use (Q5).
struct Place {
    AccountId account;  ///< Whose it is.
    store::Rights rights;
    store::MailboxState state;  ///< `name` is what the client calls it.
    std::string path{};         ///< What its owner calls it.

    [[nodiscard]] bool may(store::Right right) const { return rights.has(right); }
};

/// A mailbox of the client's own.
Place own_place(const Conversation& c, store::MailboxState state);

/// The mailbox of that UTF-8 name, which is brought to normal form C; nullopt when there is none
/// that the client may know of: who has none of the rights "lrikxa" sees nothing (RFC 4314 4,
/// "Any").
net::Task<Result<std::optional<Place>>> find_place(Conversation* c, std::string name);

/// Of the answer's kind: why not.
template <class T>
using Sought = std::expected<T, Answer>;

enum class Wanted : std::uint8_t {
    Name,     ///< Any name.
    Messages  ///< One that messages can be in.
};
/// The same for a command that needs `right` there. RFC 4314 6: who may look it up is told NOPERM,
/// others that there is none.
net::Task<Sought<Place>> seek_place(Conversation* c, std::string name, store::Right right,
                                    Wanted wanted, std::string doing);

/// What the client may do with a mailbox by now.
net::Task<Result<store::Rights>> rights_now(Conversation* c, AccountId owner, MailboxId mailbox);
/// The same two answers, for one who has these rights and not the one that is needed.
Answer refuse_place(store::Rights rights);

/// Where a mailbox that is not there yet would be.
struct NewPlace {
    AccountId account;
    std::string path;  ///< What its owner calls it, in normal form C.
    std::string name;  ///< What the client calls it.
};
/// RFC 4314 4, CREATE: "k" on the nearest mailbox above. Whoever lacks it learns nothing of what is
/// there. Names of levels above others' mailboxes are nobody's to make.
net::Task<Sought<NewPlace>> seek_new_place(Conversation* c, std::string name, std::string doing);

/// Mailboxes of others that the client may look up, by name; at most store::grants_max.
net::Task<Result<std::vector<Place>>> list_places_of_others(Conversation* c);

/// RFC 3501 7.1: where CREATE might help, the answer to APPEND and COPY says so.
Answer try_create(Answer refused);

/// The flags that somebody may change with these rights.
store::FlagMask flag_mask(store::Rights rights);

}  // namespace godwit::serve::imap_desk
