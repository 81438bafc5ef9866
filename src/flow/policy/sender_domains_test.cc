#include "flow/policy/sender_domains.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

constexpr MonoTime kNow{std::chrono::hours(5)};

TEST(SenderDomains, F1_an_answer_holds_for_its_time) {
    SenderDomains domains;
    EXPECT_EQ(domains.takes_none("silent.example", kNow), std::nullopt);
    domains.learn("silent.example", true, kNow);
    domains.learn("other.example", false, kNow);
    EXPECT_EQ(domains.takes_none("silent.example", kNow), true);
    EXPECT_EQ(domains.takes_none("other.example", kNow), false);
    const MonoTime end = kNow + sender_domain_memory;
    EXPECT_EQ(domains.takes_none("silent.example", end - Duration(1)), true);
    EXPECT_EQ(domains.takes_none("silent.example", end), std::nullopt);
}

TEST(SenderDomains, The_one_asked_longest_ago_is_forgotten_first) {
    SenderDomains domains;
    domains.learn("first.example", true, kNow);
    for (std::size_t i = 1; i < limits::login_table_size_max; ++i) {
        domains.learn(std::to_string(i) + ".example", false, kNow);
    }
    EXPECT_EQ(domains.takes_none("first.example", kNow), true);
    domains.learn("one-more.example", false, kNow);
    EXPECT_EQ(domains.takes_none("first.example", kNow), std::nullopt);
    EXPECT_EQ(domains.takes_none("1.example", kNow), false);
}

}  // namespace
}  // namespace godwit::flow
