#include "net/io/test_loop.h"

#include "net/io/test_loop_inner.h"

#include <atomic>

namespace godwit::net {

namespace {
constexpr std::int64_t kStartUnixSeconds = 1767225600;  // 2026-01-01T00:00:00Z
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

TestLoop::TestLoop(unsigned shards) : state_(std::make_unique<State>()) {
    for (unsigned i = 0; i < shards; ++i) {
        state_->shards.push_back(
            std::make_unique<detail::LoopShard>(i, &state_->queue, &state_->clock));
    }
}

TestLoop::~TestLoop() {
    cancel_tasks();
    // Work may hold tasks between shards, and their death may post more.
    while (!state_->queue.items.empty()) {
        std::deque<detail::LoopQueue::Item> dropped;
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
    detail::LoopShard* const shard = state_->shards.at(index).get();
    // The death of one may post more.
    for (std::vector<Work> dropped;; dropped.clear()) {
        shard->cancel();
        {
            const std::lock_guard lock(state_->queue.mutex);
            for (detail::LoopQueue::Item& item : state_->queue.items) {
                if (item.shard == shard) {
                    dropped.push_back(std::move(item.work));
                }
            }
            std::erase_if(state_->queue.items,
                          [&](const detail::LoopQueue::Item& item) { return item.shard == shard; });
        }
        shard->posts_were_dropped();
        if (dropped.empty()) {
            return;
        }
    }
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
