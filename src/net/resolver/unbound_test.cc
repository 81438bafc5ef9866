// UnboundResolver against a small name server of the test on loopback.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <future>
#include <set>
#include <thread>

#include "base/ascii.h"
#include "base/bytes.h"
#include "net/io/descriptor_watch.h"
#include "net/io/shard_pool.h"
#include "net/io/socket_address.h"
#include "net/io/task_group.h"
#include "net/resolver/rdata.h"
#include "net/resolver/unbound_resolver.h"

namespace godwit::net {
namespace {

using namespace std::string_literals;

/// Answers UDP questions on a thread until it dies. Names under "silent" get no answer, under
/// "broken" SERVFAIL, under "gone" NXDOMAIN, others fixed records.
class SmallNameServer {
public:
    SmallNameServer() : socket_(socket(AF_INET, SOCK_DGRAM, 0)) {
        SocketAddress address = *SocketAddress::of(*Endpoint::parse("127.0.0.1:0"));
        EXPECT_EQ(bind(socket_.number(), address.raw(), address.size), 0);
        port_ = local_endpoint(socket_.number()).port();
        thread_ = std::thread([this] { serve(); });
    }
    ~SmallNameServer() {
        is_stopped_ = true;
        thread_.join();
    }
    std::string place() const { return "127.0.0.1@" + std::to_string(port_); }
    int questions() const { return questions_; }

private:
    void serve() {
        while (!is_stopped_) {
            pollfd ready{.fd = socket_.number(), .events = POLLIN, .revents = 0};
            if (poll(&ready, 1, 20) != 1) {
                continue;
            }
            std::array<char, 2048> packet{};
            SocketAddress from;
            from.size = sizeof from.storage;
            ssize_t size = recvfrom(socket_.number(), packet.data(), packet.size(), 0,
                                    reinterpret_cast<sockaddr*>(&from.storage), &from.size);
            if (size < 17) {
                continue;
            }
            ++questions_;
            std::string reply = answer({packet.data(), static_cast<std::size_t>(size)});
            if (!reply.empty()) {
                sendto(socket_.number(), reply.data(), reply.size(), 0, from.raw(), from.size);
            }
        }
    }
    static std::vector<std::string> records(const std::string& name, int type) {
        if (name == "mail.test" && type == 15) {
            return {mx_to_wire(20, *name_to_wire("mx2.test")),
                    mx_to_wire(10, *name_to_wire("mx1.test"))};
        }
        if (name == "mx1.test" && type == 1) {
            return {"\xC0\x00\x02\x01"s};
        }
        if (name == "mx1.test" && type == 28) {
            return {"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"s};
        }
        if (name == "mail.test" && type == 16) {
            return {text_to_wire("v=spf1 -all")};
        }
        if (name == "many.test" && type == 1) {
            std::vector<std::string> all;
            for (int i = 0; i < 120; ++i) {
                all.push_back("\x0A\0\0"s + static_cast<char>(i));
            }
            return all;
        }
        return {};
    }
    static std::string answer(std::string_view packet) {
        std::size_t end = packet.find('\0', 12);
        std::string name = name_from_wire(packet.substr(12, end - 11)).value_or("?");
        int type = static_cast<unsigned char>(packet[end + 2]);
        if (name.ends_with("silent.test")) {
            return "";
        }
        int code = name.ends_with("broken.test") ? 2 : name.ends_with("gone.test") ? 3 : 0;
        auto found = records(name, type);
        ByteWriter out;
        out.raw(packet.substr(0, 2)).u16(static_cast<std::uint16_t>(0x8180 | code)).u16(1);
        out.u16(static_cast<std::uint16_t>(found.size())).u16(found.empty() ? 1 : 0).u16(0);
        out.raw(packet.substr(12, end + 5 - 12));
        for (const std::string& rdata : found) {
            out.u16(0xC00C).u16(static_cast<std::uint16_t>(type)).u16(1).u32(60);
            out.u16(static_cast<std::uint16_t>(rdata.size())).raw(rdata);
        }
        if (found.empty()) {
            std::string soa = "\1a\0\1b\0"s + std::string(20, '\1');
            out.raw("\4test\0"s).u16(6).u16(1).u32(60);
            out.u16(static_cast<std::uint16_t>(soa.size())).raw(soa);
        }
        return std::move(out).take();
    }

    Descriptor socket_;
    std::uint16_t port_ = 0;
    std::atomic<bool> is_stopped_ = false;
    std::atomic<int> questions_ = 0;
    std::thread thread_;
};

template <class T>
Task<void> fulfil(Task<T> task, std::shared_ptr<std::promise<T>> promise) {
    promise->set_value(co_await std::move(task));
}

struct Street {
    SmallNameServer server;
    ShardPool pool{2};
    std::unique_ptr<UnboundResolver> dns;

    Street() {
        auto made = UnboundResolver::create(
            &pool.shard(0), {.forwarders = {server.place()}, .query_localhost = true});
        EXPECT_TRUE(made) << made.error().text;
        dns = std::move(*made);
        pool.start();
    }
    ~Street() {
        pool.stop();
        pool.join();
        dns.reset();
    }
    template <class T>
    T ask(unsigned shard, Task<T> task) {
        auto promise = std::make_shared<std::promise<T>>();
        auto future = promise->get_future();
        spawn(pool.shard(shard), "ask", fulfil(std::move(task), std::move(promise)));
        if (future.wait_for(std::chrono::seconds(40)) != std::future_status::ready) {
            std::abort();
        }
        return future.get();
    }
};

TEST(UnboundResolver, answers_on_the_shard_that_asks) {
    Street street;
    for (unsigned shard : {0U, 1U}) {
        auto mx = street.ask(shard, street.dns->mx("Mail.Test."));
        ASSERT_TRUE(mx) << mx.error().text;
        EXPECT_EQ(mx->hosts, (std::vector<MxHost>{{10, "mx1.test"}, {20, "mx2.test"}}));
        EXPECT_FALSE(mx->is_secure);
        auto addresses = street.ask(shard, street.dns->addresses("mx1.test"));
        ASSERT_TRUE(addresses) << addresses.error().text;
        ASSERT_EQ(addresses->addresses.size(), 2U);
        EXPECT_EQ(addresses->addresses[0].to_string(), "2001:db8::1");
        EXPECT_EQ(street.ask(shard, street.dns->txt("mail.test"))->texts.front(), "v=spf1 -all");
    }
    // The second shard's questions were answered from the cache.
    EXPECT_LE(street.server.questions(), 8);
}

TEST(UnboundResolver, absence_failure_and_bounds) {
    Street street;
    auto nodata = street.ask(0, street.dns->mx("mx1.test"));
    ASSERT_TRUE(nodata) << nodata.error().text;
    EXPECT_EQ(nodata->outcome, DnsOutcome::NoData);
    EXPECT_EQ(street.ask(0, street.dns->mx("gone.test"))->outcome, DnsOutcome::NxDomain);
    EXPECT_EQ(street.ask(0, street.dns->mx("not..a.name"))->outcome, DnsOutcome::NxDomain);
    EXPECT_EQ(street.ask(1, street.dns->mx("broken.test")).error().code, ErrorCode::Unavailable);
    auto many = street.ask(0, street.dns->addresses("many.test", AddressFamilies::V4));
    EXPECT_FALSE(many);
}

Task<void> ask_into(Resolver* dns, std::string name, std::atomic<int>* ended) {
    struct Ended {
        std::atomic<int>* count;
        ~Ended() { ++*count; }
    } guard{ended};
    (void)co_await dns->mx(std::move(name));
}

TEST(UnboundResolver, stops_with_questions_open) {
    std::atomic<int> ended = 0;
    {
        Street street;
        for (unsigned i = 0; i < 20; ++i) {
            spawn(street.pool.shard(i % 2), "ask",
                  ask_into(street.dns.get(), "n" + std::to_string(i) + ".silent.test", &ended));
        }
        while (street.server.questions() == 0) {
            std::this_thread::yield();
        }
    }
    EXPECT_EQ(ended, 20);
}

// The built-in keys of the root are those of the system's package, where it is installed.
TEST(UnboundResolver, root_anchors_are_those_of_the_system) {
    std::ifstream file("/usr/share/dns/root.ds");
    if (!file) {
        FAIL() << "the package dns-root-data is missing: ./dev bootstrap test";
    }
    std::set<std::string> theirs;
    for (std::string line; std::getline(file, line);) {
        theirs.insert(to_lower(line.substr(line.find("DS") + 3)));
    }
    std::set<std::string> ours;
    for (const std::string& anchor : root_trust_anchors()) {
        ours.insert(to_lower(anchor.substr(anchor.find("DS") + 3)));
    }
    EXPECT_EQ(ours, theirs);
}

TEST(UnboundResolver, refuses_wrong_options) {
    EXPECT_FALSE(UnboundResolver::create(nullptr, {.trust_anchors = {"no record"}}));
    ShardPool pool(1);
    auto made = UnboundResolver::create(&pool.shard(0), {.forwarders = {"not an address"}});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind, ErrorKind::Internal);
    EXPECT_FALSE(UnboundResolver::create(&pool.shard(0), {.trust_anchor_files = {"/nonexistent"}}));
}

}  // namespace
}  // namespace godwit::net
