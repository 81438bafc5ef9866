#include "flow/inbound/refusal_trail.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

constexpr WallTime kNow = from_unix_seconds(1'800'000'000);

TEST(RefusalBudget, a_burst_then_so_many_a_minute) {
    RefusalBudget budget;
    for (std::uint32_t i = 0; i < refusals_burst; ++i) {
        ASSERT_TRUE(budget.take(kNow)) << i;
    }
    EXPECT_FALSE(budget.take(kNow));
    EXPECT_FALSE(budget.take(kNow));
    EXPECT_EQ(budget.unnoted(), 2U);
    EXPECT_EQ(budget.unnoted(), 0U);
    const WallTime later = kNow + std::chrono::minutes(1) + std::chrono::milliseconds(1);
    for (std::uint32_t i = 0; i < refusals_per_minute; ++i) {
        ASSERT_TRUE(budget.take(later)) << i;
    }
    EXPECT_FALSE(budget.take(later));
}

TEST(RefusalBudget, a_clock_put_back_gives_nothing) {
    RefusalBudget budget;
    while (budget.take(kNow)) {
    }
    EXPECT_FALSE(budget.take(kNow - std::chrono::hours(1)));
    EXPECT_TRUE(budget.take(kNow - std::chrono::hours(1) + std::chrono::minutes(1)));
}

}  // namespace
}  // namespace godwit::flow
