#include "flow/outbound/route.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace godwit::flow {
namespace {

RouteSettings route(std::string domain, std::string host) {
    RouteSettings settings;
    settings.domain = std::move(domain);
    settings.host = std::move(host);
    return settings;
}

std::string host_of(const Settings& settings, std::string_view domain) {
    const NextHop hop =
        decide_next_hop(settings, {.domain = domain, .recipient = "", .sender = "a@sender.test"});
    const auto* relay = std::get_if<RelayHop>(&hop);
    return relay == nullptr                                                      ? "none"
           : relay->lookup == RouteSettings::Lookup::Mx && !relay->is_configured ? "mx"
                                                                                 : relay->host;
}
std::string host_of(const Settings& settings, std::string_view domain, std::string_view recipient,
                    std::string_view sender) {
    const NextHop hop =
        decide_next_hop(settings, {.domain = domain, .recipient = recipient, .sender = sender});
    return std::get<RelayHop>(hop).host;
}

const std::vector<std::string> kOwn = {"us.test"};

std::vector<std::string> names_of(const HostList& list) {
    std::vector<std::string> names;
    for (const net::MxHost& host : list.hosts) {
        names.push_back(host.host);
    }
    return names;
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
    EXPECT_EQ(host_of(settings, "example.com"), "none");
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
    const auto hosts = order_mx(mx, "example.com", kOwn, 1);
    ASSERT_FALSE(hosts.has_value());
    EXPECT_TRUE(hosts.error().reply.is_permanent());
    EXPECT_EQ(hosts.error().reply.enhanced->to_string(), "5.1.10");
}

TEST(Route, F1_a_dot_beside_another_MX_is_passed_over) {
    const auto hosts = order_mx(answer({{0, ""}, {10, "mx.test"}}), "example.com", kOwn, 1);
    EXPECT_EQ(names_of(hosts.value()), std::vector<std::string>{"mx.test"});
}

TEST(Route, F9_equal_preferences_are_shuffled_and_no_others) {
    std::map<std::string, int> first;
    for (std::uint64_t chance = 1; chance <= 300; ++chance) {
        const auto hosts =
            order_mx(answer({{20, "last.test"}, {10, "a.test"}, {10, "b.test"}, {10, "c.test"}}),
                     "example.com", kOwn, chance * 0x9E3779B97F4A7C15U);
        ASSERT_EQ(hosts->hosts.size(), 4U);
        EXPECT_EQ(hosts->hosts.back().host, "last.test");
        ++first[hosts->hosts.front().host];
    }
    ASSERT_EQ(first.size(), 3U);
    for (const auto& [host, count] : first) {
        EXPECT_GT(count, 60) << host;
    }
}

TEST(Route, F2_no_MX_means_the_domain_itself_and_no_domain_is_permanent) {
    net::MxAnswer mx;
    mx.outcome = net::DnsOutcome::NoData;
    EXPECT_EQ(names_of(order_mx(mx, "example.com", kOwn, 1).value()),
              std::vector<std::string>{"example.com"});
    mx.outcome = net::DnsOutcome::NxDomain;
    EXPECT_TRUE(order_mx(mx, "example.com", kOwn, 1).error().reply.is_permanent());
}

TEST(Route, F6_we_and_all_less_preferred_are_dropped) {
    const auto hosts = order_mx(
        answer({{10, "first.test"}, {20, "US.test"}, {20, "equal.test"}, {30, "worse.test"}}),
        "example.com", kOwn, 1);
    EXPECT_EQ(names_of(hosts.value()), std::vector<std::string>{"first.test"});
    EXPECT_TRUE(hosts->includes_us);
    const auto loop =
        order_mx(answer({{10, "us.test"}, {20, "worse.test"}}), "example.com", kOwn, 1);
    ASSERT_FALSE(loop.has_value());
    EXPECT_EQ(loop.error().reply.enhanced->to_string(), "5.4.6");
}

TEST(Route, F1_a_dot_beside_another_MX_is_no_host_and_says_nothing) {
    const auto hosts = order_mx(answer({{0, ""}, {10, "mx.test"}}), "example.com", kOwn, 1);
    ASSERT_TRUE(hosts.has_value());
    EXPECT_EQ(names_of(*hosts), std::vector<std::string>{"mx.test"});
    EXPECT_FALSE(hosts->includes_us);
}

TEST(Route, F9_equal_preferences_are_shuffled_and_none_goes_before_a_better_one) {
    const std::vector<std::string> equal = {"a.test", "b.test", "c.test", "d.test"};
    std::map<std::string, int> first;
    std::set<std::vector<std::string>> orders;
    for (std::uint64_t chance = 0; chance < 400; ++chance) {
        const std::vector<std::string> names = names_of(order_mx(answer({{30, "last.test"},
                                                                         {20, equal[0]},
                                                                         {20, equal[1]},
                                                                         {20, equal[2]},
                                                                         {20, equal[3]},
                                                                         {10, "best.test"}}),
                                                                 "example.com", kOwn, chance)
                                                            .value());
        ASSERT_EQ(names.size(), 6U);
        EXPECT_EQ(names.front(), "best.test");
        EXPECT_EQ(names.back(), "last.test");
        ++first[names[1]];
        orders.insert(names);
    }
    // Each as often as another, within what chance allows, and in any order.
    for (const std::string& name : equal) {
        EXPECT_GT(first[name], 60) << name;
        EXPECT_LT(first[name], 140) << name;
    }
    EXPECT_EQ(orders.size(), 24U);
}

TEST(Route, F5_an_MX_named_localhost_is_no_host) {
    EXPECT_EQ(
        names_of(order_mx(answer({{10, "localhost"}, {20, "b.test"}}), "a.test", kOwn, 1).value()),
        std::vector<std::string>{"b.test"});
}

TEST(Route, Recipient_says_more_than_sender_and_address_more_than_domain) {
    Settings settings;
    const auto add = [&settings](std::string domain, std::string recipient, std::string sender,
                                 std::string host) {
        RouteSettings made = route(std::move(domain), std::move(host));
        made.recipient = std::move(recipient);
        made.sender = std::move(sender);
        settings.routes.push_back(std::move(made));
    };
    add("*", "", "", "any");
    add("", "", "b@news.test", "address");
    add("", "", "news.test", "domain");
    add("", "", "*.news.test", "below");
    add("", "", "<>", "reports");
    add("a.test", "", "", "to-domain");
    add("a.test", "", "news.test", "both");
    add("", "x@a.test", "", "to-address");
    EXPECT_EQ(host_of(settings, "z.test", "q@z.test", "B@NEWS.test"), "address");
    EXPECT_EQ(host_of(settings, "z.test", "q@z.test", "c@news.test"), "domain");
    EXPECT_EQ(host_of(settings, "z.test", "q@z.test", "c@eu.news.test"), "below");
    EXPECT_EQ(host_of(settings, "z.test", "q@z.test", ""), "reports");
    EXPECT_EQ(host_of(settings, "z.test", "q@z.test", "c@else.test"), "any");
    EXPECT_EQ(host_of(settings, "a.test", "q@a.test", "b@else.test"), "to-domain");
    EXPECT_EQ(host_of(settings, "a.test", "q@a.test", "b@news.test"), "both");
    EXPECT_EQ(host_of(settings, "a.test", "X@a.test", "b@news.test"), "to-address");
}

TEST(Route, Fallback_of_outbound_is_for_MX_of_the_recipient_alone) {
    Settings settings;
    settings.outbound.fallback = {"f.test:2525"};
    settings.routes = {route("a.test", "hub.test"), route("b.test", "")};
    settings.routes[1].lookup = RouteSettings::Lookup::Mx;
    const auto fallback = [&settings](std::string_view domain) {
        const RouteQueryView query{.domain = domain, .recipient = "", .sender = ""};
        return std::get<RelayHop>(decide_next_hop(settings, query)).fallback;
    };
    EXPECT_EQ(fallback("else.test"), (std::vector<HostPort>{{"f.test", 2525}}));
    EXPECT_EQ(fallback("b.test"), (std::vector<HostPort>{{"f.test", 2525}}));
    EXPECT_TRUE(fallback("a.test").empty());
}

TEST(Route, Discards_all_only_where_no_other_route_could_win) {
    Settings settings;
    settings.routes = {route("a.test", "")};
    settings.routes[0].kind = RouteSettings::Kind::Discard;
    EXPECT_TRUE(discards_all(settings, "a.test"));
    EXPECT_FALSE(discards_all(settings, "b.test"));
    settings.routes.push_back(route("*", "any"));
    EXPECT_TRUE(discards_all(settings, "a.test"));
    settings.routes.push_back(route("a.test", "hub.test"));
    settings.routes.back().sender = "boss@b.test";
    EXPECT_FALSE(discards_all(settings, "a.test"));
    settings.routes.pop_back();
    settings.routes.push_back(route("", "hub.test"));
    settings.routes.back().recipient = "keep@a.test";
    EXPECT_FALSE(discards_all(settings, "a.test"));
}

TEST(Route, Hosts_with_and_without_port) {
    EXPECT_EQ(parse_host_port("a.test", 25), (HostPort{"a.test", 25}));
    EXPECT_EQ(parse_host_port("a.test:587", 25), (HostPort{"a.test", 587}));
    EXPECT_EQ(parse_host_port("192.0.2.1:26", 25), (HostPort{"192.0.2.1", 26}));
    EXPECT_EQ(parse_host_port("2001:db8::1", 25), (HostPort{"2001:db8::1", 25}));
    EXPECT_EQ(parse_host_port("[2001:db8::1]", 25), (HostPort{"2001:db8::1", 25}));
    EXPECT_EQ(parse_host_port("[2001:db8::1]:65535", 25), (HostPort{"2001:db8::1", 65535}));
    for (const char* wrong : {"", ":25", "a.test:", "a.test:0", "a.test:65536", "a b", "[::1",
                              "[::1]x", "[a.test]:25", "a.test:25:26"}) {
        EXPECT_EQ(parse_host_port(wrong, 25), std::nullopt) << wrong;
    }
}

EgressSettings egress(std::string name) {
    EgressSettings made;
    made.name = std::move(name);
    return made;
}

TEST(Route, F13_H1_a_message_keeps_its_source_and_all_are_used) {
    Settings settings;
    settings.egress = {egress("a"), egress("b")};
    std::set<std::string> used;
    std::map<std::uint64_t, std::string> before;
    for (std::uint64_t mail = 1; mail <= 64; ++mail) {
        const EgressSettings* chosen = choose_egress(settings, {}, "x@a.test", MailId(mail));
        ASSERT_NE(chosen, nullptr);
        EXPECT_EQ(choose_egress(settings, {}, "x@a.test", MailId(mail)), chosen);
        used.insert(chosen->name);
        before[mail] = chosen->name;
    }
    EXPECT_EQ(used.size(), 2U);
    // One more takes its share and moves nothing else.
    settings.egress.push_back(egress("c"));
    for (const auto& [mail, name] : before) {
        const std::string now = choose_egress(settings, {}, "x@a.test", MailId(mail))->name;
        EXPECT_TRUE(now == name || now == "c");
    }
}

TEST(Route, Egress_by_route_then_by_sender_then_for_all) {
    Settings settings;
    EXPECT_EQ(choose_egress(settings, {}, "x@a.test", MailId(1)), nullptr);
    settings.egress = {egress("all"), egress("news")};
    settings.egress[1].sender_domains = {"news.test", "*.news.test"};
    EXPECT_EQ(choose_egress(settings, {}, "x@a.test", MailId(1))->name, "all");
    EXPECT_EQ(choose_egress(settings, {}, "", MailId(1))->name, "all");
    EXPECT_EQ(choose_egress(settings, {}, "x@News.test", MailId(1))->name, "news");
    EXPECT_EQ(choose_egress(settings, {}, "x@eu.news.test", MailId(1))->name, "news");
    EXPECT_EQ(choose_egress(settings, {"all"}, "x@news.test", MailId(1))->name, "all");
}

net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

TEST(Route, F5_F7_F8_addresses_that_are_tried_and_their_order) {
    const std::vector<net::IpAddress> found = {ip("2001:4860::1"), ip("2001:4860::2"),
                                               ip("11.0.0.1"), ip("10.0.0.1"), ip("11.0.0.2")};
    const auto order = [&found](Families families) {
        std::string out;
        for (const auto& each : choose_addresses(found, {.families = families}).value()) {
            out += each.to_string() + " ";
        }
        return out;
    };
    EXPECT_EQ(order(Families::Balanced), "2001:4860::1 11.0.0.1 2001:4860::2 11.0.0.2 ");
    EXPECT_EQ(order(Families::Ipv4First), "11.0.0.1 11.0.0.2 2001:4860::1 2001:4860::2 ");
    EXPECT_EQ(order(Families::Ipv6First), "2001:4860::1 2001:4860::2 11.0.0.1 11.0.0.2 ");
    EXPECT_EQ(order(Families::Ipv4), "11.0.0.1 11.0.0.2 ");
    EXPECT_EQ(order(Families::Ipv6), "2001:4860::1 2001:4860::2 ");
    EXPECT_EQ(choose_addresses({}, {}).error(), Unusable::NoAddress);
    EXPECT_EQ(choose_addresses({ip("10.0.0.1")}, {}).error(), Unusable::NotPublic);
    EXPECT_TRUE(choose_addresses({ip("10.0.0.1")}, {.allow_private = true}).has_value());
    EXPECT_EQ(choose_addresses({ip("11.0.0.1")}, {.is_v4_possible = false}).error(),
              Unusable::OtherFamily);
}

TEST(Route, F6_G12_own_doors) {
    Settings settings;
    settings.listeners = {{.protocol = Protocol::Smtp, .address = "11.0.0.1:25"},
                          {.protocol = Protocol::Submission, .address = "11.0.0.2:587"}};
    settings.outbound.own_addresses = {"11.0.0.3"};
    const auto is_own = [&settings](std::string_view address, std::uint16_t port) {
        return is_own_door(settings, {ip("11.0.0.9")}, net::Endpoint(ip(address), port));
    };
    EXPECT_TRUE(is_own("11.0.0.1", 25));
    EXPECT_FALSE(is_own("11.0.0.1", 26));
    EXPECT_FALSE(is_own("11.0.0.2", 587));
    EXPECT_TRUE(is_own("11.0.0.3", 25));
    EXPECT_FALSE(is_own("11.0.0.9", 25));
    settings.listeners.push_back({.protocol = Protocol::Smtp, .address = "[::]:25"});
    EXPECT_TRUE(is_own("11.0.0.9", 25));
    EXPECT_FALSE(is_own("11.0.0.8", 25));
}

TEST(Route, SRV_by_priority_and_weight) {
    net::SrvAnswer srv;
    EXPECT_TRUE(order_srv(srv, "_s._tcp.a.test", 1).error().reply.is_temporary());
    srv.hosts = {{.priority = 20, .weight = 0, .port = 1, .host = "last.test"},
                 {.priority = 10, .weight = 0, .port = 2, .host = "rare.test"},
                 {.priority = 10, .weight = 90, .port = 3, .host = "often.test"}};
    std::map<std::string, int> first;
    for (std::uint64_t chance = 0; chance < 500; ++chance) {
        const auto order = order_srv(srv, "_s._tcp.a.test", chance).value();
        ASSERT_EQ(order.size(), 3U);
        EXPECT_EQ(order.back(), (HostPort{"last.test", 1}));
        ++first[order.front().host];
    }
    EXPECT_GT(first["often.test"], 450);
    srv.hosts = {{.priority = 0, .weight = 0, .port = 0, .host = ""}};
    EXPECT_FALSE(order_srv(srv, "_s._tcp.a.test", 1).has_value());
}

}  // namespace
}  // namespace godwit::flow
