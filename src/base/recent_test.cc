#include "base/recent.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(Recent, Keeps_as_many_as_its_bound_and_forgets_the_oldest) {
    Recent<int, int> recent(3);
    for (int key = 1; key <= 3; ++key) {
        recent.set(key, key * 10);
    }
    ASSERT_NE(recent.find(1), nullptr);
    recent.set(4, 40);
    EXPECT_EQ(recent.find(1), nullptr);
    ASSERT_NE(recent.find(2), nullptr);
    EXPECT_EQ(*recent.find(2), 20);
    EXPECT_EQ(recent.size(), 3U);
}

TEST(Recent, Setting_again_changes_the_value_and_takes_no_place) {
    Recent<int, int> recent(2);
    recent.set(1, 10);
    recent.set(1, 11);
    recent.set(2, 20);
    ASSERT_NE(recent.find(1), nullptr);
    EXPECT_EQ(*recent.find(1), 11);
}

TEST(Recent, What_is_erased_is_not_known_and_the_memory_stays_bounded) {
    Recent<int, int> recent(4);
    for (int turn = 0; turn < 100; ++turn) {
        recent.set(turn, turn);
        recent.erase(turn);
        EXPECT_EQ(recent.find(turn), nullptr);
    }
    EXPECT_EQ(recent.size(), 0U);
    recent.set(7, 7);
    ASSERT_NE(recent.find(7), nullptr);
}

}  // namespace
}  // namespace godwit
