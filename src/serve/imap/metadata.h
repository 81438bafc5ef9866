// The METADATA line of a mailbox, as GETMETADATA and LIST-METADATA write it. RFC 5464 4.4.1.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "net/io/task.h"
#include "serve/imap/conversation.h"
#include "wire/imap/metadata.h"

namespace godwit::serve::imap_desk {

/// What GETMETADATA asks for.
struct MetadataQuestion {
    std::vector<std::string> entries{};
    imap::MetadataDepth depth = imap::MetadataDepth::Zero;
    std::optional<std::uint32_t> max_size{};
};

/// Writes "* METADATA name (...)" of `mailbox` (null: the server); an entry that is asked for and
/// not there is NIL. Gives the size of the largest value that max_size held back, 0 for none. Both
/// arguments must outlive the task. Errors are the store's; nothing is written then.
net::Task<Result<std::size_t>> write_metadata(Conversation* c, const store::MailboxState* mailbox,
                                              const MetadataQuestion* question);

}  // namespace godwit::serve::imap_desk
