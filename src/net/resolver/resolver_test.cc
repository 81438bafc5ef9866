#include "net/resolver/resolver.h"

#include <gtest/gtest.h>

#include "net/io/test_loop.h"
#include "net/resolver/rdata.h"
#include "net/resolver/scripted_resolver.h"

namespace godwit::net {
namespace {

using namespace std::string_literals;

constexpr std::string_view kScript = R"(
# comment
example.test MX 20 mx2.example.test
example.test MX 10 MX1.example.test.
example.test TXT v=spf1 -all
example.test TXT second one
null.test MX 0 .
mx1.example.test A 192.0.2.1
mx1.example.test AAAA 2001:db8::1
mx2.example.test A 192.0.2.2
half.test AAAA servfail
half.test A 192.0.2.3
none.test AAAA servfail
www.example.test CNAME example.test
loop.test CNAME loop.test
slow.test MX timeout
bogus.test * bogus
gone.test nxdomain
1.2.0.192.in-addr.arpa PTR mx1.example.test
safe.test A 192.0.2.9
safe.test secure
_25._tcp.mx.test TLSA 3 1 1 00ff
)";

struct Asked {
    TestLoop loop;
    ScriptedResolver dns;
    Asked() { EXPECT_TRUE(dns.add_lines(kScript)); }
};

TEST(ScriptedResolver, mx_in_order_of_preference) {
    Asked asked;
    auto mx = run(asked.loop, asked.dns.mx("Example.TEST."));
    ASSERT_TRUE(mx->has_value());
    EXPECT_EQ((*mx)->hosts,
              (std::vector<MxHost>{{10, "mx1.example.test"}, {20, "mx2.example.test"}}));
    EXPECT_FALSE((*mx)->is_null_mx);
    auto alias = run(asked.loop, asked.dns.mx("www.example.test"));
    EXPECT_EQ((*alias)->hosts.size(), 2U);
    EXPECT_EQ((*alias)->canonical_name, "example.test");
}

TEST(ScriptedResolver, null_mx_absence_and_failure_differ) {
    Asked asked;
    auto null = run(asked.loop, asked.dns.mx("null.test"));
    EXPECT_TRUE((*null)->is_null_mx);
    EXPECT_TRUE((*null)->hosts.empty());
    EXPECT_EQ((*run(asked.loop, asked.dns.mx("mx1.example.test")))->outcome, DnsOutcome::NoData);
    EXPECT_EQ((*run(asked.loop, asked.dns.mx("gone.test")))->outcome, DnsOutcome::NxDomain);
    EXPECT_EQ((*run(asked.loop, asked.dns.mx("unknown.test")))->outcome, DnsOutcome::NxDomain);
    EXPECT_EQ(run(asked.loop, asked.dns.mx("bogus.test"))->error().code, ErrorCode::Corrupt);
    EXPECT_EQ(run(asked.loop, asked.dns.mx("loop.test"))->error().code, ErrorCode::LimitExceeded);
}

TEST(ScriptedResolver, addresses_of_both_families) {
    Asked asked;
    auto both = run(asked.loop, asked.dns.addresses("mx1.example.test"));
    ASSERT_EQ((*both)->addresses.size(), 2U);
    EXPECT_TRUE((*both)->addresses.front().is_v6());
    EXPECT_EQ((*run(asked.loop, asked.dns.addresses("half.test")))->addresses.size(), 1U);
    EXPECT_EQ(run(asked.loop, asked.dns.addresses("none.test"))->error().code,
              ErrorCode::Unavailable);
    EXPECT_EQ((*run(asked.loop, asked.dns.addresses("gone.test")))->outcome, DnsOutcome::NxDomain);
    EXPECT_TRUE(
        (*run(asked.loop, asked.dns.addresses("safe.test", AddressFamilies::V4)))->is_secure);
    EXPECT_FALSE((*both)->is_secure);
}

TEST(ScriptedResolver, other_types) {
    Asked asked;
    auto text = run(asked.loop, asked.dns.txt("example.test"));
    EXPECT_EQ((*text)->texts, (std::vector<std::string>{"v=spf1 -all", "second one"}));
    auto names = run(asked.loop, asked.dns.ptr(*IpAddress::parse("192.0.2.1")));
    EXPECT_EQ((*names)->names, std::vector<std::string>{"mx1.example.test"});
    auto tlsa = run(asked.loop, asked.dns.tlsa("_25._tcp.mx.test"));
    ASSERT_EQ((*tlsa)->records.size(), 1U);
    EXPECT_EQ((*tlsa)->records.front().data, "\x00\xff"s);
}

TEST(ScriptedResolver, timeout_takes_its_time) {
    Asked asked;
    EXPECT_FALSE(run(asked.loop, asked.dns.mx("slow.test")).has_value());
    EXPECT_EQ(asked.loop.task_count(), 1U);
    asked.loop.advance(std::chrono::minutes(1));
    EXPECT_EQ(asked.loop.task_count(), 0U);
}

TEST(ScriptedResolver, the_nth_lookup_fails) {
    Asked asked;
    asked.dns.fail_lookup(2);
    EXPECT_TRUE(run(asked.loop, asked.dns.mx("example.test"))->has_value());
    EXPECT_FALSE(run(asked.loop, asked.dns.mx("example.test"))->has_value());
    EXPECT_TRUE(run(asked.loop, asked.dns.mx("example.test"))->has_value());
}

TEST(ScriptedResolver, refuses_lines_it_cannot_read) {
    ScriptedResolver dns;
    for (std::string_view line :
         {"x.test", "x.test A 1.2.3", "x.test AAAA 1.2.3.4", "x.test MX mx.test",
          "x.test MX 70000 mx.test", "x.test SRV 1", "x.test TLSA 3 1 1 0"}) {
        EXPECT_FALSE(dns.add(line)) << line;
    }
}

TEST(Rdata, names) {
    EXPECT_EQ(name_from_wire("\2MX\4test\0"s), "mx.test");
    EXPECT_EQ(name_from_wire("\0"s), "");
    EXPECT_EQ(name_to_wire("mx.Test."), "\2mx\4test\0"s);
    for (const std::string& bad : {""s, "\2mx"s, "\2mx\0x"s, "\300\0"s, "\3a b\0"s, "\1.\0"s}) {
        EXPECT_FALSE(name_from_wire(bad)) << bad;
    }
    EXPECT_FALSE(name_to_wire("a..b"));
    EXPECT_FALSE(name_to_wire(std::string(64, 'a')));
    EXPECT_FALSE(name_to_wire(std::string(255, 'a')));
}

TEST(Rdata, short_records_are_left_out) {
    EXPECT_FALSE(mx_from_wire("\0"s));
    EXPECT_FALSE(mx_from_wire("\0\12"s));
    EXPECT_FALSE(text_from_wire(""));
    EXPECT_FALSE(text_from_wire("\5abc"));
    EXPECT_EQ(text_from_wire("\2ab\1c"), "abc");
    EXPECT_EQ(text_from_wire(text_to_wire(std::string(600, 'x'))), std::string(600, 'x'));
    for (std::size_t size = 0; size <= 3; ++size) {
        EXPECT_FALSE(tlsa_from_wire(std::string(size, '\1'))) << size;
    }
}

TEST(Resolver, reverse_names) {
    EXPECT_EQ(reverse_name(*IpAddress::parse("192.0.2.1")), "1.2.0.192.in-addr.arpa");
    EXPECT_EQ(reverse_name(*IpAddress::parse("2001:db8::1")),
              "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

}  // namespace
}  // namespace godwit::net
