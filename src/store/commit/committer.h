// The commit thread: takes plans in order, stamps each, syncs the whole group once, publishes the
// changes, then resumes the callers. Queue order is commit order is mod-sequence order.
// Law: ARCHITECTURE.md house rule 1; RELIABILITY.md 2; STORE.md "The commit path".
#pragma once

#include <functional>
#include <memory>

#include "store/commit/plan.h"
#include "store/kv/kv.h"
#include "store/mailbox/change.h"

namespace godwit::store {

/// Called once, on the commit thread, after the group is durable and published (or at once when the
/// plan did not fit). Must not block and must not throw; it usually posts to a shard.
using CommitCompletion = std::move_only_function<void(CommitResult)>;

/// Rows of the store's own housekeeping, put into the group's batch on the commit thread, in order
/// with the plans. An error leaves no trace in the batch.
using CommitWork = BlobStore::CommitWork;

/// How full the disk is: intake stops at Low (see Store), growing plans are refused at Critical.
enum class DiskRoom : std::uint8_t { Ample, Low, Critical };

class Stamper;

/// How the loop is driven: its own thread in production, by hand in tests and the simulator.
enum class CommitDrive : std::uint8_t { Thread, Manual };

/// Owns the order of all changes. submit() from any thread.
class Committer {
public:
    /// All must outlive the committer. `on_fatal` is called (once, on the commit thread) when a write
    /// or a sync failed: nothing further is committed, all pending plans fail with Closed, and the
    /// process is expected to end.
    Committer(Kv* kv, BlobStore* blobs, Stamper* stamper, ChangeBus* changes, CommitDrive drive,
              std::function<void(const Error&)> on_fatal);
    ~Committer();
    Committer(const Committer&) = delete;
    Committer& operator=(const Committer&) = delete;

    /// Takes the plan in order. Completion always comes, also at stop (Closed).
    void submit(std::unique_ptr<Plan> plan, CommitCompletion completion);

    /// The same for housekeeping; the receipt has no results.
    void submit_work(CommitWork work, CommitCompletion completion);

    /// At Critical, plans fail with DiskFull unless they only make the store smaller. Any thread.
    void set_disk_room(DiskRoom room);

    /// Called on the commit thread before each group, to look at the disk. Before the first submit.
    void set_before_group(std::function<void()> hook);

    /// The last durable commit. Any thread.
    [[nodiscard]] CommitSeq last_durable() const;

    /// Commits all that is pending as one group; false when nothing was. Manual drive only.
    bool run_once();

    /// Finishes what is pending, then stops; later plans fail with Closed on the caller's thread.
    /// Idempotent.
    void stop();

private:
    struct Inner;
    std::unique_ptr<Inner> inner_;
};

}  // namespace godwit::store
