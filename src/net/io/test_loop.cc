#include "net/io/test_loop.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

namespace godwit::net {

namespace {
constexpr std::int64_t kStartUnixSeconds = 1767225600;  // 2026-01-01T00:00:00Z
constexpr auto kOutsideWaitMax = std::chrono::seconds(30);
}  // namespace

struct VirtualClock::State {
    std::atomic<std::int64_t> mono_us = std::chrono::microseconds(std::chrono::hours(24)).count();
    std::atomic<std::int64_t> wall_minus_mono_us =
        kStartUnixSeconds * 1000000 - std::chrono::microseconds(std::chrono::hours(24)).count();
};

VirtualClock::VirtualClock() : state_(std::make_unique<State>()) {}
VirtualClock::~VirtualClock() = default;
MonoTime VirtualClock::mono() const {
    return MonoTime(Duration(state_->mono_us.load()));
}
WallTime VirtualClock::wall() const {
    return WallTime(Duration(state_->mono_us.load() + state_->wall_minus_mono_us.load()));
}
void VirtualClock::advance_to(MonoTime at) {
    if (at > mono()) {
        state_->mono_us.store(at.time_since_epoch().count());
    }
}
void VirtualClock::jump_wall(Duration by) {
    state_->wall_minus_mono_us += by.count();
}

namespace {
class LoopShard;

/// What the shards of one loop share: one queue, so that order is the order of posting.
struct LoopQueue {
    struct Item {
        LoopShard* shard;
        Work work;
    };
    std::mutex mutex;
    std::condition_variable arrived;
    std::deque<Item> items;
};

class LoopShard final : public Shard {
public:
    LoopShard(unsigned index, LoopQueue* queue, Clock* clock)
        : Shard(index), queue_(queue), clock_(clock) {}
    void post(Work work) override {
        std::lock_guard lock(queue_->mutex);
        queue_->items.push_back({this, std::move(work)});
        queue_->arrived.notify_one();
    }
    Clock& clock() override { return *clock_; }
    void run(Work& work) {
        Enter enter(*this);
        work();
    }
    void run_timers() {
        Enter enter(*this);
        run_due_timers();
    }
    void cancel() {
        Enter enter(*this);
        cancel_tasks();
    }
    using Shard::next_timer;

protected:
    void arm(MonoTime) override {}

private:
    LoopQueue* queue_;
    Clock* clock_;
};
}  // namespace

struct TestLoop::State {
    VirtualClock clock;
    LoopQueue queue;
    std::vector<std::unique_ptr<LoopShard>> shards;

    std::size_t outside_waits() const {
        std::size_t all = 0;
        for (const auto& shard : shards) {
            all += shard->outside_waits();
        }
        return all;
    }
    MonoTime next_timer() const {
        MonoTime next = kNever;
        for (const auto& shard : shards) {
            next = std::min(next, shard->next_timer());
        }
        return next;
    }
    /// One posted item; false when there is none.
    bool run_one() {
        LoopQueue::Item item;
        {
            std::lock_guard lock(queue.mutex);
            if (queue.items.empty()) {
                return false;
            }
            auto next = queue.items.begin();
            if (choose) {
                next = first_of_chosen();
            }
            item = std::move(*next);
            queue.items.erase(next);
        }
        item.shard->run(item.work);
        return true;
    }
    std::function<std::uint64_t(std::uint64_t)> choose;
    std::deque<LoopQueue::Item>::iterator first_of_chosen() {
        std::vector<LoopShard*> busy;
        for (const LoopQueue::Item& item : queue.items) {
            if (std::ranges::find(busy, item.shard) == busy.end()) {
                busy.push_back(item.shard);
            }
        }
        return std::ranges::find(queue.items, busy[choose(busy.size())], &LoopQueue::Item::shard);
    }
    std::function<bool()> idle_work;
    bool wait_for_others() {
        std::unique_lock lock(queue.mutex);
        return queue.arrived.wait_for(lock, kOutsideWaitMax, [&] { return !queue.items.empty(); });
    }
};

TestLoop::TestLoop(unsigned shards) : state_(std::make_unique<State>()) {
    for (unsigned i = 0; i < shards; ++i) {
        state_->shards.push_back(std::make_unique<LoopShard>(i, &state_->queue, &state_->clock));
    }
}

TestLoop::~TestLoop() {
    cancel_tasks();
    // Work may hold tasks between shards, and their death may post more.
    while (!state_->queue.items.empty()) {
        std::deque<LoopQueue::Item> dropped;
        dropped.swap(state_->queue.items);
    }
}

unsigned TestLoop::size() const {
    return static_cast<unsigned>(state_->shards.size());
}
Shard& TestLoop::shard(unsigned index) {
    return *state_->shards.at(index);
}
VirtualClock& TestLoop::clock() {
    return state_->clock;
}

void TestLoop::set_idle_work(std::function<bool()> work) {
    state_->idle_work = std::move(work);
}

bool TestLoop::run_until_idle() {
    for (;;) {
        while (state_->run_one()) {
        }
        if (state_->next_timer() <= state_->clock.mono()) {
            for (const auto& shard : state_->shards) {
                shard->run_timers();
            }
            continue;
        }
        if (state_->idle_work) {
            if (!state_->idle_work()) {
                return true;
            }
            continue;
        }
        if (state_->outside_waits() == 0) {
            return true;
        }
        if (!state_->wait_for_others()) {
            return false;
        }
    }
}

bool TestLoop::step() {
    if (state_->run_one()) {
        return true;
    }
    if (state_->next_timer() > state_->clock.mono()) {
        return false;
    }
    for (const auto& shard : state_->shards) {
        shard->run_timers();
    }
    return true;
}

MonoTime TestLoop::next_timer() const {
    return state_->next_timer();
}

void TestLoop::set_tie_break(std::function<std::uint64_t(std::uint64_t)> choose) {
    state_->choose = std::move(choose);
}

void TestLoop::drop_shard(unsigned index) {
    LoopShard* const shard = state_->shards.at(index).get();
    // The death of one may post more.
    for (std::vector<Work> dropped;; dropped.clear()) {
        shard->cancel();
        {
            const std::lock_guard lock(state_->queue.mutex);
            for (LoopQueue::Item& item : state_->queue.items) {
                if (item.shard == shard) {
                    dropped.push_back(std::move(item.work));
                }
            }
            std::erase_if(state_->queue.items,
                          [&](const LoopQueue::Item& item) { return item.shard == shard; });
        }
        if (dropped.empty()) {
            return;
        }
    }
}

bool TestLoop::advance_to_next_timer() {
    MonoTime next = state_->next_timer();
    if (next == kNever) {
        return false;
    }
    state_->clock.advance_to(next);
    run_until_idle();
    return true;
}

bool TestLoop::advance(Duration by) {
    MonoTime end = state_->clock.mono() + by;
    if (!run_until_idle()) {
        return false;
    }
    for (MonoTime next = state_->next_timer(); next <= end; next = state_->next_timer()) {
        state_->clock.advance_to(next);
        if (!run_until_idle()) {
            return false;
        }
    }
    state_->clock.advance_to(end);
    return run_until_idle();
}

std::size_t TestLoop::task_count() const {
    std::size_t all = 0;
    for (const auto& shard : state_->shards) {
        all += shard->task_count();
    }
    return all;
}

void TestLoop::cancel_tasks() {
    for (const auto& shard : state_->shards) {
        shard->cancel();
    }
}

}  // namespace godwit::net
