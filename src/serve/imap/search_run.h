// Finding messages, for the commands that do something with what was found: SEARCH, SORT, THREAD.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "net/io/task.h"
#include "serve/imap/conversation.h"
#include "serve/imap/search_scope.h"
#include "wire/imap/search.h"

namespace godwit::serve::imap_desk {

/// What is said instead of searching: the program does not parse, or cannot be asked now. nullopt:
/// go on. Reads the keywords. `program` must outlive the task. It may ask for the selected mailbox
/// or not, and there need be none then.
net::Task<std::optional<Answer>> forbid_search(Conversation* c,
                                               const Result<imap::SearchProgram>* program,
                                               bool needs_selected = true);
/// How relevant each message is, 1 to 100 (RFC 6203 4).
enum class Scores : std::uint8_t { Unwanted, Wanted };
struct FoundMessages {
    std::vector<Uid> uids;             ///< Rising.
    std::vector<std::uint8_t> scores;  ///< One a uid, if wanted.
};
/// What the indexes of accounts said to one program, so that each is asked once for all mailboxes.
/// Later mail is not known to it, which is right: such mail is read.
struct IndexKnowledge;
using KnownIndexes = std::map<AccountId, std::shared_ptr<const IndexKnowledge>>;
/// The messages of the mailbox that the program finds. `known` (or null) outlives the task. Errors
/// are the store's, and LimitExceeded.
/// `among` (rising, outlives the task; null: all) are those that are looked at.
net::Task<Result<FoundMessages>> find_messages(Conversation* c, SearchScopeView scope,
                                               imap::SearchProgram program, Scores scores,
                                               KnownIndexes* known = nullptr,
                                               const std::vector<Uid>* among = nullptr);

}  // namespace godwit::serve::imap_desk
