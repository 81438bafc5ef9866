#include "net/io/shard.h"

#include "base/result.h"
#include "net/io/root.h"

namespace godwit::net {

namespace {
thread_local Shard* current_shard = nullptr;
}  // namespace

Shard* Shard::current() {
    return current_shard;
}

Shard& Shard::here() {
    check(current_shard != nullptr, "called on a shard");
    return *current_shard;
}

Shard::Enter::Enter(Shard& shard) : before_(current_shard) {
    current_shard = &shard;
}
Shard::Enter::~Enter() {
    current_shard = before_;
}

Shard::~Shard() = default;

Timer& Timer::operator=(Timer&& other) noexcept {
    if (this != &other) {
        cancel();
        shard_ = std::exchange(other.shard_, nullptr);
        at_ = other.at_;
        sequence_ = other.sequence_;
    }
    return *this;
}

void Timer::cancel() {
    if (Shard* shard = std::exchange(shard_, nullptr)) {
        // The work may own other timers: let it die when the map is whole again.
        auto dropped = shard->timers_.extract({at_, sequence_});
    }
}

Timer Shard::call_at(MonoTime at, Work work) {
    bool is_earliest = timers_.empty() || at < timers_.begin()->first.first;
    std::uint64_t sequence = timer_sequence_++;
    timers_.emplace(TimerKey{at, sequence}, std::move(work));
    if (is_earliest) {
        arm(at);
    }
    return Timer(this, at, sequence);
}

MonoTime Shard::next_timer() const {
    return timers_.empty() ? kNever : timers_.begin()->first.first;
}

MonoTime Shard::run_due_timers() {
    // Those set while this runs wait for the next round, else a timer that sets itself for now
    // would hold the loop.
    std::uint64_t last = timer_sequence_;
    MonoTime time = now();
    auto at = timers_.begin();
    while (at != timers_.end() && at->first.first <= time) {
        if (at->first.second >= last) {
            ++at;
            continue;
        }
        auto due = timers_.extract(at);
        due.mapped()();
        at = timers_.begin();
    }
    return next_timer();
}

void Shard::ready(Waiter& waiter) {
    waiter.is_woken = true;
    ready_.push_back(waiter);
    if (!ready_posted_) {
        ready_posted_ = true;
        post([this] { run_ready(); });
    }
}

void Shard::run_ready() {
    ready_posted_ = false;
    // Only those that stand here now: who becomes ready meanwhile lets posted work run first.
    List<Waiter> batch;
    batch.append(ready_);
    while (Waiter* waiter = batch.pop_front()) {
        waiter->handle.resume();
    }
}

std::vector<std::string> Shard::task_names() const {
    std::vector<std::string> names;
    roots_.each([&](const detail::Root& root) { names.push_back(root.name); });
    return names;
}

void Shard::cancel_tasks() {
    while (detail::Root* root = roots_.back()) {
        root->frame.destroy();
    }
}

namespace {
/// A task between two shards: owned by the posted work that carries it.
class InFlight {
public:
    explicit InFlight(detail::Root* root) : root_(root) {}
    InFlight(InFlight&& other) noexcept : root_(std::exchange(other.root_, nullptr)) {}
    InFlight& operator=(InFlight&&) = delete;
    ~InFlight() {
        if (root_ != nullptr) {
            root_->frame.destroy();
        }
    }
    void land(Shard& shard) { std::exchange(root_, nullptr)->adopt(shard); }

private:
    detail::Root* root_;
};
}  // namespace

void switch_to::leave(detail::Root& root, std::coroutine_handle<> handle, Shard& target) {
    check(root.group == nullptr, "a member of a task group stays on its shard");
    root.release();
    // From the post on the task may run on the other thread: nothing of it is touched after.
    target.post([&target, flight = InFlight(&root), handle]() mutable {
        flight.land(target);
        handle.resume();
    });
}

}  // namespace godwit::net
