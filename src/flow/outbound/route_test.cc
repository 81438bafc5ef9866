#include "flow/outbound/route.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

RouteSettings route(std::string domain, std::string host) {
    RouteSettings settings;
    settings.domain = std::move(domain);
    settings.host = std::move(host);
    return settings;
}

std::string host_of(const Settings& settings, std::string_view domain) {
    const NextHop hop = decide_next_hop(settings, domain);
    const auto* relay = std::get_if<RelayHop>(&hop);
    return relay != nullptr ? relay->host : std::holds_alternative<MxHop>(hop) ? "mx" : "none";
}

TEST(Route, Exact_beats_wildcard_beats_star_whatever_their_order) {
    Settings settings;
    settings.routes = {route("*", "any"), route("*.example.com", "below"),
                       route("a.example.com", "exact"), route("*.b.example.com", "deeper")};
    EXPECT_EQ(host_of(settings, "A.example.com"), "exact");
    EXPECT_EQ(host_of(settings, "c.example.com"), "below");
    EXPECT_EQ(host_of(settings, "x.b.example.com"), "deeper");
    EXPECT_EQ(host_of(settings, "example.com"), "any");
    EXPECT_EQ(host_of(settings, "badexample.com"), "any");
}

TEST(Route, Without_a_route_it_is_MX_or_held_when_look_ups_are_off) {
    Settings settings;
    EXPECT_EQ(host_of(settings, "example.com"), "mx");
    settings.resolver.is_off = true;
    EXPECT_TRUE(std::holds_alternative<HoldHop>(decide_next_hop(settings, "example.com")));
}

net::MxAnswer answer(std::vector<net::MxHost> hosts) {
    net::MxAnswer mx;
    mx.outcome = net::DnsOutcome::Found;
    mx.hosts = std::move(hosts);
    return mx;
}

TEST(Route, F1_null_MX_is_permanent) {
    net::MxAnswer mx;
    mx.outcome = net::DnsOutcome::Found;
    mx.is_null_mx = true;
    const auto hosts = order_mx(mx, "example.com", "us.test", 1);
    ASSERT_FALSE(hosts.has_value());
    EXPECT_TRUE(hosts.error().reply.is_permanent());
    EXPECT_EQ(hosts.error().reply.enhanced->to_string(), "5.1.10");
}

TEST(Route, F2_no_MX_means_the_domain_itself_and_no_domain_is_permanent) {
    net::MxAnswer mx;
    mx.outcome = net::DnsOutcome::NoData;
    EXPECT_EQ(order_mx(mx, "example.com", "us.test", 1).value(),
              std::vector<std::string>{"example.com"});
    mx.outcome = net::DnsOutcome::NxDomain;
    EXPECT_TRUE(order_mx(mx, "example.com", "us.test", 1).error().reply.is_permanent());
}

TEST(Route, F6_we_and_all_less_preferred_are_dropped) {
    const auto hosts = order_mx(
        answer({{10, "first.test"}, {20, "US.test"}, {20, "equal.test"}, {30, "worse.test"}}),
        "example.com", "us.test", 1);
    EXPECT_EQ(hosts.value(), std::vector<std::string>{"first.test"});
    const auto loop =
        order_mx(answer({{10, "us.test"}, {20, "worse.test"}}), "example.com", "us.test", 1);
    ASSERT_FALSE(loop.has_value());
    EXPECT_EQ(loop.error().reply.enhanced->to_string(), "5.4.6");
}

TEST(Route, F5_an_MX_named_localhost_is_no_host) {
    EXPECT_TRUE(order_mx(answer({{10, "localhost"}}), "example.com", "us.test", 1)
                    .error()
                    .reply.is_temporary());
}

}  // namespace
}  // namespace godwit::flow
