#include "sim/peers/census.h"

#include <gtest/gtest.h>

namespace godwit::sim {
namespace {

MonoTime at(int second) {
    return MonoTime(std::chrono::seconds(second));
}

TEST(SimCensus, Sessions_that_answer_later_were_open_together) {
    Census census;
    const std::size_t a = census.open(at(0));
    const std::size_t b = census.open(at(5));
    EXPECT_EQ(census.prove(a, at(1)), 1U);
    EXPECT_EQ(census.prove(b, at(6)), 1U);  // `a` may have gone.
    EXPECT_EQ(census.prove(a, at(7)), 2U);  // It had not.
}

TEST(SimCensus, One_after_the_other_is_one_at_a_time) {
    Census census;
    for (int i = 0; i < 100; ++i) {
        const std::size_t one = census.open(at(i * 10));
        EXPECT_EQ(census.prove(one, at(i * 10 + 9)), 1U);
    }
}

TEST(SimCensus, One_that_never_answered_does_not_count) {
    Census census;
    const std::size_t a = census.open(at(0));
    const std::size_t silent = census.open(at(1));
    const std::size_t b = census.open(at(2));
    EXPECT_EQ(census.prove(a, at(10)), 1U);
    EXPECT_EQ(census.prove(b, at(11)), 2U);
    EXPECT_EQ(census.prove(silent, at(1)), 2U);  // With `a` alone.
}

}  // namespace
}  // namespace godwit::sim
