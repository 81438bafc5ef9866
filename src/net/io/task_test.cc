// Task, spawn, groups, waiting, timers, completions and offload on a TestLoop.
#include <gtest/gtest.h>

#include <thread>

#include "net/io/completion.h"
#include "net/io/offload.h"
#include "net/io/sync.h"
#include "net/io/task_group.h"
#include "net/io/test_loop.h"

namespace godwit::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Task<int> three() {
    co_return 3;
}
Task<Result<int>> failing() {
    co_return temporary_error(ErrorCode::Timeout, "slow");
}
Task<Result<int>> add() {
    int a = co_await three();
    int b = CO_TRY(co_await failing());
    co_return a + b;
}
Task<std::unique_ptr<int>> boxed() {
    co_return std::make_unique<int>(7);
}
Task<int> deep(int depth) {
    if (depth == 0) {
        co_return 0;
    }
    int below = co_await deep(depth - 1);
    co_return below + 1;
}
Task<int> loop_many() {
    int sum = 0;
    for (int i = 0; i < 100000; ++i) {
        sum += co_await three();
    }
    co_return sum;
}

TEST(Task, returns_values_and_errors) {
    TestLoop loop;
    EXPECT_EQ(run(loop, three()), 3);
    auto sum = run(loop, add());
    ASSERT_TRUE(sum.has_value());
    EXPECT_EQ(sum->error().code, ErrorCode::Timeout);
    EXPECT_EQ(**run(loop, boxed()), 7);
}

TEST(Task, does_not_grow_the_stack) {
    TestLoop loop;
    EXPECT_EQ(run(loop, deep(1000)), 1000);
    EXPECT_EQ(run(loop, loop_many()), 300000);
}

struct Flag {
    bool* set;
    explicit Flag(bool* flag) : set(flag) {}
    Flag(const Flag&) = delete;
    ~Flag() { *set = true; }
};
Task<void> sleep_long(bool* destroyed) {
    Flag flag(destroyed);
    co_await sleep_for(seconds(100));
}
Task<void> nested_sleep(bool* destroyed) {
    co_await sleep_long(destroyed);
}

TEST(Task, cancelled_where_it_stands) {
    bool destroyed = false;
    TestLoop loop;
    spawn(loop.shard(), "sleeper", nested_sleep(&destroyed));
    loop.run_until_idle();
    EXPECT_EQ(loop.task_count(), 1U);
    EXPECT_EQ(loop.shard().task_names(), std::vector<std::string>{"sleeper"});
    EXPECT_FALSE(destroyed);
    loop.cancel_tasks();
    EXPECT_TRUE(destroyed);
    EXPECT_EQ(loop.task_count(), 0U);
    EXPECT_FALSE(loop.advance_to_next_timer());
}

TEST(Task, spawned_but_never_run_is_destroyed) {
    bool destroyed = true;
    {
        TestLoop loop;
        spawn(loop.shard(), "sleeper", nested_sleep(&destroyed));
    }
    EXPECT_TRUE(destroyed);
}

Task<void> note_times(TestLoop* loop, std::vector<Duration>* at) {
    MonoTime start = loop->clock().mono();
    co_await sleep_for(seconds(2));
    at->push_back(loop->clock().mono() - start);
    co_await sleep_for(milliseconds(5));
    at->push_back(loop->clock().mono() - start);
}

TEST(TestLoop, virtual_time) {
    TestLoop loop;
    std::vector<Duration> at;
    spawn(loop.shard(), "times", note_times(&loop, &at));
    loop.advance(seconds(1));
    EXPECT_TRUE(at.empty());
    loop.advance(seconds(10));
    EXPECT_EQ(at, (std::vector<Duration>{seconds(2), seconds(2) + milliseconds(5)}));
}

TEST(Shard, timers_run_in_order_and_cancel) {
    TestLoop loop;
    std::string order;
    MonoTime start = loop.clock().mono();
    Timer b = loop.shard().call_at(start + seconds(2), [&] { order += 'b'; });
    Timer a = loop.shard().call_at(start + seconds(1), [&] { order += 'a'; });
    Timer c = loop.shard().call_at(start + seconds(2), [&] { order += 'c'; });
    Timer d = loop.shard().call_at(start + seconds(2), [&] { order += 'd'; });
    c.cancel();
    loop.advance(seconds(5));
    EXPECT_EQ(order, "abd");
}

Task<bool> wait_event(Event* event, MonoTime deadline) {
    co_return co_await event->wait(deadline);
}
Task<void> set_later(Event* event) {
    co_await sleep_for(seconds(1));
    event->set();
}
Task<bool> wait_with_setter(Event* event, Duration patience) {
    TaskGroup group(1);
    co_await group.spawn("setter", set_later(event));
    bool woken = co_await event->wait(Shard::here().now() + patience);
    co_await group.join();
    co_return woken;
}
Task<void> keep(Task<bool> task, std::optional<bool>* out) {
    *out = co_await std::move(task);
}

TEST(Event, deadline_and_set) {
    TestLoop loop;
    Event event;
    std::optional<bool> early;
    std::optional<bool> late;
    spawn(loop.shard(), "early", keep(wait_with_setter(&event, milliseconds(10)), &early));
    loop.advance(seconds(2));
    EXPECT_EQ(early, false);
    event.reset();
    spawn(loop.shard(), "late", keep(wait_with_setter(&event, seconds(10)), &late));
    loop.advance(seconds(20));
    EXPECT_EQ(late, true);
    EXPECT_EQ(run(loop, wait_event(&event, kNever)), true);
    EXPECT_EQ(loop.task_count(), 0U);
}

Task<void> worker(int* running, int* most, int* done) {
    *most = std::max(*most, ++*running);
    co_await sleep_for(seconds(1));
    --*running;
    ++*done;
}
Task<void> run_group(int* most, int* done) {
    int running = 0;
    TaskGroup group(3);
    for (int i = 0; i < 10; ++i) {
        co_await group.spawn("worker", worker(&running, most, done));
    }
    co_await group.join();
    EXPECT_EQ(*done, 10);
}

TEST(TaskGroup, is_bounded_and_joined) {
    TestLoop loop;
    int most = 0;
    int done = 0;
    spawn(loop.shard(), "group", run_group(&most, &done));
    loop.advance(seconds(60));
    EXPECT_EQ(most, 3);
    EXPECT_EQ(done, 10);
    EXPECT_EQ(loop.task_count(), 0U);
}

TEST(TaskGroup, cancelled_with_its_owner) {
    TestLoop loop;
    int most = 0;
    int done = 0;
    spawn(loop.shard(), "group", run_group(&most, &done));
    loop.run_until_idle();
    EXPECT_EQ(loop.task_count(), 4U);
    loop.cancel_tasks();
    EXPECT_EQ(loop.task_count(), 0U);
    EXPECT_EQ(done, 0);
}

Task<void> hold_permit(Semaphore* semaphore, int* running, int* most) {
    Semaphore::Permit permit = co_await semaphore->acquire();
    *most = std::max(*most, ++*running);
    co_await sleep_for(seconds(1));
    --*running;
}
Task<bool> impatient(Semaphore* semaphore) {
    Semaphore::Permit permit = co_await semaphore->acquire(Shard::here().now());
    co_return static_cast<bool>(permit);
}

TEST(Semaphore, bounds_and_expires) {
    TestLoop loop;
    Semaphore semaphore(2);
    int running = 0;
    int most = 0;
    for (int i = 0; i < 5; ++i) {
        spawn(loop.shard(), "holder", hold_permit(&semaphore, &running, &most));
    }
    EXPECT_EQ(run(loop, impatient(&semaphore)), false);
    loop.advance(seconds(10));
    EXPECT_EQ(most, 2);
    EXPECT_EQ(semaphore.free_permits(), 2U);
    EXPECT_EQ(run(loop, impatient(&semaphore)), true);
}

Task<Result<int>> answer_from_thread(std::thread* thread) {
    Completion<Result<int>> done;
    *thread = std::thread([answer = done.completer()]() mutable {
        std::this_thread::yield();
        answer.complete(42);
    });
    co_return co_await done;
}
Task<Result<int>> dropped_answer() {
    Completion<Result<int>> done;
    {
        auto dropped = done.completer();
    }
    co_return co_await done;
}

TEST(Completion, comes_from_another_thread) {
    TestLoop loop;
    for (int i = 0; i < 200; ++i) {
        std::thread thread;
        auto answer = run(loop, answer_from_thread(&thread));
        thread.join();
        ASSERT_TRUE(answer.has_value());
        EXPECT_EQ(**answer, 42);
    }
    EXPECT_EQ(loop.shard().outside_waits(), 0U);
}

TEST(Completion, dropped_is_cancelled) {
    TestLoop loop;
    auto answer = run(loop, dropped_answer());
    EXPECT_EQ(answer->error().code, ErrorCode::Cancelled);
}

Task<void> wait_for_what_is_done(std::vector<std::string>* order) {
    Completion<Result<int>> done;
    auto completer = done.completer();
    // As the commit thread does it: the change is told to the shard, then the caller is.
    Shard::here().post([order] { order->emplace_back("told"); });
    completer.complete(1);
    (void)co_await done;
    order->emplace_back("resumed");
}

// Else a session that asks for a commit and is preempted until it is done goes on before it has
// heard of its own change, and takes its next command for one about messages that it cannot see.
TEST(Completion, that_came_first_still_waits_behind_what_was_posted_before_it) {
    TestLoop loop;
    std::vector<std::string> order;
    spawn(loop.shard(), "waiter", wait_for_what_is_done(&order));
    EXPECT_TRUE(loop.run_until_idle());
    EXPECT_EQ(order, (std::vector<std::string>{"told", "resumed"}));
}

Task<void> wait_for(Completion<Result<int>>* done) {
    (void)co_await *done;
}

TEST(Completion, awaiter_may_die_first) {
    TestLoop loop;
    Completion<Result<int>> done(loop.shard());
    auto completer = done.completer();
    spawn(loop.shard(), "waiter", wait_for(&done));
    loop.shard().post([&loop, completer = std::move(completer)]() mutable {
        completer.complete(1);  // Posts the resume; the task dies before it runs.
        loop.cancel_tasks();
    });
    EXPECT_TRUE(loop.run_until_idle());
    EXPECT_EQ(loop.shard().outside_waits(), 0U);
}

Task<Result<std::string>> offloaded(OffloadPool* pool) {
    co_return co_await offload(pool, [] { return std::string("done"); });
}

TEST(Offload, runs_inline_and_on_threads) {
    TestLoop loop;
    OffloadInline inline_pool;
    OffloadThreads threads({.name = "threads", .threads = 2});
    EXPECT_EQ(run(loop, offloaded(&inline_pool))->value(), "done");
    EXPECT_EQ(run(loop, offloaded(&threads))->value(), "done");
    threads.stop();
    EXPECT_EQ(run(loop, offloaded(&threads))->error().code, ErrorCode::Unavailable);
}

TEST(Offload, refuses_past_its_bound) {
    OffloadThreads pool({.name = "small", .threads = 1, .queue_max = 1});
    std::mutex gate;
    gate.lock();
    std::atomic<bool> is_running = false;
    ASSERT_TRUE(pool.submit([&] {
        is_running = true;
        std::lock_guard wait(gate);
    }));
    while (!is_running) {
        std::this_thread::yield();
    }
    EXPECT_TRUE(pool.submit([] {}));
    auto refused = pool.submit([] {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::Unavailable);
    gate.unlock();
}

Task<void> hop(TestLoop* loop, std::vector<unsigned>* seen) {
    seen->push_back(Shard::here().index());
    co_await switch_to(&loop->shard(1));
    seen->push_back(Shard::here().index());
    co_await sleep_for(seconds(1));
    seen->push_back(Shard::here().index());
}

TEST(Shard, task_moves_to_another) {
    TestLoop loop(2);
    std::vector<unsigned> seen;
    spawn(loop.shard(0), "hop", hop(&loop, &seen));
    loop.run_until_idle();
    EXPECT_EQ(loop.shard(0).task_count(), 0U);
    EXPECT_EQ(loop.shard(1).task_count(), 1U);
    loop.advance(seconds(2));
    EXPECT_EQ(seen, (std::vector<unsigned>{0, 1, 1}));
    EXPECT_EQ(loop.task_count(), 0U);
}

Task<void> yielder(std::string* out, char name) {
    for (int i = 0; i < 3; ++i) {
        out->push_back(name);
        co_await yield_now{};
    }
}

TEST(Shard, yield_takes_turns) {
    TestLoop loop;
    std::string out;
    spawn(loop.shard(), "a", yielder(&out, 'a'));
    spawn(loop.shard(), "b", yielder(&out, 'b'));
    loop.run_until_idle();
    EXPECT_EQ(out, "ababab");
}

}  // namespace
}  // namespace godwit::net
