#include "store/directory/address_keys.h"

#include <gtest/gtest.h>

#include "store/commit/stamper_testing.h"

namespace godwit::store {
namespace {

constexpr std::int64_t kDay = 86400;

class AddressKeysTest : public testing::Test {
protected:
    Result<Plan> plan(std::string secret, std::int64_t day, OldKeys old = OldKeys::Keep) {
        return plan_new_address_key(*desk_.snapshot(),
                                    {.secret = std::move(secret), .created_at = day * kDay}, old);
    }
    void draw(std::string secret, std::int64_t day, OldKeys old = OldKeys::Keep) {
        ASSERT_TRUE(desk_.commit(*plan(std::move(secret), day, old)).has_value());
    }
    std::string held() {
        std::string names;
        for (const std::string& secret :
             read_address_keys(*desk_.snapshot(), ReadTier::Disk)->secrets()) {
            names += secret + " ";
        }
        return names;
    }

    StampingDesk desk_;
};

TEST_F(AddressKeysTest, The_newest_signs_and_older_ones_verify_for_their_age) {
    EXPECT_EQ(read_address_keys(*desk_.snapshot(), ReadTier::Disk)->signing(), "");
    draw("a", 100);
    draw("b", 110);
    EXPECT_EQ(held(), "b a ");
    EXPECT_EQ(read_address_keys(*desk_.snapshot(), ReadTier::Disk)->signing(), "b");
    // "a" signed until day 110.
    draw("c", 110 + address_key_keep_days - 1);
    EXPECT_EQ(held(), "c b a ");
    draw("d", 110 + address_key_keep_days);
    EXPECT_EQ(held(), "d c b ");
    draw("e", 140, OldKeys::Forget);
    EXPECT_EQ(held(), "e ");
}

TEST_F(AddressKeysTest, Their_number_has_its_bound) {
    for (std::size_t i = 0; i < address_keys_max; ++i) {
        draw(std::string(1, static_cast<char>('a' + i)), 100);
    }
    EXPECT_EQ(held(), "h g f e d c b a ");
    EXPECT_EQ(plan("z", 101).error().code, ErrorCode::LimitExceeded);
    EXPECT_TRUE(plan("z", 101, OldKeys::Forget).has_value());
    EXPECT_TRUE(plan("z", 100 + address_key_keep_days).has_value());
}

TEST_F(AddressKeysTest, Two_that_draw_at_once_agree_on_one) {
    const Plan first = *plan("a", 100);
    const Plan rival = *plan("b", 100);
    ASSERT_TRUE(desk_.commit(first).has_value());
    EXPECT_EQ(desk_.commit(rival).error().error.code, ErrorCode::Stale);
    EXPECT_EQ(held(), "a ");
}

}  // namespace
}  // namespace godwit::store
