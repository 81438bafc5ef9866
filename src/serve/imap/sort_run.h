// Bringing messages into the order that SORT asks for. RFC 5256 3; RFC 5957 3; RFC 6203 6.
#pragma once

#include <memory>
#include <vector>

#include "net/io/task.h"
#include "serve/imap/search_run.h"
#include "wire/imap/sort.h"

namespace godwit::serve::imap_desk {

/// Those of `found` that are still in the selected mailbox, in that order. Errors are the store's.
net::Task<Result<std::vector<Uid>>> sort_messages(Conversation* c,
                                                  std::vector<imap::SortCriterion> criteria,
                                                  std::shared_ptr<const FoundMessages> found);

}  // namespace godwit::serve::imap_desk
