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

/// How long a plan that may wait (Plan::may_wait) waits for a group to ride in.
inline constexpr std::chrono::milliseconds kCommitPatience{50};

/// What the loop works with. All must outlive the committer.
struct CommitterParts {
    Kv* kv = nullptr;
    BlobStore* blobs = nullptr;
    Stamper* stamper = nullptr;
    ChangeBus* changes = nullptr;
    Clock* clock = nullptr;
    CommitSeq last;  ///< The newest commit in `kv`.
    /// Called on the commit thread before each group, to look at the disk. May be null.
    std::function<void()> before_group;
    /// Called when something was submitted while nothing waited, on the caller's thread: who drives
    /// by hand learns when. May be null.
    std::function<void()> on_pending;
    /// Called (once, on the commit thread) when a write, a sync or a read of the engine failed:
    /// nothing further is committed, all pending plans fail with Closed, and the process is
    /// expected to end.
    std::function<void(const Error&)> on_fatal;
};

struct CommitDrive;

/// Owns the order of all changes. submit() from any thread. The queue is not bounded here: each
/// connection and each delivery waits for the plan it submitted.
class Committer {
public:
    Committer(CommitterParts parts, CommitDrive drive);
    ~Committer();
    Committer(const Committer&) = delete;
    Committer& operator=(const Committer&) = delete;

    /// Takes the plan in order. Completion always comes, also at stop (Closed).
    void submit(std::unique_ptr<Plan> plan, CommitCompletion completion);

    /// The same for housekeeping; its rows come before those of the group's plans. The receipt has
    /// no results.
    void submit_work(CommitWork work, CommitCompletion completion);

    /// At Critical, plans fail with DiskFull unless they only make the store smaller. Any thread.
    void set_disk_room(DiskRoom room);

    /// The disk failed elsewhere: nothing more is committed, and what waits fails with Closed.
    /// Any thread; does not wait.
    void break_off();

    /// The last durable commit. Any thread.
    [[nodiscard]] CommitSeq last_durable() const;

    /// Commits all that is pending as one group; false when nothing was. Manual drive only.
    bool run_once();

    /// Finishes what is pending, then stops; later plans fail with Closed on the caller's thread.
    /// Idempotent.
    void stop();

    struct Inner;

private:
    std::unique_ptr<Inner> inner_;
};

/// The thread that drives a committer.
class CommitLoop {
public:
    virtual ~CommitLoop() = default;
    /// Something waits. With the committer's mutex.
    virtual void wake() = 0;
    /// Once the committer is stopping: returns when the thread has ended.
    virtual void join() = 0;
};

/// How the committer is driven: by its own thread in production, by hand (run_once) in tests and
/// the simulator, which does not even link the thread.
struct CommitDrive {
    std::unique_ptr<CommitLoop> (*start)(Committer::Inner&) = nullptr;
    bool operator==(const CommitDrive&) const = default;
    static const CommitDrive Thread;
    static const CommitDrive Manual;
};

}  // namespace godwit::store
