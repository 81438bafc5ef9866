// Brings an account's search index up to its emails: reads what is new, merges segments, drops what
// emails that are gone left. In bounded steps, each a piece of reading or a plan.
// Law: docs/storage.md ("The search index"); docs/decisions/0024.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "store/commit/plan.h"
#include "store/mailbox/mailbox.h"
#include "store/search/rows.h"
#include "store/search/segment_builder.h"
#include "store/search/segment_merge.h"
#include "store/store.h"

namespace godwit::store {

/// Memory that the terms of emails may take before they become a segment.
inline constexpr std::size_t kIndexMemoryMax = 8ULL * 1024 * 1024;
/// How long at most what is left of emails that are gone stays.
inline constexpr std::chrono::hours kIndexCleanEvery(24);

/// So many emails wait until they are worth a segment; searches read them in some milliseconds.
inline constexpr std::uint32_t kIndexAtOnce = 16;

struct IndexStep {
    std::optional<Plan> plan{};  ///< To commit before the next step.
    bool is_done = false;        ///< There is nothing to do.
};

/// How far an account's index is.
struct IndexProgress {
    std::uint32_t covered = 0;  ///< Emails below this number are in it.
    std::uint32_t next_email = 0;
    std::uint64_t emails = 0;  ///< That it knows.
    std::uint64_t unsure = 0;  ///< Of these, that searches read themselves.
    std::uint64_t octets = 0;
    std::size_t segments = 0;
};
Result<IndexProgress> read_index_progress(const Snapshot& snapshot, ReadTier tier,
                                          AccountId account);
/// Whether a run is worth it now.
Result<bool> is_index_due(const Snapshot& snapshot, ReadTier tier, AccountId account, WallTime now);
/// Makes the index anew: what was there counts no more.
Result<Plan> plan_index_anew(const Snapshot& snapshot, ReadTier tier, AccountId account);

/// One account's work. One caller at a time, off the shards: it blocks on the disk. When a plan is
/// not committed, or a step fails, the run is over: the next one begins with what the rows say.
class IndexRun {
public:
    /// `store` outlives it.
    IndexRun(Store* store, AccountId account) : store_(store), account_(account) {}
    /// The next piece: some milliseconds.
    Result<IndexStep> step(WallTime now);
    /// Octets that terms and rows take now, about.
    [[nodiscard]] std::size_t memory() const;

private:
    Result<IndexStep> choose(const Snapshot& snapshot, WallTime now);
    Result<std::optional<Plan>> remove_leftovers(const Snapshot& snapshot);
    Result<> read_emails(const Snapshot& snapshot);
    void end_batch();
    Result<> merge_some(const Snapshot& snapshot);
    Result<> note_living(const Snapshot& snapshot);
    Result<bool> begin_cleaning(const Snapshot& snapshot, WallTime now);
    [[nodiscard]] bool is_clean_due(const AccountHead& head, WallTime now) const;
    [[nodiscard]] std::vector<IndexSegment> merge_candidates() const;
    Plan take_plan();
    Plan change(std::vector<Batch::Entry> entries) const;
    Plan drop();

    Store* store_;
    AccountId account_;
    std::optional<std::string> row_;  ///< The state's row as it is on disk.
    IndexState state_;
    bool has_state_ = false;
    bool is_tidy_ = false;   ///< No rows but those of the state's segments.
    std::uint32_t end_ = 0;  ///< Emails below are there.

    std::unique_ptr<SegmentBuilder> builder_;
    std::uint32_t next_email_ = 0;  ///< Of the builder.
    std::unique_ptr<SegmentMerge> merge_;
    /// Emails that are there and those of segments that are not; while cleaning.
    struct Cleaning {
        std::string next_key;
        EmailSet living;
        bool knows_all = false;
        std::uint32_t end = 0;
        std::size_t segment = 0;  ///< The next to look at.
        EmailSet gone;            ///< Of that segment.
    };
    std::unique_ptr<Cleaning> cleaning_;
    /// Rows to be written, and the state that counts them in.
    std::vector<Batch::Entry> rows_;
    std::size_t rows_at_ = 0;
    std::optional<IndexState> next_state_;
};

}  // namespace godwit::store
