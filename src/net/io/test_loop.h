// All shards of a house on one thread and in virtual time, the same way each run. For tests,
// dialogs and the simulator. Time stands still unless it is advanced.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "net/io/shard.h"

namespace godwit::net {

/// A clock that is turned by hand: wall and monotonic time move together. Any thread may read.
class VirtualClock final : public Clock {
public:
    /// Starts at 2026-01-01T00:00:00Z, monotonic one day.
    VirtualClock();
    ~VirtualClock() override;
    WallTime wall() const override;
    MonoTime mono() const override;
    void advance_to(MonoTime at);
    /// The wall clock alone jumps.
    void jump_wall(Duration by);

private:
    struct State;
    std::unique_ptr<State> state_;
};

class TestLoop {
public:
    explicit TestLoop(unsigned shards = 1);
    TestLoop(const TestLoop&) = delete;
    TestLoop& operator=(const TestLoop&) = delete;
    /// Destroys what still runs.
    ~TestLoop();

    [[nodiscard]] unsigned size() const;
    Shard& shard(unsigned index = 0);
    VirtualClock& clock();

    /// Runs until nothing can run at this time. While a task waits for another thread (Completion),
    /// waits for that too, at most 30 s of real time; false when that was not enough.
    bool run_until_idle();
    /// Called when nothing else can run: work that other threads do in production and this one does
    /// here (a commit by hand). True when it did something. Replaces waiting for other threads.
    void set_idle_work(std::function<bool()> work);
    /// run_until_idle() at each timer's time in turn up to now + `by`, and then there.
    bool advance(Duration by);
    /// Goes to the next timer; false when there is none.
    bool advance_to_next_timer();
    /// One work, or the timers that are due; false when nothing can run at this time.
    bool step();
    /// When the next timer of any shard is; kNever: there is none.
    [[nodiscard]] MonoTime next_timer() const;
    /// Which shard's oldest work is next, of those that have some: `choose(n)` gives 0 .. n-1.
    /// Null: the oldest of all.
    void set_tie_break(std::function<std::uint64_t(std::uint64_t)> choose);
    /// Destroys the tasks of one shard where they stand, and what was posted to it.
    void drop_shard(unsigned index);
    /// Tasks that have not ended, over all shards.
    [[nodiscard]] std::size_t task_count() const;
    /// Destroys all tasks where they stand, as a crash or stop() does.
    void cancel_tasks();

private:
    struct State;
    std::unique_ptr<State> state_;
};

namespace detail {
template <class T>
Task<void> store_result(Task<T> task, std::shared_ptr<std::optional<T>> result) {
    result->emplace(co_await std::move(task));
}
}  // namespace detail

/// Runs one task on shard 0 until all is idle; empty when it stands still waiting for time or
/// input (it goes on living then).
template <class T>
std::optional<T> run(TestLoop& loop, Task<T> task) {
    // Two lifetimes: this call, and a task that does not end within it.
    auto result = std::make_shared<std::optional<T>>();
    spawn(loop.shard(), "run", detail::store_result(std::move(task), result));
    loop.run_until_idle();
    return std::move(*result);
}

}  // namespace godwit::net
