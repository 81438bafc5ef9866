// Finding messages, for the commands that do something with what was found: SEARCH, SORT, THREAD.
#pragma once

#include <optional>
#include <vector>

#include "net/io/task.h"
#include "serve/imap/conversation.h"
#include "wire/imap/search.h"

namespace godwit::serve::imap_desk {

/// What is said instead of searching: the program does not parse, or cannot be asked now. nullopt:
/// go on. Reads the keywords. `program` must outlive the task.
net::Task<std::optional<Answer>> forbid_search(Conversation* c,
                                               const Result<imap::SearchProgram>* program);
/// The messages that the program finds, rising. Errors are the store's.
net::Task<Result<std::vector<Uid>>> find_messages(Conversation* c, imap::SearchProgram program);

}  // namespace godwit::serve::imap_desk
