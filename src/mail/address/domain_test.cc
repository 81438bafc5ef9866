#include "mail/address/domain.h"

#include <gtest/gtest.h>

namespace godwit::mail {
namespace {

TEST(Domain, Names_get_one_form) {
    EXPECT_EQ(normalize_domain("Example.ORG").value(), "example.org");
    EXPECT_EQ(normalize_domain("example.org.").value(), "example.org");
    EXPECT_EQ(normalize_domain("B\xC3\xBC"
                               "cher.Example")
                  .value(),
              "xn--bcher-kva.example");
    EXPECT_EQ(normalize_domain("xn--bcher-kva.example").value(), "xn--bcher-kva.example");
    EXPECT_EQ(normalize_domain("_dmarc.example.org").value(), "_dmarc.example.org");
    // The ideographic full stop is a dot (UTS #46).
    EXPECT_EQ(normalize_domain("\xE4\xBE\x8B\xE3\x80\x82\xE4\xBE\x8B").value(), "xn--fsq.xn--fsq");
}

TEST(Domain, Malformed_names_are_refused) {
    for (const char* bad : {"", ".", "..", "a..b", ".a", "a b", "-a.b", "a-.b", "a@b", "a\\b",
                            "\xFF\xFE.org", "a\tb"}) {
        EXPECT_FALSE(normalize_domain(bad)) << bad;
    }
    EXPECT_FALSE(normalize_domain(std::string(64, 'a') + ".org"));
    EXPECT_TRUE(normalize_domain(std::string(63, 'a') + ".org"));
    EXPECT_FALSE(normalize_domain(std::string("a\0b", 3)));
    EXPECT_FALSE(normalize_domain(std::string("\xC3\xBC\0b", 4)));
    std::string longest;
    for (int i = 0; i < 127; ++i) {
        longest += "a.";
    }
    EXPECT_TRUE(normalize_domain(longest));  // 253 octets and a root dot.
    EXPECT_FALSE(normalize_domain("ab." + longest));
}

TEST(Domain, Literals) {
    EXPECT_EQ(normalize_address_literal("[192.0.2.1]").value(), "[192.0.2.1]");
    EXPECT_EQ(normalize_address_literal("[ipv6:2001:DB8::1]").value(), "[IPv6:2001:db8::1]");
    for (const char* bad : {"[]", "[1.2.3]", "[1.2.3.256]", "[01.2.3.4]", "[2001:db8::1]",
                            "[IPv6:1:2]", "[x:y]", "192.0.2.1"}) {
        EXPECT_FALSE(normalize_address_literal(bad)) << bad;
    }
}

TEST(Domain, Ipv6_text) {
    for (const char* good : {"::", "::1", "1::", "2001:db8::1", "1:2:3:4:5:6:7:8",
                             "::ffff:192.0.2.1", "1:2:3:4:5:6:1.2.3.4", "1::8"}) {
        EXPECT_TRUE(is_ipv6(good)) << good;
    }
    for (const char* bad : {"", ":", ":::", "1:2", "1:2:3:4:5:6:7:8:9", "1::2::3",
                            "12345::", "g::", "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", "1:", "::1:"}) {
        EXPECT_FALSE(is_ipv6(bad)) << bad;
    }
}

TEST(Domain, To_unicode_only_when_it_comes_back) {
    EXPECT_EQ(domain_to_unicode("xn--bcher-kva.example"),
              "b\xC3\xBC"
              "cher.example");
    EXPECT_EQ(domain_to_unicode("example.org"), "example.org");
    EXPECT_EQ(domain_to_unicode("xn--a.example"), "xn--a.example");
}

}  // namespace
}  // namespace godwit::mail
