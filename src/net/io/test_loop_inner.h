// The inside of TestLoop. Private to net/io.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

#include "net/io/test_loop.h"

namespace godwit::net {

namespace detail {
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
    using Shard::posts_were_dropped;

protected:
    void arm(MonoTime) override {}

private:
    LoopQueue* queue_;
    Clock* clock_;
};
}  // namespace detail

struct TestLoop::State {
    VirtualClock clock;
    detail::LoopQueue queue;
    std::vector<std::unique_ptr<detail::LoopShard>> shards;

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
        detail::LoopQueue::Item item;
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
    std::deque<detail::LoopQueue::Item>::iterator first_of_chosen() {
        std::vector<detail::LoopShard*> busy;
        for (const detail::LoopQueue::Item& item : queue.items) {
            if (std::ranges::find(busy, item.shard) == busy.end()) {
                busy.push_back(item.shard);
            }
        }
        return std::ranges::find(queue.items, busy[choose(busy.size())],
                                 &detail::LoopQueue::Item::shard);
    }
    std::function<bool()> idle_work;
    bool wait_for_others();
};

}  // namespace godwit::net
