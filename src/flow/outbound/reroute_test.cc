#include "flow/outbound/reroute.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

TEST(Reroute, reads_what_an_operator_writes) {
    EXPECT_EQ(*rerouted_site("Relay.example.net:2525"), "smtp:relay.example.net:2525");
    EXPECT_EQ(*rerouted_site("smtp:192.0.2.1:25"), "smtp:192.0.2.1:25");
    EXPECT_EQ(*rerouted_site("LMTP:store.example:24"), "lmtp:store.example:24");
    EXPECT_EQ(*rerouted_site("[2001:db8::1]:25"), "smtp:[2001:db8::1]:25");
    EXPECT_EQ(*rerouted_site("Example.NET"), "example.net");
    for (const char* wrong : {"", ":25", "host:0", "host:65536", "host:", "lmtp:host",
                              "smtp:", "2001:db8::1:25", "a b:25", "h\x01:25"}) {
        EXPECT_FALSE(rerouted_site(wrong)) << wrong;
    }
}

TEST(Reroute, a_site_is_as_long_as_a_domain_may_be) {
    // "smtp:" and ":25" are 8 octets.
    const std::size_t most = limits::domain_size_max - 8;
    const auto host = [](std::size_t size) {
        std::string labels;
        for (; size > 60; size -= 60) {
            labels += std::string(59, 'h') + ".";
        }
        return labels + std::string(size, 'h');
    };
    EXPECT_TRUE(rerouted_site(host(most - 1) + ":25"));
    EXPECT_TRUE(rerouted_site(host(most) + ":25"));
    EXPECT_FALSE(rerouted_site(host(most + 1) + ":25"));
}

TEST(Reroute, leads_to_the_host) {
    const auto smtp = rerouted_hop("smtp:relay.example.net:2525");
    ASSERT_TRUE(smtp);
    EXPECT_EQ(smtp->host, "relay.example.net");
    EXPECT_EQ(smtp->port, 2525);
    EXPECT_FALSE(smtp->is_lmtp);
    EXPECT_TRUE(rerouted_hop("lmtp:store.example:24")->is_lmtp);
    EXPECT_EQ(rerouted_hop("smtp:[2001:db8::1]:25")->host, "2001:db8::1");
    EXPECT_FALSE(rerouted_hop("example.net"));
    EXPECT_FALSE(rerouted_hop("[IPv6:2001:db8::1]"));
}

// A route for "*" is for domains; whoever sent it another way meant that way.
TEST(Reroute, goes_before_routes) {
    Settings settings;
    settings.routes.push_back({.domain = "*", .kind = RouteSettings::Kind::Discard, .host = ""});
    constexpr std::string_view kSite = "smtp:192.0.2.1:25";
    EXPECT_FALSE(discards_all(settings, kSite));
    const NextHop hop =
        decide_next_hop(settings, {.domain = kSite, .recipient = "a@b.test", .sender = ""});
    ASSERT_TRUE(std::holds_alternative<RelayHop>(hop));
    EXPECT_EQ(std::get<RelayHop>(hop).host, "192.0.2.1");
}

}  // namespace
}  // namespace godwit::flow
