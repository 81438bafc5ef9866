// The METADATA line of a mailbox, as GETMETADATA and LIST-METADATA write it. RFC 5464 4.4.1.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "net/io/task.h"
#include "serve/imap/conversation.h"
#include "serve/imap/place.h"
#include "wire/imap/metadata.h"

namespace godwit::serve::imap_desk {

/// What GETMETADATA asks for.
struct MetadataQuestion {
    std::vector<std::string> entries{};
    imap::MetadataDepth depth = imap::MetadataDepth::Zero;
    std::optional<std::uint32_t> max_size{};
};

/// RFC 5464 3.3: who may set and read annotations of a mailbox.
bool may_annotate(store::Rights rights);

/// Writes "* METADATA name (...)" of `place` (null: the server); an entry that is asked for and
/// not there is NIL. Gives the size of the largest value that max_size held back, 0 for none. Both
/// arguments must outlive the task. Errors are the store's; nothing is written then.
net::Task<Result<std::size_t>> write_metadata(Conversation* c, const Place* place,
                                              const MetadataQuestion* question);

}  // namespace godwit::serve::imap_desk
