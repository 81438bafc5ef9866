// Real sockets on loopback and real shards: transfer, TLS, deadlines, moving, stopping, exhaustion.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>

#include "net/io/asio_network.h"
#include "net/io/completion.h"
#include "net/io/descriptor_watch.h"
#include "net/io/socket_address.h"
#include "net/io/sync.h"
#include "net/io/task_group.h"
#include "net/tls/certificate_maker.h"

namespace godwit::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

template <class T>
Task<void> fulfil(Task<T> task, std::shared_ptr<std::promise<T>> promise) {
    promise->set_value(co_await std::move(task));
}
/// Runs a task on a shard from the test's thread; a test that hangs fails after 30 s.
template <class T>
T run_on(Shard& shard, Task<T> task) {
    auto promise = std::make_shared<std::promise<T>>();
    std::future<T> future = promise->get_future();
    spawn(shard, "test", fulfil(std::move(task), std::move(promise)));
    if (future.wait_for(seconds(30)) != std::future_status::ready) {
        std::abort();
    }
    return future.get();
}

std::size_t open_descriptors() {
    auto all = std::filesystem::directory_iterator("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

Endpoint any_port() {
    return *Endpoint::parse("127.0.0.1:0");
}

Task<void> echo(std::unique_ptr<Stream> stream) {
    std::string buffer(4096, '\0');
    for (;;) {
        if (!co_await stream->wait_readable()) {
            co_return;
        }
        auto count = co_await stream->read_some(buffer);
        if (!count || *count == 0) {
            break;
        }
        if (!co_await stream->write_all(std::string_view(buffer).substr(0, *count))) {
            co_return;
        }
    }
    co_await stream->close();
}
AcceptHandler echo_handler() {
    return [](std::unique_ptr<Stream> stream) {
        spawn(Shard::here(), "echo", echo(std::move(stream)));
    };
}

struct Street {
    ShardPool pool{2};
    AsioNetwork network{&pool};
    std::unique_ptr<Listener> listener;

    explicit Street(const AcceptHandler& handler = echo_handler(),
                    const Endpoint& at = any_port()) {
        listener = *network.listen(at, {.name = "test"}, handler);
        pool.start();
    }
    ~Street() {
        listener.reset();
        pool.stop();
        pool.join();
    }
    ConnectRequest request() {
        return {.to = listener->local(), .deadline = pool.shard(0).now() + seconds(10)};
    }
};

Task<void> write_and_shut(Stream* stream, const std::string* bytes) {
    if (co_await stream->write_all(*bytes)) {
        (void)co_await stream->shutdown_write();
    }
}
Task<Result<std::string>> read_to_end(Stream* stream) {
    std::string all;
    std::string piece(8192, '\0');
    for (;;) {
        std::size_t count = CO_TRY(co_await stream->read_some(piece));
        if (count == 0) {
            co_return all;
        }
        all.append(piece, 0, count);
    }
}
Task<Result<std::string>> echoed(Network* network, ConnectRequest request, std::string bytes) {
    auto stream = CO_TRY(co_await network->connect(std::move(request)));
    stream->set_deadline(Shard::here().now() + seconds(20));
    TaskGroup group(1);
    group.try_spawn("writer", write_and_shut(stream.get(), &bytes));
    std::string got = CO_TRY(co_await read_to_end(stream.get()));
    co_await group.join();
    co_return got;
}

// A commit may be done before its task begins to wait: what it told the shard comes first even so,
// or a session would answer from what it knew before its own change.
Task<Result<bool>> heard_before_it_went_on() {
    bool has_heard = false;
    Completion<Result<int>> done;
    std::thread other([&, shard = &Shard::here(), completer = done.completer()]() mutable {
        shard->post([&] { has_heard = true; });
        completer.complete(1);
    });
    other.join();
    CO_TRY(co_await done);
    co_return has_heard;
}

TEST(Sockets, who_waited_for_another_thread_has_heard_what_it_posted_before) {
    Street street;
    EXPECT_EQ(run_on(street.pool.shard(0), heard_before_it_went_on()).value_or(false), true);
}

TEST(Sockets, echo_larger_than_their_buffers) {
    Street street;
    std::string big(8 * 1024 * 1024, 'x');
    auto got = run_on(street.pool.shard(0), echoed(&street.network, street.request(), big));
    ASSERT_TRUE(got) << got.error().text;
    EXPECT_EQ(*got, big);
}

// Connected TCP sockets of this process, and how many of them send small writes at once.
struct TcpSockets {
    int connected = 0;
    int undelayed = 0;
};
TcpSockets tcp_sockets() {
    TcpSockets found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        const int number = std::stoi(entry.path().filename().string());
        sockaddr_storage peer{};
        socklen_t size = sizeof peer;
        if (getpeername(number, reinterpret_cast<sockaddr*>(&peer), &size) != 0 ||
            peer.ss_family != AF_INET) {
            continue;
        }
        int on = 0;
        size = sizeof on;
        ++found.connected;
        if (getsockopt(number, IPPROTO_TCP, TCP_NODELAY, &on, &size) == 0 && on != 0) {
            ++found.undelayed;
        }
    }
    return found;
}
Task<Result<TcpSockets>> sockets_of_an_echo(Network* network, ConnectRequest request) {
    auto stream = CO_TRY(co_await network->connect(std::move(request)));
    stream->set_deadline(Shard::here().now() + seconds(20));
    CO_TRY(co_await stream->write_all("x"));
    std::string back(1, '\0');
    CO_TRY(co_await stream->read_some(back));
    co_return tcp_sockets();
}

TEST(Sockets, C20_small_writes_leave_at_once_on_both_ends) {
    Street street;
    const auto found =
        run_on(street.pool.shard(0), sockets_of_an_echo(&street.network, street.request()));
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_EQ(found->connected, 2);
    EXPECT_EQ(found->undelayed, 2);
}

TEST(Sockets, refused_and_wrong) {
    Street street;
    ConnectRequest request = street.request();
    street.listener->stop();
    auto got = run_on(street.pool.shard(0), echoed(&street.network, request, "x"));
    for (int i = 0; i < 100 && (got || got.error().code != ErrorCode::Unavailable); ++i) {
        std::this_thread::sleep_for(milliseconds(10));  // Stopping is posted.
        got = run_on(street.pool.shard(0), echoed(&street.network, request, "x"));
    }
    EXPECT_EQ(got.error().code, ErrorCode::Unavailable);
    request.to = Endpoint::unix_path("/nonexistent/socket");
    got = run_on(street.pool.shard(0), echoed(&street.network, request, "x"));
    EXPECT_EQ(got.error().code, ErrorCode::Unavailable);
}

TEST(Sockets, address_in_use) {
    Street street;
    auto second =
        street.network.listen(street.listener->local(), {.name = "second"}, echo_handler());
    EXPECT_EQ(second.error().code, ErrorCode::AlreadyExists);
}

Task<ErrorCode> read_until(Network* network, ConnectRequest request, Duration patience) {
    auto stream = co_await network->connect(std::move(request));
    if (!stream) {
        co_return stream.error().code;
    }
    (*stream)->set_deadline(Shard::here().now() + patience);
    std::string buffer(10, '\0');
    auto count = co_await (*stream)->read_some(buffer);
    co_return count ? ErrorCode::Invalid : count.error().code;
}

TEST(Sockets, deadline_of_a_silent_peer) {
    Street street;
    EXPECT_EQ(run_on(street.pool.shard(1),
                     read_until(&street.network, street.request(), milliseconds(50))),
              ErrorCode::Timeout);
}

// The answer comes before the whole was sent, and then the connection breaks: RFC 5321 4.2.5 has
// the client look at what was said.
AcceptHandler early_refusal() {
    return [](std::unique_ptr<Stream> stream) {
        spawn(Shard::here(), "refuse", [](std::unique_ptr<Stream> stream) -> Task<void> {
            std::string one(1, '\0');
            (void)co_await stream->read_some(one);
            (void)co_await stream->write_all("552 too much\r\n");
            stream->abort();
        }(std::move(stream)));
    };
}
Task<Result<std::string>> write_until_refused(Network* network, ConnectRequest request) {
    auto stream = CO_TRY(co_await network->connect(std::move(request)));
    stream->set_deadline(Shard::here().now() + seconds(20));
    const std::string piece(1024 * 1024, 'x');
    Result<> written;
    for (int i = 0; written && i < 64; ++i) {
        written = co_await stream->write_all(piece);
    }
    EXPECT_FALSE(written);
    EXPECT_FALSE(co_await stream->write_all("more"));
    std::string said(100, '\0');
    said.resize(CO_TRY(co_await stream->read_some(said)));
    co_return said;
}

TEST(Sockets, a_refusal_is_read_after_a_write_that_failed) {
    Street street(early_refusal());
    const Result<std::string> said =
        run_on(street.pool.shard(1), write_until_refused(&street.network, street.request()));
    ASSERT_TRUE(said) << said.error().text;
    EXPECT_EQ(*said, "552 too much\r\n");
}

// --- TLS, moving ------------------------------------------------------------------------------

struct Secured {
    TlsCertificates certificates;
    std::unique_ptr<TlsServerContext> server;
    std::unique_ptr<TlsClientContext> client;
    ShardPool* pool = nullptr;
    std::atomic<int> moved = 0;

    Secured() {
        auto own = *make_self_signed({"mx.test"}, system_clock().wall(), std::chrono::days(2));
        EXPECT_TRUE(certificates.replace({own}));
        server = *TlsServerContext::create(&certificates, {.service = "test"});
        client = *TlsClientContext::create({.use_system_store = false});
    }
};

Task<void> secured_session(Secured* house, std::unique_ptr<Stream> stream) {
    stream->set_deadline(Shard::here().now() + seconds(20));
    if (!co_await stream->start_tls_server(house->server.get())) {
        co_return;
    }
    // As after a login: to the home shard, with bytes perhaps waiting in the TLS layer.
    std::string first(1, '\0');
    if (!co_await stream->read_some(first)) {
        co_return;
    }
    Shard* home = &house->pool->shard(1 - Shard::here().index());
    if (!co_await stream->move_to(home)) {
        co_return;
    }
    check(Shard::current() == home, "moved");
    ++house->moved;
    if (co_await stream->write_all(first)) {
        co_await echo(std::move(stream));
    }
}
Task<Result<std::string>> secured_echo(Secured* house, Network* network, ConnectRequest request,
                                       std::string bytes) {
    auto stream = CO_TRY(co_await network->connect(std::move(request)));
    stream->set_deadline(Shard::here().now() + seconds(20));
    TlsClientOptions options{.host = "mx.test", .verify = TlsVerify::Opportunistic};
    CO_TRY(co_await stream->start_tls_client(house->client.get(), std::move(options)));
    TaskGroup group(1);
    group.try_spawn("writer", write_and_shut(stream.get(), &bytes));
    std::string got = CO_TRY(co_await read_to_end(stream.get()));
    co_await group.join();
    co_return got;
}
Task<void> one_of_many(Secured* house, Street* street, std::string bytes, int* right) {
    auto got = co_await secured_echo(house, &street->network, street->request(), bytes);
    *right += got && *got == bytes ? 1 : 0;
}
Task<int> many_secured(Secured* house, Street* street, int count) {
    int right = 0;
    TaskGroup group(20);
    for (int i = 0; i < count; ++i) {
        co_await group.spawn("client", one_of_many(house, street, std::string(40000, 'y'), &right));
    }
    co_await group.join();
    co_return right;
}

TEST(Sockets, tls_sessions_move_between_shards) {
    Secured house;
    Street street([&house](std::unique_ptr<Stream> stream) {
        spawn(Shard::here(), "session", secured_session(&house, std::move(stream)));
    });
    house.pool = &street.pool;
    EXPECT_EQ(run_on(street.pool.shard(0), many_secured(&house, &street, 60)), 60);
    EXPECT_EQ(house.moved, 60);
}

// --- ending -----------------------------------------------------------------------------------

Task<void> refuse(std::unique_ptr<Stream> stream) {
    (void)co_await stream->write_all("421 go away\r\n");
    co_await stream->close();
}
Task<Result<std::string>> talk_too_much(Network* network, ConnectRequest request) {
    auto stream = CO_TRY(co_await network->connect(std::move(request)));
    // Sent without being read: a plain close would answer with a reset and lose the 421.
    CO_TRY(co_await stream->write_all(std::string(100000, 'z')));
    co_await sleep_for(milliseconds(50));
    co_return co_await read_to_end(stream.get());
}

TEST(Sockets, last_reply_reaches_a_peer_that_talks) {
    Street street([](std::unique_ptr<Stream> stream) {
        spawn(Shard::here(), "refuse", refuse(std::move(stream)));
    });
    auto got = run_on(street.pool.shard(0), talk_too_much(&street.network, street.request()));
    ASSERT_TRUE(got) << got.error().text;
    EXPECT_EQ(*got, "421 go away\r\n");
}

Task<void> abort_it(std::unique_ptr<Stream> stream) {
    stream->abort();
    co_return;
}

TEST(Sockets, abort_is_a_reset) {
    Street street([](std::unique_ptr<Stream> stream) {
        spawn(Shard::here(), "abort", abort_it(std::move(stream)));
    });
    EXPECT_EQ(
        run_on(street.pool.shard(0), read_until(&street.network, street.request(), seconds(10))),
        ErrorCode::Closed);
}

Task<void> count_while_alive(std::unique_ptr<Stream> stream, std::atomic<int>* alive) {
    struct Counted {
        std::atomic<int>* count;
        ~Counted() { --*count; }
    } counted{alive};
    ++*alive;
    stream->set_deadline(Shard::here().now() + seconds(1000));
    (void)co_await stream->wait_readable();
}
Task<int> connect_many(Network* network, ConnectRequest request, int count,
                       std::vector<std::unique_ptr<Stream>>* kept) {
    for (int i = 0; i < count; ++i) {
        auto stream = co_await network->connect(request);
        if (stream) {
            kept->push_back(std::move(*stream));
        }
    }
    co_return static_cast<int>(kept->size());
}

TEST(Sockets, stop_destroys_waiting_sessions) {
    std::size_t before = open_descriptors();
    std::atomic<int> alive = 0;
    {
        Street street([&alive](std::unique_ptr<Stream> stream) {
            spawn(Shard::here(), "session", count_while_alive(std::move(stream), &alive));
        });
        auto kept = std::make_unique<std::vector<std::unique_ptr<Stream>>>();
        EXPECT_EQ(run_on(street.pool.shard(0),
                         connect_many(&street.network, street.request(), 50, kept.get())),
                  50);
        while (alive < 50) {
            std::this_thread::yield();
        }
        street.pool.stop();
        street.pool.join();
        EXPECT_EQ(alive, 0);
        // Streams held outside tasks may be destroyed after join().
    }
    EXPECT_EQ(open_descriptors(), before);
}

Task<int> connect_and_close(Network* network, ConnectRequest request, int count) {
    int right = 0;
    for (int i = 0; i < count; ++i) {
        auto got = co_await echoed(network, request, "ping");
        right += got && *got == "ping" ? 1 : 0;
    }
    co_return right;
}

TEST(Sockets, nothing_leaks_over_many_connections) {
    std::size_t before = open_descriptors();
    {
        Street street;
        ConnectRequest request = street.request();
        request.deadline = kNever;
        EXPECT_EQ(run_on(street.pool.shard(0), connect_and_close(&street.network, request, 2000)),
                  2000);
    }
    EXPECT_EQ(open_descriptors(), before);
}

// --- Unix sockets, inherited sockets, exhaustion ------------------------------------------------

Task<void> tell_peer(std::unique_ptr<Stream> stream) {
    auto who = stream->credentials();
    (void)co_await stream->write_all(who ? std::to_string(who->user_id) : "unknown");
    co_await stream->close();
}

TEST(Sockets, unix_socket_knows_its_peer) {
    std::string folder = (std::filesystem::temp_directory_path() / "godwit-net-XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    Endpoint at = Endpoint::unix_path(folder + "/socket");
    {
        // What a process that was killed leaves behind.
        Descriptor stale(socket(AF_UNIX, SOCK_STREAM, 0));
        SocketAddress address = *SocketAddress::of(at);
        ASSERT_EQ(bind(stale.number(), address.raw(), address.size), 0);
    }
    {
        Street street(
            [](std::unique_ptr<Stream> stream) {
                spawn(Shard::here(), "tell", tell_peer(std::move(stream)));
            },
            at);
        EXPECT_EQ(street.network.listen(at, {.name = "second"}, echo_handler()).error().code,
                  ErrorCode::AlreadyExists);
        auto got = run_on(street.pool.shard(0), echoed(&street.network, street.request(), ""));
        EXPECT_EQ(got.value_or("error"), std::to_string(getuid()));
        struct stat facts{};
        ASSERT_EQ(stat(at.path().c_str(), &facts), 0);
        EXPECT_EQ(facts.st_mode & 0777U, 0660U);
    }
    EXPECT_FALSE(std::filesystem::exists(at.path()));
    std::filesystem::remove_all(folder);
}

TEST(Sockets, inherited_socket_is_used) {
    Descriptor given(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    SocketAddress address = *SocketAddress::of(any_port());
    ASSERT_EQ(bind(given.number(), address.raw(), address.size), 0);
    ASSERT_EQ(listen(given.number(), 10), 0);
    Endpoint at = local_endpoint(given.number());
    ShardPool pool(1);
    AsioNetwork network(&pool, {.inherited = {given.release()}});
    auto listener = network.listen(at, {.name = "given"}, echo_handler());
    ASSERT_TRUE(listener) << listener.error().text;
    pool.start();
    EXPECT_EQ(run_on(pool.shard(0), echoed(&network, {.to = at}, "hello")).value_or("error"),
              "hello");
    pool.stop();
    pool.join();
}

TEST(Sockets, inherited_sockets_need_our_process_id) {
    setenv("LISTEN_PID", "1", 1);
    setenv("LISTEN_FDS", "2", 1);
    EXPECT_TRUE(inherited_sockets().empty());
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
}

TEST(Sockets, listener_survives_running_out_of_descriptors) {
    Street street;
    rlimit usual{};
    getrlimit(RLIMIT_NOFILE, &usual);
    std::vector<Descriptor> clients;
    for (int i = 0; i < 5; ++i) {
        clients.emplace_back(socket(AF_INET, SOCK_STREAM, 0));
    }
    // The next descriptor would be past the limit: every accept fails.
    int next = dup(0);
    close(next);
    rlimit tight = usual;
    tight.rlim_cur = static_cast<rlim_t>(next);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    SocketAddress address = *SocketAddress::of(street.listener->local());
    int refused = 0;
    for (const Descriptor& client : clients) {
        timeval patience{.tv_sec = 10, .tv_usec = 0};
        setsockopt(client.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ASSERT_EQ(connect(client.number(), address.raw(), address.size), 0);
        char byte = 0;
        refused += recv(client.number(), &byte, 1, 0) == 0 ? 1 : 0;
    }
    setrlimit(RLIMIT_NOFILE, &usual);
    EXPECT_EQ(refused, 5);
    auto got = run_on(street.pool.shard(0), echoed(&street.network, street.request(), "again"));
    EXPECT_EQ(got.value_or("error"), "again");
}

// What lies above is for files: a connection that would take it is closed, one of ours not made.
TEST(Sockets, connections_leave_descriptors_to_files) {
    ShardPool pool(1);
    AsioNetwork network(&pool, {.inherited = {}, .sockets_below = 0});
    auto listener = network.listen(any_port(), {.name = "shut"}, echo_handler());
    ASSERT_TRUE(listener) << listener.error().text;
    pool.start();
    const Endpoint at = (*listener)->local();
    SocketAddress address = *SocketAddress::of(at);
    const Descriptor client(socket(AF_INET, SOCK_STREAM, 0));
    timeval patience{.tv_sec = 10, .tv_usec = 0};
    setsockopt(client.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ASSERT_EQ(connect(client.number(), address.raw(), address.size), 0);
    char byte = 0;
    EXPECT_EQ(recv(client.number(), &byte, 1, 0), 0);
    EXPECT_EQ(run_on(pool.shard(0), echoed(&network, {.to = at}, "hello")).error().kind,
              ErrorKind::Temporary);
    pool.stop();
    pool.join();
}

}  // namespace
}  // namespace godwit::net
