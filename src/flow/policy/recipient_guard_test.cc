#include "flow/policy/recipient_guard.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

constexpr MonoTime kStart{std::chrono::hours(24)};

net::Endpoint at(const char* text) {
    return *net::Endpoint::parse(text);
}

TEST(RecipientGuard, T34_misses_of_an_address_add_up_and_time_forgives_them) {
    RecipientGuard guard;
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(guard.may_ask(at("203.0.113.9:1000"), 5, kStart)) << i;
        guard.missed(at(("203.0.113.9:" + std::to_string(1000 + i)).c_str()), 5, kStart);
    }
    EXPECT_FALSE(guard.may_ask(at("203.0.113.9:2000"), 5, kStart));
    EXPECT_TRUE(guard.may_ask(at("203.0.113.10:2000"), 5, kStart));
    EXPECT_FALSE(guard.may_ask(at("203.0.113.9:2000"), 5, kStart + std::chrono::seconds(1)));
    EXPECT_TRUE(guard.may_ask(at("203.0.113.9:2000"), 5, kStart + std::chrono::seconds(13)));
}

TEST(RecipientGuard, T34_a_network_of_IPv6_counts_as_one) {
    RecipientGuard guard;
    for (int i = 1; i <= 5; ++i) {
        guard.missed(at(("[2001:db8:1:2::" + std::to_string(i) + "]:25").c_str()), 5, kStart);
    }
    EXPECT_FALSE(guard.may_ask(at("[2001:db8:1:2::ffff]:25"), 5, kStart));
    EXPECT_TRUE(guard.may_ask(at("[2001:db8:1:3::1]:25"), 5, kStart));
}

TEST(RecipientGuard, T34_ourselves_are_exempt) {
    RecipientGuard guard;
    for (int i = 0; i < 50; ++i) {
        guard.missed(at("127.0.0.1:25"), 5, kStart);
    }
    EXPECT_TRUE(guard.may_ask(at("127.0.0.1:25"), 5, kStart));
}

}  // namespace
}  // namespace godwit::flow
