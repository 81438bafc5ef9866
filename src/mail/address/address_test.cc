#include "mail/address/address.h"

#include <gtest/gtest.h>

namespace godwit::mail {
namespace {

TEST(Address, Plain) {
    const Address address = parse_address("Alice.B+tag@Example.ORG").value();
    EXPECT_EQ(address.local, "Alice.B+tag");
    EXPECT_EQ(address.domain, "example.org");
    EXPECT_EQ(address.to_string(), "Alice.B+tag@example.org");
    EXPECT_FALSE(address.needs_smtputf8());
}

TEST(Address, Quoted_local_part_is_kept_as_its_value) {
    EXPECT_EQ(parse_address("\"alice\"@a.org").value().to_string(), "alice@a.org");
    EXPECT_EQ(parse_address("\"a b\"@a.org").value().local, "a b");
    EXPECT_EQ(parse_address("\"a b\"@a.org").value().to_string(), "\"a b\"@a.org");
    EXPECT_EQ(parse_address("\"a\\\"b\\\\c\"@a.org").value().to_string(), "\"a\\\"b\\\\c\"@a.org");
    EXPECT_EQ(parse_address("\"a@b\"@a.org").value().local, "a@b");
}

TEST(Address, Dots_in_odd_places_are_read_and_written_quoted) {
    EXPECT_EQ(parse_address("a..b.@docomo.ne.jp").value().to_string(), "\"a..b.\"@docomo.ne.jp");
    EXPECT_FALSE(parse_address("..@a.org"));
}

TEST(Address, Literal) {
    EXPECT_EQ(parse_address("a@[192.0.2.1]").value().domain, "[192.0.2.1]");
    EXPECT_FALSE(parse_address("a@[nonsense]"));
}

TEST(Address, Utf8) {
    const Address address = parse_address(
                                "\xC3\xBC@b\xC3\xBC"
                                "cher.example")
                                .value();
    EXPECT_TRUE(address.needs_smtputf8());
    EXPECT_EQ(address.domain, "xn--bcher-kva.example");
    EXPECT_FALSE(parse_address("a\xFF@b.org"));
}

TEST(Address, Malformed) {
    for (const char* bad :
         {"", "@", "a", "a@", "@b", "a@b@c", "a b@c", "\"a@b", "\"\"@b", "a@b c", "<a@b>", "a@b.",
          "a@b..c", "a\r\n@b", "\"a\r\nb\"@c", "a(c)@b", "a@b(c)", "a,b@c", "=?utf-8?q?=?=@x@y"}) {
        const auto result = parse_address(bad);
        if (std::string_view(bad) == "a@b.") {
            EXPECT_TRUE(result);
        } else {
            EXPECT_FALSE(result) << bad;
        }
    }
    EXPECT_FALSE(parse_address(std::string("a\0b@c", 5)));
    EXPECT_FALSE(parse_address(std::string(256, 'a') + "@b.org"));
}

TEST(Address, Domainless) {
    EXPECT_EQ(parse_address("Postmaster", Domainless::Allow).value().to_string(), "Postmaster");
    EXPECT_FALSE(parse_address("Postmaster x", Domainless::Allow));
}

TEST(Address, Path) {
    const auto path = parse_path("<a@b.org> SIZE=1").value();
    EXPECT_EQ(path.size, 9U);
    EXPECT_EQ(path.address->to_string(), "a@b.org");
    EXPECT_FALSE(parse_path("<> X").value().address);
    EXPECT_EQ(parse_path("<@x.org,@y.org:a@b.org>").value().address->to_string(), "a@b.org");
    EXPECT_EQ(parse_path("<@x.org,@y.org:a@b.org>").value().size, 23U);
    EXPECT_EQ(parse_path("<\"a>b\"@c.org>").value().address->local, "a>b");
    EXPECT_EQ(parse_path("<Postmaster>", Domainless::Allow).value().address->domain, "");
    for (const char* bad : {"", "<", "a@b.org", "<a@b.org", "<<a@b.org>>", "< a@b.org>",
                            "<a@b.org >", "<Postmaster>", "<@x:>", "<@x a@b>"}) {
        EXPECT_FALSE(parse_path(bad)) << bad;
    }
}

TEST(Address, Account_key_ignores_ascii_case_and_composition) {
    EXPECT_EQ(account_key(parse_address("ALICE@Example.org").value()), "alice@example.org");
    EXPECT_EQ(account_key(parse_address("u\xCC\x88@a.org").value()), "\xC3\xBC@a.org");
}

TEST(Address, Make_checks_both_sides) {
    EXPECT_EQ(make_address("a b", "C.org").value().to_string(), "\"a b\"@c.org");
    EXPECT_FALSE(make_address("", "c.org"));
    EXPECT_FALSE(make_address("a", ""));
    EXPECT_FALSE(make_address("a\n", "c.org"));
}

TEST(Address, Written_form_parses_to_the_same) {
    for (const char* text : {"a@b.org", "\"a b\"@b.org", "a..b@b.org", "\"\\\\\"@b.org",
                             "\xC3\xBC@b.org", "a@[IPv6:::1]"}) {
        const Address once = parse_address(text).value();
        EXPECT_EQ(parse_address(once.to_string()).value(), once) << text;
    }
}

}  // namespace
}  // namespace godwit::mail
