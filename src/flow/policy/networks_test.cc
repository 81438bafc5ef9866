#include "flow/policy/networks.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

net::Endpoint at(std::string_view address) {
    return {*net::IpAddress::parse(address), 25};
}

TEST(Networks, an_address_is_in_what_was_named) {
    const std::vector<std::string> named = {"192.0.2.0/24", "198.51.100.7", "2001:db8::/32"};
    EXPECT_TRUE(is_in(named, at("192.0.2.0")));
    EXPECT_TRUE(is_in(named, at("192.0.2.255")));
    EXPECT_FALSE(is_in(named, at("192.0.3.0")));
    EXPECT_TRUE(is_in(named, at("198.51.100.7")));
    EXPECT_FALSE(is_in(named, at("198.51.100.8")));
    EXPECT_TRUE(is_in(named, at("2001:db8:ffff::1")));
    EXPECT_FALSE(is_in(named, at("2001:db9::1")));
    // One peer has one name: IPv4 that came in by a socket of both families.
    EXPECT_TRUE(is_in(named, at("::ffff:192.0.2.9")));
}

TEST(Networks, everything_of_one_family_and_nobody) {
    EXPECT_TRUE(is_in({"0.0.0.0/0"}, at("203.0.113.1")));
    EXPECT_FALSE(is_in({"0.0.0.0/0"}, at("2001:db8::1")));
    EXPECT_FALSE(is_in({}, at("127.0.0.1")));
    EXPECT_FALSE(is_in({"0.0.0.0/0", "::/0"}, net::Endpoint::unix_path("/run/x")));
}

TEST(Networks, what_is_none_is_refused) {
    for (const char* bad : {"", "/", "192.0.2.0/", "192.0.2.0/33", "2001:db8::/129", "192.0.2.1/24",
                            "192.0.2/24", "host.example", "192.0.2.0/-1", "192.0.2.0/24/8"}) {
        EXPECT_FALSE(parse_network(bad).has_value()) << bad;
    }
    EXPECT_TRUE(parse_network("192.0.2.0/32").has_value());
    EXPECT_TRUE(parse_network("2001:db8::/128").has_value());
}

}  // namespace
}  // namespace godwit::flow
