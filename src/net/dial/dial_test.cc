#include "net/dial/dial.h"

#include <gtest/gtest.h>

#include "net/io/memory_network.h"
#include "net/resolver/scripted_resolver.h"

namespace godwit::net {
namespace {

using Behaviour = MemoryNetwork::Behaviour;
using std::chrono::seconds;

struct World {
    TestLoop loop;
    MemoryNetwork network{&loop};
    ScriptedResolver dns;
    std::vector<std::unique_ptr<Stream>> accepted;
    std::unique_ptr<Listener> listener;

    World() {
        auto keep = [this](std::unique_ptr<Stream> stream) {
            accepted.push_back(std::move(stream));
        };
        listener = *network.listen(*Endpoint::parse("203.0.113.5:25"), {.name = "mx"}, keep);
        EXPECT_TRUE(
            dns.add_lines("mx.test A 203.0.113.5\nmx.test AAAA 2001:db8::5\n"
                          "inside.test A 10.0.0.1\nbroken.test * servfail\n"));
    }
};

Task<void> dial_into(World* world, DialRequest request, std::optional<Result<Dialed>>* out) {
    out->emplace(co_await dial(&world->network, &world->dns, std::move(request)));
}
std::optional<Result<Dialed>> go(World& world, DialRequest request, seconds patience = seconds(0)) {
    std::optional<Result<Dialed>> out;
    spawn(world.loop.shard(), "dial", dial_into(&world, std::move(request), &out));
    world.loop.advance(patience);
    return out;
}

TEST(Dial, next_address_after_a_refusal) {
    World world;
    auto dialed = go(world, {.host = "mx.test", .port = 25, .allow_private = true});
    ASSERT_TRUE(dialed->has_value()) << dialed->error().text;
    EXPECT_EQ((*dialed)->endpoint.to_string(), "203.0.113.5:25");
    ASSERT_EQ((*dialed)->failed.size(), 1U);
    EXPECT_EQ((*dialed)->failed[0].error.code, ErrorCode::Unavailable);
    EXPECT_EQ(world.accepted.size(), 1U);
}

TEST(Dial, a_name_without_a_resolver_is_an_error) {
    World world;
    std::optional<Result<Dialed>> named;
    std::optional<Result<Dialed>> numbered;
    const auto dial_without = [](World* street, DialRequest request,
                                 std::optional<Result<Dialed>>* out) -> Task<void> {
        out->emplace(co_await dial(&street->network, nullptr, std::move(request)));
    };
    spawn(world.loop.shard(), "dial", dial_without(&world, {.host = "mx.test"}, &named));
    spawn(world.loop.shard(), "dial",
          dial_without(&world, {.host = "203.0.113.5", .port = 25, .allow_private = true},
                       &numbered));
    world.loop.run_until_idle();
    ASSERT_TRUE(named && numbered);
    ASSERT_FALSE(named->has_value());
    EXPECT_EQ(named->error().code, ErrorCode::Unavailable);
    EXPECT_EQ(named->error().kind, ErrorKind::Temporary);
    EXPECT_TRUE(numbered->has_value());
}

TEST(Dial, hanging_address_costs_its_own_timeout) {
    World world;
    world.network.set_behaviour(*Endpoint::parse("[2001:db8::5]:25"), Behaviour::Hang);
    auto dialed =
        go(world,
           {.host = "mx.test", .port = 25, .connect_timeout = seconds(5), .allow_private = true},
           seconds(6));
    ASSERT_TRUE(dialed.has_value() && dialed->has_value());
    EXPECT_EQ((*dialed)->failed[0].error.code, ErrorCode::Timeout);
}

TEST(Dial, the_deadline_covers_all) {
    World world;
    world.network.set_behaviour(*Endpoint::parse("[2001:db8::5]:25"), Behaviour::Hang);
    auto dialed = go(world,
                     {.host = "mx.test",
                      .port = 25,
                      .deadline = world.loop.clock().mono() + seconds(3),
                      .allow_private = true},
                     seconds(4));
    ASSERT_TRUE(dialed.has_value());
    EXPECT_EQ(dialed->error().code, ErrorCode::Timeout);
}

TEST(Dial, kinds_of_failure) {
    World world;
    EXPECT_EQ(go(world, {.host = "inside.test", .port = 25})->error().code, ErrorCode::Denied);
    EXPECT_EQ(go(world, {.host = "none.test", .port = 25})->error().code, ErrorCode::NotFound);
    EXPECT_EQ(go(world, {.host = "broken.test", .port = 25})->error().kind, ErrorKind::Temporary);
    auto refused = go(world, {.host = "10.0.0.1", .port = 25, .allow_private = true});
    EXPECT_EQ(refused->error().code, ErrorCode::Unavailable);
    auto given = go(world, {.host = "relay", .endpoints = {*Endpoint::parse("203.0.113.5:25")}});
    EXPECT_TRUE(given->has_value());
}

TEST(Dial, families_alternate) {
    auto ip = [](std::string_view text) { return *IpAddress::parse(text); };
    EXPECT_EQ(dial_order({ip("1.1.1.1"), ip("1.1.1.2"), ip("::2"), ip("1.1.1.1"), ip("1.1.1.3")}),
              (std::vector<IpAddress>{ip("::2"), ip("1.1.1.1"), ip("1.1.1.2"), ip("1.1.1.3")}));
}

}  // namespace
}  // namespace godwit::net
