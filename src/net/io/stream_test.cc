// Streams over memory pairs in virtual time: bytes, ends, deadlines, interruption, faults, moving.
#include "net/io/stream.h"

#include <gtest/gtest.h>

#include "net/io/memory_network.h"
#include "net/io/memory_stream.h"
#include "net/io/task_group.h"
#include "net/io/test_loop.h"

namespace godwit::net {
namespace {

using std::chrono::seconds;

Task<Result<std::string>> read_to_end(Stream* stream) {
    std::string all;
    std::string piece(1000, '\0');
    for (;;) {
        std::size_t count = CO_TRY(co_await stream->read_some(piece));
        if (count == 0) {
            co_return all;
        }
        all.append(piece, 0, count);
    }
}
Task<void> send_and_shut(Stream* stream, std::string bytes, Result<>* result) {
    *result = co_await stream->write_all(bytes);
    if (*result) {
        *result = co_await stream->shutdown_write();
    }
}
Task<Result<std::string>> transfer(Stream* from, Stream* to, std::string bytes) {
    Result<> sent;
    TaskGroup group(1);
    group.try_spawn("sender", send_and_shut(from, std::move(bytes), &sent));
    std::string got = CO_TRY(co_await read_to_end(to));
    co_await group.join();
    CO_TRY(std::move(sent));
    co_return got;
}

TEST(MemoryStream, carries_bytes_both_ways) {
    TestLoop loop;
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard());
    std::string big(1000000, 'x');
    for (std::size_t i = 0; i < big.size(); i += 7) {
        big[i] = static_cast<char>(i);
    }
    EXPECT_EQ(run(loop, transfer(a.get(), b.get(), big))->value(), big);
    EXPECT_EQ(run(loop, transfer(b.get(), a.get(), "back"))->value(), "back");
    EXPECT_EQ(a->peer(), b->local());
}

TEST(MemoryStream, byte_by_byte) {
    TestLoop loop;
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard(), {.chunk_max = 1});
    EXPECT_EQ(run(loop, transfer(a.get(), b.get(), "hello"))->value(), "hello");
}

Task<Result<std::size_t>> read_once(Stream* stream) {
    std::string buffer(100, '\0');
    co_return co_await stream->read_some(buffer);
}
Task<void> keep_read(Stream* stream, std::optional<Result<std::size_t>>* out) {
    out->emplace(co_await read_once(stream));
}
Task<Result<>> write(Stream* stream, std::string bytes) {
    co_return co_await stream->write_all(bytes);
}

TEST(Stream, deadline_kills_a_pending_read) {
    TestLoop loop;
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard());
    std::optional<Result<std::size_t>> result;
    a->set_deadline(loop.clock().mono() + seconds(5));
    spawn(loop.shard(), "reader", keep_read(a.get(), &result));
    loop.advance(seconds(3));
    a->set_deadline(loop.clock().mono() + seconds(5));
    loop.advance(seconds(4));
    EXPECT_FALSE(result.has_value());
    loop.advance(seconds(2));
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->error().code, ErrorCode::Timeout);
    // Dead: later calls say the same, even with bytes there.
    ASSERT_TRUE(run(loop, write(b.get(), "late"))->has_value());
    EXPECT_EQ(run(loop, read_once(a.get()))->error().code, ErrorCode::Timeout);
}

Task<void> keep_wait(Stream* stream, std::optional<Result<Readiness>>* out) {
    out->emplace(co_await stream->wait_readable());
}

TEST(Stream, whoever_was_silent_can_be_told_so) {
    TestLoop loop;
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard());
    std::optional<Result<Readiness>> silence;
    a->set_deadline(loop.clock().mono() + seconds(5));
    spawn(loop.shard(), "reader", keep_wait(a.get(), &silence));
    loop.advance(seconds(6));
    ASSERT_TRUE(silence.has_value());
    EXPECT_EQ(silence->error().code, ErrorCode::Timeout);
    a->set_deadline(loop.clock().mono() + seconds(5));
    ASSERT_TRUE(run(loop, write(a.get(), "421"))->has_value());
    EXPECT_EQ(run(loop, read_once(b.get()))->value(), 3U);
    // Beside a write that hangs it is the deadline of both.
    std::optional<Result<Readiness>> beside;
    Result<> hanging;
    spawn(loop.shard(), "reader", keep_wait(a.get(), &beside));
    spawn(loop.shard(), "writer", send_and_shut(a.get(), std::string(1000000, 'x'), &hanging));
    loop.advance(seconds(6));
    EXPECT_FALSE(hanging);
    ASSERT_TRUE(beside.has_value());
    EXPECT_EQ(beside->error().code, ErrorCode::Timeout);
    a->set_deadline(loop.clock().mono() + seconds(5));
    EXPECT_FALSE(run(loop, write(a.get(), "x"))->has_value());
}

TEST(Stream, deadline_moved_closer_while_waiting) {
    TestLoop loop;
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard());
    std::optional<Result<std::size_t>> result;
    a->set_deadline(loop.clock().mono() + seconds(500));
    spawn(loop.shard(), "reader", keep_read(a.get(), &result));
    loop.run_until_idle();
    a->set_deadline(loop.clock().mono() + seconds(1));
    loop.advance(seconds(1));
    EXPECT_TRUE(result.has_value());
}

TEST(Stream, deadline_stops_a_writer_nobody_reads) {
    TestLoop loop;
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard());
    a->set_deadline(loop.clock().mono() + seconds(5));
    Result<> result;
    spawn(loop.shard(), "writer", send_and_shut(a.get(), std::string(1000000, 'x'), &result));
    loop.advance(seconds(6));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::Timeout);
}

Task<void> watch(Stream* stream, std::vector<Readiness>* seen) {
    for (;;) {
        auto readiness = co_await stream->wait_readable();
        if (!readiness) {
            co_return;
        }
        seen->push_back(*readiness);
        if (*readiness == Readiness::Readable) {
            (void)co_await read_once(stream);
        }
    }
}

TEST(Stream, interrupt_wakes_an_idle_session) {
    TestLoop loop;
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard());
    std::vector<Readiness> seen;
    spawn(loop.shard(), "idle", watch(a.get(), &seen));
    loop.run_until_idle();
    loop.shard().post([&] { a->interrupt(); });
    loop.run_until_idle();
    (void)run(loop, write(b.get(), "x"));
    EXPECT_EQ(seen, (std::vector<Readiness>{Readiness::Interrupted, Readiness::Readable}));
    loop.cancel_tasks();
}

TEST(Stream, has_input_never_waits) {
    TestLoop loop;
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard());
    EXPECT_FALSE(*a->has_input());
    (void)run(loop, write(b.get(), "x"));
    EXPECT_TRUE(*a->has_input());
}

TEST(Stream, abort_ends_both_sides) {
    TestLoop loop;
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard());
    std::optional<Result<std::size_t>> here;
    std::optional<Result<std::size_t>> there;
    spawn(loop.shard(), "a", keep_read(a.get(), &here));
    spawn(loop.shard(), "b", keep_read(b.get(), &there));
    loop.run_until_idle();
    loop.shard().post([&] { a->abort(); });
    loop.run_until_idle();
    EXPECT_EQ(here->error().code, ErrorCode::Closed);
    EXPECT_EQ(there->error().code, ErrorCode::Closed);
}

Task<void> close_it(Stream* stream) {
    co_await stream->close();
}

TEST(Stream, closed_peer_reads_the_end_and_writes_fail) {
    TestLoop loop;
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard());
    (void)run(loop, write(a.get(), "bye"));
    spawn(loop.shard(), "close", close_it(a.get()));
    loop.run_until_idle();
    EXPECT_EQ(run(loop, read_to_end(b.get()))->value(), "bye");
    EXPECT_EQ(run(loop, write(b.get(), "x"))->error().code, ErrorCode::Closed);
    EXPECT_EQ(run(loop, read_once(a.get()))->error().code, ErrorCode::Closed);
}

TEST(MemoryFaults, the_nth_step_fails) {
    for (std::uint64_t nth = 1; nth < 100; ++nth) {
        TestLoop loop;
        auto faults = std::make_shared<MemoryFaults>();
        faults->fail_step(nth);
        auto [a, b] =
            memory_stream_pair(loop.shard(), loop.shard(), {.chunk_max = 3, .faults = faults});
        auto got = run(loop, transfer(a.get(), b.get(), "hello world"));
        ASSERT_TRUE(got.has_value());
        if (got->has_value()) {
            EXPECT_GT(nth, 8U);
            return;
        }
        EXPECT_EQ(got->error().code, ErrorCode::Closed);
    }
    FAIL() << "never passed untouched";
}

struct Moved {
    std::unique_ptr<Stream> stream;
    std::vector<unsigned> shards;
    std::string got;
};
Task<void> move_and_read(TestLoop* loop, Moved* moved) {
    moved->shards.push_back(Shard::here().index());
    auto result = co_await moved->stream->move_to(&loop->shard(1));
    EXPECT_TRUE(result);
    moved->shards.push_back(Shard::here().index());
    EXPECT_EQ(&moved->stream->shard(), &loop->shard(1));
    moved->got = (co_await read_to_end(moved->stream.get())).value_or("error");
    moved->shards.push_back(Shard::here().index());
}

TEST(Stream, moves_to_another_shard) {
    TestLoop loop(2);
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard());
    Moved moved{std::move(a), {}, {}};
    spawn(loop.shard(), "session", move_and_read(&loop, &moved));
    loop.run_until_idle();
    Result<> sent;
    spawn(loop.shard(), "sender", send_and_shut(b.get(), "after", &sent));
    loop.run_until_idle();
    EXPECT_EQ(moved.got, "after");
    EXPECT_EQ(moved.shards, (std::vector<unsigned>{0, 1, 1}));
}

TEST(Stream, task_destroyed_at_any_wait) {
    TestLoop loop;
    auto [a, b] = memory_stream_pair(loop.shard(), loop.shard());
    std::optional<Result<std::size_t>> result;
    a->set_deadline(loop.clock().mono() + seconds(5));
    spawn(loop.shard(), "reader", keep_read(a.get(), &result));
    loop.run_until_idle();
    loop.cancel_tasks();
    loop.advance(seconds(10));
    EXPECT_FALSE(result.has_value());
}

// --- MemoryNetwork ----------------------------------------------------------------------------

Task<void> greet(std::unique_ptr<Stream> stream) {
    (void)co_await stream->write_all("220 hello\r\n");
    co_await stream->close();
}
Task<Result<std::string>> visit(Network* network, ConnectRequest request) {
    auto stream = CO_TRY(co_await network->connect(std::move(request)));
    co_return co_await read_to_end(stream.get());
}
AcceptHandler greeter() {
    return [](std::unique_ptr<Stream> stream) {
        spawn(Shard::here(), "greet", greet(std::move(stream)));
    };
}

TEST(MemoryNetwork, connects_to_listeners) {
    TestLoop loop(3);
    MemoryNetwork network(&loop);
    auto at = *Endpoint::parse("0.0.0.0:25");
    auto listener = network.listen(at, {.name = "smtp"}, greeter());
    ASSERT_TRUE(listener);
    EXPECT_EQ(network.listen(at, {.name = "smtp"}, greeter()).error().code,
              ErrorCode::AlreadyExists);
    ConnectRequest request{.to = *Endpoint::parse("192.0.2.1:25")};
    EXPECT_EQ(run(loop, visit(&network, request))->value(), "220 hello\r\n");
    network.set_behaviour(request.to, MemoryNetwork::Behaviour::Refuse);
    EXPECT_EQ(run(loop, visit(&network, request))->error().code, ErrorCode::Unavailable);
    network.set_behaviour(request.to, MemoryNetwork::Behaviour::Drop);
    EXPECT_EQ(run(loop, visit(&network, request))->value(), "");
    network.set_behaviour(request.to, MemoryNetwork::Behaviour::Accept);
    (*listener)->stop();
    EXPECT_EQ(run(loop, visit(&network, request))->error().code, ErrorCode::Unavailable);
    EXPECT_EQ(loop.task_count(), 0U);
}

Task<void> keep_visit(Network* network, ConnectRequest request,
                      std::optional<Result<std::string>>* out) {
    out->emplace(co_await visit(network, std::move(request)));
}

TEST(MemoryNetwork, hangs_until_the_deadline) {
    TestLoop loop;
    MemoryNetwork network(&loop);
    ConnectRequest request{.to = *Endpoint::parse("192.0.2.1:25"),
                           .deadline = loop.clock().mono() + seconds(30)};
    network.set_behaviour(request.to, MemoryNetwork::Behaviour::Hang);
    std::optional<Result<std::string>> result;
    spawn(loop.shard(), "visit", keep_visit(&network, request, &result));
    loop.advance(seconds(29));
    EXPECT_FALSE(result.has_value());
    loop.advance(seconds(2));
    EXPECT_EQ(result->error().code, ErrorCode::Timeout);
}

}  // namespace
}  // namespace godwit::net
