// Puts a damaged store in order: rebuilds every row that follows from others, finds lost places of
// bodies again in the segments, and lists what nobody can bring back. Law: RELIABILITY.md 3 and 7;
// docs/storage.md "Repair"; docs/decisions/0021. No server may run on the folder meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "store/blob/file.h"
#include "store/commit/plan.h"
#include "store/kv/kv.h"

namespace godwit::store {

struct RepairOptions {
    /// Where bodies are; null: in rows of the engine alone (tests).
    FileSystem* files = nullptr;
    std::string blobs_folder;
    /// Reads each body and compares its hash: the slow part. Without it only what has no readable
    /// place counts as lost.
    bool read_bodies = true;
    /// Removes what cannot be brought back from mailboxes and queue, instead of leaving it there.
    bool drop_lost = false;
    /// The engine has lost rows (Rescue): what nothing refers to may be somebody's. The repair also
    /// finds that out by itself where the store's own rows are missing or too old.
    bool are_keys_missing = false;
    WallTime now{};
    /// The record of a message whose row M is lost: by its body. Required.
    std::function<MessageRecord(const BlobId& blob, std::string_view body)> make_record;
    /// Called before the commit number is put forward to this one: makes it durable that the engine
    /// may begin there. Null: the engine does not ask (tests).
    std::function<Result<>(CommitSeq first)> begin_commits_at;
};

/// Something that is gone for good, with all that is still known of it.
struct Loss {
    std::string what;       ///< "message body", "queued message" ...
    AccountId account{};    ///< 0: none.
    std::string address{};  ///< The account's, when its row can still be read.
    std::string mailbox{};
    Uid uid{};
    std::string message{};  ///< Message-ID or the id in the queue.
    std::string detail{};
    bool operator==(const Loss&) const = default;
};
std::string to_string(const Loss& loss);

struct RepairReport {
    /// What was put right, by kind, and how often.
    std::map<std::string, std::uint64_t> repaired;
    /// Beyond repair; the first limits::repair_losses_max of them.
    std::vector<Loss> lost;
    std::uint64_t losses = 0;
    /// Whole bodies that nothing refers to any more. They stay until somebody takes them back
    /// (`--recover-to`) or drops them.
    std::vector<BlobId> orphans;
    std::uint64_t orphans_found = 0;  ///< All of them.
    /// Rows are gone and nobody can say which: bodies in segments that no row names were given a
    /// place, so that they stay, and are among the orphans.
    bool are_keys_missing = false;
};

/// Losses and orphans that a report names; more are only counted. A terminal shows no more.
inline constexpr std::size_t repair_losses_max = 10'000;
/// Rows of one commit of a repair: a crash costs no more work than that.
inline constexpr std::size_t repair_batch_rows_max = 256;

/// In bounded batches, each durable and harmless by itself: may be cut off anywhere and run again;
/// a second run changes nothing. Memory grows with the largest account. Fails only when the engine
/// cannot be read or written.
Result<RepairReport> repair(Kv& kv, const RepairOptions& options);

}  // namespace godwit::store
