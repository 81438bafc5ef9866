#include "store/commit/committer.h"

#include <unordered_set>

#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "store/commit/committer_inner.h"
#include "store/kv/meta.h"

namespace godwit::store {

using detail::Item;
using detail::Stamped;

namespace {

CommitResult closed() {
    return std::unexpected(PlanFailure{
        .error = {ErrorKind::Temporary, ErrorCode::Closed, "the store takes no more changes"},
        .step = 0});
}

// \Deleted set on messages: without it nobody could remove any over IMAP. No new names of keywords.
bool marks_for_removal(const PlanStep& step) {
    const auto* change = std::get_if<ChangeFlags>(&step);
    return change != nullptr && change->change == FlagChange::Add &&
           change->flags.keywords.empty() && change->flags.has(SystemFlag::Deleted);
}

bool makes_smaller(const PlanStep& step) {
    return std::holds_alternative<ExpungeMessages>(step) || marks_for_removal(step) ||
           std::holds_alternative<DeleteMailbox>(step) ||
           std::holds_alternative<UpdateQueue>(step) ||
           std::holds_alternative<RemoveFromQueue>(step) ||
           std::holds_alternative<PurgeRemains>(step) ||
           std::holds_alternative<TrimChangeLog>(step) || std::holds_alternative<TrimTrace>(step);
}

// A row of an upper floor's own book-keeping, that one or none goes with a change.
constexpr std::size_t kSmallRow = 256;

// What may stand beside a removal: its trail, conditions that write nothing, one small row.
bool goes_with_removal(const PlanStep& step) {
    const auto is_small = [](const Batch::Entry& entry) {
        return entry.key.size() + (entry.value ? entry.value->size() : 0) <= kSmallRow;
    };
    const auto* rows = std::get_if<ChangeRows>(&step);
    return std::holds_alternative<TraceEvent>(step) ||
           (rows != nullptr && rows->entries.size() <= 1 &&
            std::ranges::all_of(rows->entries, is_small));
}

/// What may run on a disk that is all but full: something goes away and nothing but its trail
/// comes.
bool only_makes_smaller(const Plan& plan) {
    bool is_any = false;
    for (const PlanStep& step : plan.steps) {
        is_any = is_any || makes_smaller(step);
        if (!makes_smaller(step) && !goes_with_removal(step)) {
            return false;
        }
    }
    return is_any && plan.bodies.empty();
}

std::size_t body_bytes(const Plan& plan) {
    std::size_t bytes = 0;
    for (const NewBody& body : plan.bodies) {
        bytes += static_cast<std::size_t>(body.size);
    }
    return bytes;
}

}  // namespace

constinit const CommitDrive CommitDrive::Manual{.start = nullptr};

Committer::Committer(CommitterParts parts, CommitDrive drive)
    : inner_(std::make_unique<Inner>(std::move(parts))) {
    if (drive.start != nullptr) {
        inner_->loop = drive.start(*inner_);
    }
}

Committer::~Committer() {
    stop();
}

void Committer::submit(std::unique_ptr<Plan> plan, CommitCompletion completion) {
    check(plan != nullptr, "submit without a plan");
    inner_->push({.plan = std::move(plan), .work = {}, .completion = std::move(completion)});
}

void Committer::submit_work(CommitWork work, CommitCompletion completion) {
    inner_->push({.plan = nullptr, .work = std::move(work), .completion = std::move(completion)});
}

void Committer::set_disk_room(DiskRoom room) {
    inner_->room.store(room);
}

void Committer::break_off() {
    const std::scoped_lock lock(inner_->mutex);
    inner_->is_broken_off.store(true);
    inner_->is_closed = true;
    if (inner_->loop != nullptr) {
        inner_->loop->wake();
    }
}

CommitSeq Committer::last_durable() const {
    return CommitSeq(inner_->durable.load());
}

bool Committer::run_once() {
    check(inner_->loop == nullptr, "run_once() beside the commit thread");
    if (!inner_->pull(Inner::Patience::Spent)) {
        return false;
    }
    while (!inner_->taken.empty()) {
        inner_->run_group();
    }
    return true;
}

void Committer::stop() {
    {
        const std::scoped_lock lock(inner_->mutex);
        inner_->is_stopping = true;
    }
    if (inner_->loop != nullptr) {
        inner_->loop->join();
    } else {
        while (run_once()) {
        }
    }
    inner_->close_pending();
}

void Committer::Inner::push(Item item) {
    bool is_taken = false;
    bool is_first = false;
    {
        const std::scoped_lock lock(mutex);
        if (!is_closed) {
            is_taken = true;
            is_first = pending.empty() && patient.empty();
            const bool may_wait = item.plan != nullptr && item.plan->may_wait;
            const bool is_first_patient = may_wait && patient.empty();
            (may_wait ? patient : pending).push_back(std::move(item));
            // The first patient one is told of too, so that the thread sleeps only so long.
            if (loop != nullptr && (!may_wait || is_first_patient)) {
                loop->wake();
            }
        }
    }
    if (is_taken) {
        if (is_first && parts.on_pending) {
            parts.on_pending();
        }
        return;
    }
    item.completion(closed());
}

// Takes what is pending, and with it (or alone, once their patience is spent) what may wait.
bool Committer::Inner::pull(Patience patience) {
    std::vector<Item> more;
    std::vector<Item> riders;
    {
        const std::scoped_lock lock(mutex);
        more.swap(pending);
        if (!more.empty() || patience == Patience::Spent) {
            riders.swap(patient);
        }
    }
    std::ranges::move(more, std::back_inserter(taken));
    std::ranges::move(riders, std::back_inserter(taken));
    return !more.empty() || !riders.empty();
}

void Committer::Inner::run_group() {
    if (is_broken_off.load()) {
        return close_pending();
    }
    if (parts.before_group) {
        parts.before_group();
    }
    const CommitSeq seq(durable.load() + 1);
    parts.stamper->begin_group(seq, parts.clock->wall());
    crash_point<"commit.group_begun">();
    group_bodies = 0;
    while (!taken.empty() && !broken &&
           parts.stamper->group_size() + group_bodies + batch.size() <
               limits::commit_group_bytes_max) {
        Item item = std::move(taken.front());
        taken.pop_front();
        item.plan ? take(std::move(item)) : take_work(std::move(item));
    }
    if (broken) {
        parts.stamper->abandon_group();
        return fail(*broken);
    }
    const auto is_written = finish_group();
    if (!is_written) {
        return fail(is_written.error());
    }
    complete_group(*is_written ? seq : CommitSeq(seq.value() - 1));
}

void Committer::Inner::take(Item item) {
    if (room.load() == DiskRoom::Critical && !only_makes_smaller(*item.plan)) {
        item.completion(std::unexpected(PlanFailure{
            .error = {ErrorKind::Temporary, ErrorCode::DiskFull, "the disk is all but full"},
            .step = 0,
            .plan = std::move(item.plan)}));
        return;
    }
    auto results = parts.stamper->stamp(*item.plan);
    crash_point<"commit.plan_stamped">();
    if (results) {
        group_bodies += body_bytes(*item.plan);
        group.push_back({std::move(item.plan), std::move(item.completion), *std::move(results)});
        return;
    }
    if (results.error().error.code == ErrorCode::Io) {
        broken = results.error().error;
        group.push_back({std::move(item.plan), std::move(item.completion), {}});
        return;
    }
    results.error().plan = std::move(item.plan);
    item.completion(std::unexpected(std::move(results).error()));
}

void Committer::Inner::take_work(Item item) {
    const std::size_t mark = batch.entries().size();
    auto done = item.work(batch);
    crash_point<"commit.work_taken">();
    if (done) {
        group.push_back({nullptr, std::move(item.completion), {}});
        return;
    }
    batch.shrink_to(mark);
    // Also a full disk: what the work had counted in memory before (bodies copied out of a segment)
    // has no rows.
    if (done.error().code == ErrorCode::Io || done.error().code == ErrorCode::DiskFull) {
        broken = done.error();
        group.push_back({nullptr, std::move(item.completion), {}});
        return;
    }
    item.completion(std::unexpected(PlanFailure{.error = std::move(done).error(), .step = 0}));
}

// False when the group had nothing to write.
Result<bool> Committer::Inner::finish_group() {
    outcome = parts.stamper->finish_group(batch);
    crash_point<"commit.group_stamped">();
    TRY(stage_bodies(outcome));
    crash_point<"commit.bodies_staged">();
    const bool was_body_synced = TRY(parts.blobs->sync(batch));
    crash_point<"commit.bodies_synced">();
    // The stamper's last row is the commit's number, which alone says nothing.
    if (batch.entries().size() <= 1) {
        batch.clear();
        return false;
    }
    if (is_broken_off.load()) {
        return temporary_error(ErrorCode::Closed, "the disk failed while the group was made");
    }
    TRY(parts.kv->commit(batch));
    crash_point<"commit.keys_synced">();
    batch.clear();
    const CommitSeq seq(durable.load() + 1);
    durable.store(seq.value());
    parts.blobs->committed(seq);
    crash_point<"commit.blobs_told">();
    count(Metric::CommitGroups);
    count(Metric::CommitPlans, static_cast<std::int64_t>(group.size()));
    count(Metric::CommitSyncs, was_body_synced ? 2 : 1);
    return true;
}

Result<> Committer::Inner::stage_bodies(const GroupOutcome& linked_by) {
    std::unordered_set<BlobId> linked(linked_by.linked.begin(), linked_by.linked.end());
    for (Stamped& stamped : group) {
        if (stamped.plan == nullptr) {
            continue;
        }
        for (NewBody& body : stamped.plan->bodies) {
            const BlobId id = body.id;
            // Once a group: the second of two equal bodies is not stored again.
            if (linked.erase(id) == 0) {
                TRY(parts.blobs->mend(std::move(body), batch));
            } else if (TRY(parts.blobs->stage(std::move(body), batch)) == BlobStore::Staged::New) {
                parts.stamper->body_is_new(id);
            }
        }
    }
    for (const BlobId& id : linked_by.unlinked) {
        TRY(parts.blobs->stage_removal(id, batch));
    }
    return {};
}

// Those who watch hear of it before those who asked: a client that sees its OK never meets a
// session that does not know.
void Committer::Inner::complete_group(CommitSeq seq) {
    for (const auto& change : outcome.accounts) {
        parts.changes->publish(change);
    }
    if (outcome.queue != nullptr) {
        parts.changes->publish(outcome.queue);
    }
    crash_point<"commit.changes_published">();
    outcome = {};
    for (Stamped& stamped : group) {
        stamped.completion(CommitReceipt{.seq = seq, .results = std::move(stamped.results)});
        crash_point<"commit.one_completed">();
    }
    group.clear();
    crash_point<"commit.group_done">();
}

// RELIABILITY.md 2: nothing to roll back, nothing to retry; an unknown outcome is window W2.
void Committer::Inner::fail(const Error& error) {
    const Error told = error;
    broken = std::nullopt;
    probe<"commit.gave_up">();
    log::error("store.commit_failed", {{"error", told.text}});
    {
        const std::scoped_lock lock(mutex);
        is_closed = true;
    }
    if (parts.on_fatal) {
        std::exchange(parts.on_fatal, nullptr)(told);
    }
    for (Stamped& stamped : group) {
        stamped.completion(closed());
    }
    group.clear();
    batch.clear();
    close_pending();
}

void Committer::Inner::close_pending() {
    {
        const std::scoped_lock lock(mutex);
        is_closed = true;
    }
    pull(Patience::Spent);
    while (!taken.empty()) {
        Item item = std::move(taken.front());
        taken.pop_front();
        item.completion(closed());
    }
}

}  // namespace godwit::store
