// What a client that comes back is told: which messages are gone since, and how the others changed.
// RFC 7162 3.2.5, 3.2.6, 3.2.10.1, 5.
#pragma once

#include "serve/imap/conversation.h"
#include "wire/imap/select.h"

namespace godwit::serve::imap_desk {

/// The uids of a set that the selected mailbox may ever have had: "*" is the last one given.
imap::NumberSet uids_ever(Conversation* c, const imap::SequenceSet* set);
/// "* VANISHED (EARLIER)" of those of `uids` that were expunged after `since`; of all that are gone
/// when nobody knows any more when they went. Errors mean that the connection is lost.
net::Task<Result<>> tell_vanished_earlier(Conversation* c, imap::NumberSet uids, ModSeq since);
/// SELECT (QRESYNC (...)) of the mailbox that was just described. Errors as above.
net::Task<Result<>> resynchronise(Conversation* c, imap::QresyncArguments known);

}  // namespace godwit::serve::imap_desk
