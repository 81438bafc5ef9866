// Makes plans happen: draws ids, checks what must hold, and turns steps into rows.
// Law: ARCHITECTURE.md house rule 1; STORE.md "The commit path"; RELIABILITY.md I15-I25.
// A plan that does not fit leaves no trace, neither in rows nor in the counters kept in memory.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "store/commit/plan.h"
#include "store/kv/kv.h"
#include "store/mailbox/change.h"

namespace godwit::store {

/// What a group became, beside its rows.
struct GroupOutcome {
    /// Bodies that gained a link and have one at the end of the group: stage each that a stamped
    /// plan carried (BlobStore::stage does nothing for one that is stored already). No doubles.
    std::vector<BlobId> linked;
    /// Bodies stored before the group whose last link went away in it: stage_removal(). No doubles.
    std::vector<BlobId> unlinked;
    /// To publish after the commit, in this order; one an account.
    std::vector<std::shared_ptr<const AccountChange>> accounts;
    /// Null when the queue did not change.
    std::shared_ptr<const QueueChange> queue;
};

/// Turns plans into rows, one group at a time. Keeps account heads and mailbox counters in memory
/// (bounded by limits::stamper_accounts_max) and the rows of the open group, so that a plan sees
/// what the plans before it did. Commit thread only; the kv must outlive it.
///
/// The order of calls: begin_group, stamp for each plan, then either finish_group and a successful
/// Kv::commit, or abandon_group.
class Stamper {
public:
    explicit Stamper(const Kv* kv);
    ~Stamper();
    Stamper(const Stamper&) = delete;
    Stamper& operator=(const Stamper&) = delete;

    /// Opens a group that will be commit number `seq`. `now` is the time all its rows carry.
    void begin_group(CommitSeq seq, WallTime now);
    /// All of the plan, or nothing of it. Reads rows with ReadTier::Disk (planners have warmed
    /// them). An error of the kv itself (Io, Corrupt) comes as a failure like any other.
    [[nodiscard]] std::expected<std::vector<StepResult>, PlanFailure> stamp(const Plan& plan);
    /// Octets of the rows changed so far in the open group; for commit_group_bytes_max.
    [[nodiscard]] std::size_t group_size() const;
    /// Closes the group: adds its rows, the heads and counters they moved, and the commit's number
    /// (what read_commit_seq gives) to `batch`.
    [[nodiscard]] GroupOutcome finish_group(Batch& batch);
    /// After finish_group: BlobStore::stage said New for this body of the group, so that all its
    /// links are known from now on.
    void body_is_new(const BlobId& body);
    /// Forgets the open group and all that is kept in memory.
    void abandon_group();

private:
    struct Inner;
    std::unique_ptr<Inner> inner_;
};

}  // namespace godwit::store
