// What several commands do to the selected mailbox: change flags, expunge; in plans of bounded
// size. Errors are the store's; the caller's answer is refusal().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "serve/imap/conversation.h"
#include "store/commit/plan.h"
#include "store/mailbox/mailbox.h"

namespace godwit::serve::imap_desk {

store::FlagNames as_names(const imap::FlagSet& flags);

/// Why the selected mailbox cannot be changed by a command that needs these rights, all of them;
/// nullopt when it can. Q45; RFC 4314 4.
std::optional<Answer> forbid_change(Conversation* c, store::Rights needed);
/// Why the selected mailbox cannot be read; nullopt when it can.
std::optional<Answer> forbid_read(Conversation* c);

/// What a change of flags did, and what stopped it.
struct FlagOutcome {
    std::vector<Uid> changed;   ///< Rising.
    std::vector<Uid> rejected;  ///< Rising; changed after `unchanged_since` by somebody.
    std::optional<Error> failure;
};
/// Changes flags in the selected mailbox, at most limits::plan_rows_max messages a commit. The
/// session is not told of what changed: that is the caller's answer. Flags that the client has no
/// right to change stay as they are.
net::Task<FlagOutcome> change_flags(Conversation* c, std::vector<Uid> uids,
                                    store::FlagChange change, store::FlagNames flags,
                                    std::optional<std::uint64_t> unchanged_since = std::nullopt);
/// Expunges those of `uids` (nullopt: all) in the selected mailbox that have \Deleted; how many.
net::Task<Result<std::size_t>> expunge_deleted(Conversation* c,
                                               std::optional<imap::NumberSet> uids);

/// The `count` uids from `from`, or fewer at the end.
std::vector<Uid> slice(const std::vector<Uid>& uids, std::size_t from, std::size_t count);

}  // namespace godwit::serve::imap_desk
