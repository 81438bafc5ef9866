// The inside of the committer, for the file that drives it by a thread. Private to store/commit.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>

#include "store/commit/committer.h"
#include "store/commit/stamper.h"

namespace godwit::store {

namespace detail {
struct Item {
    std::unique_ptr<Plan> plan;  // Else work.
    CommitWork work;
    CommitCompletion completion;
};

/// Part of the open group, waiting for its sync.
struct Stamped {
    std::unique_ptr<Plan> plan;  // Kept for its bodies.
    CommitCompletion completion;
    std::vector<StepResult> results;
};
}  // namespace detail

struct Committer::Inner {
    explicit Inner(CommitterParts with) : parts(std::move(with)), durable(parts.last.value()) {}

    void push(detail::Item item);
    enum class Patience : std::uint8_t { Keep, Spent };
    bool pull(Patience patience);
    void run_group();
    void take(detail::Item item);
    void take_work(detail::Item item);
    Result<bool> finish_group();
    Result<> stage_bodies(const GroupOutcome& outcome);
    void complete_group(CommitSeq seq);
    void fail(const Error& error);
    void close_pending();

    CommitterParts parts;
    std::atomic<DiskRoom> room = DiskRoom::Ample;
    std::atomic<std::uint64_t> durable;
    std::atomic<bool> is_broken_off = false;

    std::mutex mutex;  // Of what follows.
    std::vector<detail::Item> pending;
    std::vector<detail::Item> patient;  // Plans that may wait; they go with the next pending ones.
    bool is_stopping = false;
    bool is_closed = false;

    // The commit thread's own.
    std::deque<detail::Item> taken;
    std::vector<detail::Stamped> group;
    std::size_t group_bodies = 0;
    Batch batch;
    GroupOutcome outcome;
    std::optional<Error> broken;  // A read of the engine failed while stamping.

    std::unique_ptr<CommitLoop>
        loop;  // Null: by hand. The last member: its thread uses the others.
};

}  // namespace godwit::store
