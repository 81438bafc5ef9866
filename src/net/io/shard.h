// One thread's event loop as a seam: work posted from anywhere, timers, and the tasks it owns.
// Production: ShardPool (shard_pool.h). Tests and the simulator: TestLoop (test_loop.h), where one
// thread plays all shards in virtual time.
//
// Thread rule: post(), clock(), index() and spawn() from any thread; everything else only on the
// shard itself. A Shard outlives all Timers, Waiters, streams and tasks that name it.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "net/io/list.h"
#include "net/io/task.h"

namespace boost::asio {
class io_context;
}

namespace godwit::net {

/// A deadline that never comes.
inline constexpr MonoTime kNever = MonoTime::max();

/// Something to do later, once.
using Work = std::move_only_function<void()>;

/// One suspended coroutine, standing in at most one queue; leaves it when it dies.
struct Waiter : ListNode {
    std::coroutine_handle<> handle;
    bool is_woken = false;  ///< Set by Shard::ready().
};

/// A call that will be made at a time, unless this handle dies first. Movable, own shard only.
class [[nodiscard]] Timer {
public:
    Timer() = default;
    Timer(Timer&& other) noexcept
        : shard_(std::exchange(other.shard_, nullptr)),
          at_(other.at_),
          sequence_(other.sequence_) {}
    Timer& operator=(Timer&& other) noexcept;
    ~Timer() { cancel(); }
    /// Nothing when the call was already made.
    void cancel();

private:
    friend class Shard;
    Timer(Shard* shard, MonoTime at, std::uint64_t sequence)
        : shard_(shard), at_(at), sequence_(sequence) {}
    Shard* shard_ = nullptr;
    MonoTime at_{};
    std::uint64_t sequence_ = 0;
};

class Shard {
public:
    explicit Shard(unsigned index) : index_(index) {}
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;
    virtual ~Shard();

    /// Runs `work` on this shard, after all posted before it. Any thread. A stopped shard destroys
    /// the work without running it.
    virtual void post(Work work) = 0;
    /// Any thread.
    virtual Clock& clock() = 0;
    /// For the socket files of net/ only; null where there are no sockets.
    virtual boost::asio::io_context* io_context() { return nullptr; }

    /// 0 .. shards - 1.
    [[nodiscard]] unsigned index() const { return index_; }
    [[nodiscard]] MonoTime now() { return clock().mono(); }
    /// The shard whose loop runs on this thread right now; null elsewhere.
    static Shard* current();
    /// current(), which must be there: called from a task or posted work.
    static Shard& here();

    /// Calls `work` from the loop, not before `at`. Equal times run in the order they were asked.
    Timer call_at(MonoTime at, Work work);
    Timer call_after(Duration delay, Work work) { return call_at(now() + delay, std::move(work)); }

    /// Puts `waiter` at the end of those to be resumed by the loop. No allocation.
    void ready(Waiter& waiter);

    /// How many spawned tasks have not ended.
    [[nodiscard]] std::size_t task_count() const { return task_count_; }
    /// Their names, for administrators and tests.
    [[nodiscard]] std::vector<std::string> task_names() const;

    /// Counts tasks that wait for another thread (Completion), so that a TestLoop knows that it is
    /// not idle. Own shard only.
    void outside_wait_begins() { ++outside_waits_; }
    void outside_wait_ends() { --outside_waits_; }
    [[nodiscard]] std::size_t outside_waits() const { return outside_waits_; }

    /// Destroys every task of this shard where it stands, newest first. Own shard, not from a task.
    void cancel_tasks();

protected:
    /// Makes this thread be the shard while it lives.
    class Enter {
    public:
        explicit Enter(Shard& shard);
        ~Enter();
        Enter(const Enter&) = delete;
        Enter& operator=(const Enter&) = delete;

    private:
        Shard* before_;
    };
    /// The earliest timer is now due at `at`; run_due_timers() is wanted then.
    virtual void arm(MonoTime at) = 0;
    /// Runs what is due, in order of time; returns when the next is (kNever: none).
    MonoTime run_due_timers();
    [[nodiscard]] MonoTime next_timer() const;
    /// What was posted was dropped with it: the next one who is ready posts anew.
    void posts_were_dropped() { ready_posted_ = false; }

private:
    friend class Timer;
    friend struct detail::Root;
    using TimerKey = std::pair<MonoTime, std::uint64_t>;
    void run_ready();

    unsigned index_;
    bool ready_posted_ = false;
    std::size_t task_count_ = 0;
    std::size_t outside_waits_ = 0;
    std::uint64_t timer_sequence_ = 0;
    std::map<TimerKey, Work> timers_;
    List<Waiter> ready_;
    List<detail::Root> roots_;
};

/// co_await yield_now(): lets everything else that is ready run first.
struct [[nodiscard]] yield_now {
    Waiter waiter;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
        waiter.handle = handle;
        Shard::here().ready(waiter);
    }
    void await_resume() const noexcept {}
};

/// co_await sleep_until(t): returns at `t` or a little later, at once when `t` has passed.
class [[nodiscard]] sleep_until {
public:
    explicit sleep_until(MonoTime at) : at_(at) {}
    [[nodiscard]] bool await_ready() const { return Shard::here().now() >= at_; }
    void await_suspend(std::coroutine_handle<> handle) {
        timer_ = Shard::here().call_at(at_, [handle] { handle.resume(); });
    }
    void await_resume() const noexcept {}

private:
    MonoTime at_;
    Timer timer_;
};
inline sleep_until sleep_for(Duration duration) {
    return sleep_until(Shard::here().now() + duration);
}

/// co_await switch_to(&shard): the rest of the spawned task runs on `shard` from here on. Nothing
/// bound to the old shard (Timer, Notify, Stream) may be held; a Stream moves with
/// Stream::move_to, which calls this. A member of a TaskGroup must not move.
class [[nodiscard]] switch_to {
public:
    explicit switch_to(Shard* target) : target_(target) {}
    [[nodiscard]] bool await_ready() const { return Shard::current() == target_; }
    template <std::derived_from<detail::PromiseBase> Parent>
    void await_suspend(std::coroutine_handle<Parent> handle) {
        leave(*handle.promise().root, handle, *target_);
    }
    void await_resume() const noexcept {}

private:
    static void leave(detail::Root& root, std::coroutine_handle<> handle, Shard& target);
    Shard* target_;
};

}  // namespace godwit::net
