// Dead addresses and broken families.
#include "flow/outbound/host_cache.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

std::string show(const std::vector<net::IpAddress>& addresses) {
    std::string out;
    for (const net::IpAddress& each : addresses) {
        out += each.to_string() + " ";
    }
    return out;
}

const MonoTime kNow{std::chrono::hours(1)};

TEST(HostCache, C4_a_dead_address_is_passed_over_where_there_is_another) {
    HostCache hosts;
    const std::vector<net::IpAddress> both = {ip("11.0.0.1"), ip("11.0.0.2")};
    hosts.failed(ip("11.0.0.1"), kNow);
    EXPECT_EQ(show(hosts.order(both, kNow)), "11.0.0.2 ");
    hosts.failed(ip("11.0.0.2"), kNow);
    EXPECT_EQ(show(hosts.order(both, kNow)), "11.0.0.1 11.0.0.2 ");
    hosts.answered(ip("11.0.0.2"));
    EXPECT_EQ(show(hosts.order(both, kNow)), "11.0.0.2 ");
    EXPECT_EQ(show(hosts.order(both, kNow + host_dead_min)), "11.0.0.1 11.0.0.2 ");
}

TEST(HostCache, C4_its_time_doubles_up_to_a_bound) {
    HostCache hosts;
    const net::IpAddress address = ip("11.0.0.1");
    hosts.failed(address, kNow);
    hosts.failed(address, kNow);
    EXPECT_TRUE(hosts.is_dead(address, kNow + host_dead_min * 2 - std::chrono::seconds(1)));
    EXPECT_FALSE(hosts.is_dead(address, kNow + host_dead_min * 2));
    for (int i = 0; i < 20; ++i) {
        hosts.failed(address, kNow);
    }
    EXPECT_TRUE(hosts.is_dead(address, kNow + host_dead_max - std::chrono::seconds(1)));
    EXPECT_FALSE(hosts.is_dead(address, kNow + host_dead_max));
}

TEST(HostCache, F8_a_broken_family_comes_last) {
    HostCache hosts;
    const std::vector<net::IpAddress> both = {ip("2a00::99"), ip("11.0.0.1")};
    for (std::uint32_t i = 1; i <= family_failures_max; ++i) {
        EXPECT_EQ(show(hosts.order(both, kNow)), "2a00::99 11.0.0.1 ") << i;
        // The same one again says nothing more of the family.
        hosts.failed(ip("2a00::" + std::to_string(i)), kNow);
        hosts.failed(ip("2a00::" + std::to_string(i)), kNow);
    }
    EXPECT_EQ(show(hosts.order(both, kNow)), "11.0.0.1 2a00::99 ");
    EXPECT_EQ(show(hosts.order(both, kNow + family_dead_time)), "2a00::99 11.0.0.1 ");
    hosts.answered(ip("2a00::77"));
    EXPECT_EQ(show(hosts.order(both, kNow)), "2a00::99 11.0.0.1 ");
}

TEST(HostCache, operators_see_the_dead_until_they_answer_or_their_time_is_over) {
    HostCache hosts;
    hosts.failed(ip("11.0.0.1"), kNow, "mx1.big.test");
    hosts.failed(ip("2600::1"), kNow + std::chrono::seconds(20), "mx2.big.test");
    const MonoTime later = kNow + std::chrono::seconds(30);
    std::vector<DeadHost> dead = hosts.dead(later);
    ASSERT_EQ(dead.size(), 2U);
    EXPECT_EQ(dead[0].host, "mx1.big.test");
    EXPECT_EQ(dead[0].address, ip("11.0.0.1"));
    EXPECT_EQ(dead[0].time_left, std::chrono::seconds(30));
    hosts.answered(ip("2600::1"));
    EXPECT_EQ(hosts.dead(later).size(), 1U);
    EXPECT_TRUE(hosts.dead(kNow + host_dead_min).empty());
}

}  // namespace
}  // namespace godwit::flow
