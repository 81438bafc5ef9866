#include "flow/policy/relay_domains.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

Settings settings_with(std::vector<RelayDomainSettings> relays) {
    Settings settings;
    settings.default_domain = "example.test";
    settings.relay_domains = std::move(relays);
    return settings;
}

MailAsker asker_at(std::string_view address, std::string account = "") {
    return {.peer = *net::Endpoint::parse(std::string(address) + ":4711"),
            .account = std::move(account)};
}

mail::Address address(std::string local) {
    return {.local = std::move(local), .domain = "a.example"};
}

TEST(RelayDomains, The_entry_that_says_most_decides) {
    RelayDomainSettings below{.domain = "*.example.com"};
    RelayDomainSettings deep{.domain = "*.a.example.com", .hold = true};
    RelayDomainSettings exact{.domain = "b.a.example.com"};
    const Settings settings = settings_with({below, deep, exact});
    EXPECT_EQ(find_relay_domain(settings, "example.com"), nullptr);
    EXPECT_EQ(find_relay_domain(settings, "notexample.com"), nullptr);
    EXPECT_EQ(find_relay_domain(settings, "x.Example.com")->domain, "*.example.com");
    EXPECT_TRUE(is_kept_for_request(settings, "x.a.example.com"));
    EXPECT_FALSE(is_kept_for_request(settings, "b.a.example.com"));
    EXPECT_EQ(lifetime_of(settings, "b.a.example.com"), std::chrono::days(14));
    EXPECT_EQ(lifetime_of(settings, "example.com"), std::chrono::days(5));
}

TEST(RelayDomains, Those_who_are_listed_exist_and_so_does_the_postmaster) {
    const RelayDomainSettings open{.domain = "a.example"};
    const RelayDomainSettings closed{.domain = "a.example", .recipients = {"Ann@a.example"}};
    EXPECT_TRUE(may_exist(open, address("anybody")));
    EXPECT_TRUE(may_exist(closed, address("ann")));
    EXPECT_TRUE(may_exist(closed, address("PostMaster")));
    EXPECT_FALSE(may_exist(closed, address("anne")));
}

TEST(RelayDomains, Rfc1985_who_may_ask) {
    const Settings settings = settings_with({{.domain = "a.example",
                                              .networks = {"192.0.2.0/24"},
                                              .accounts = {"ann", "b@c.example"}}});
    const RelayDomainSettings& relay = settings.relay_domains.front();
    EXPECT_TRUE(may_ask_for(settings, relay, asker_at("192.0.2.7")));
    EXPECT_FALSE(may_ask_for(settings, relay, asker_at("192.0.3.7")));
    EXPECT_TRUE(may_ask_for(settings, relay, asker_at("192.0.3.7", "ann@example.test")));
    EXPECT_TRUE(may_ask_for(settings, relay, asker_at("192.0.3.7", "b@c.example")));
    EXPECT_FALSE(may_ask_for(settings, relay, asker_at("192.0.3.7", "ann@c.example")));
    EXPECT_TRUE(may_ask_from(settings, asker_at("192.0.2.7").peer));
    EXPECT_FALSE(may_ask_from(settings, asker_at("192.0.3.7").peer));
    EXPECT_TRUE(may_users_ask(settings));
    EXPECT_FALSE(may_users_ask(settings_with({{.domain = "a.example"}})));
}

}  // namespace
}  // namespace godwit::flow
