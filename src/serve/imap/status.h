// The STATUS line of a mailbox, as STATUS, LIST-STATUS and NOTIFY write it.
#pragma once

#include "net/io/task.h"
#include "serve/imap/conversation.h"
#include "serve/imap/place.h"
#include "wire/imap/list.h"

namespace godwit::serve::imap_desk {

/// Whether the client asked for the line. RFC 7162 3.1: who asks for HIGHESTMODSEQ knows of it.
enum class StatusCause : std::uint8_t { Asked, Notified };

/// Writes "* STATUS name (...)" with `items` (at least one: Q33) of `place`, which must outlive the
/// task. Errors are the store's; nothing is written then.
net::Task<Result<>> write_status(Conversation* c, const Place* place, imap::StatusItems items,
                                 StatusCause cause = StatusCause::Asked);

}  // namespace godwit::serve::imap_desk
