#include "serve/imap/save_limit.h"

#include <gtest/gtest.h>

namespace godwit::serve::imap_desk {
namespace {

TEST(SaveLimit, Below_at_and_above) {
    std::vector<Uid> uids;
    for (std::uint32_t uid = 11; uids.size() < kSaveLimit - 1; ++uid) {
        uids.emplace_back(uid);
    }
    EXPECT_FALSE(forbid_save(uids));
    uids.emplace_back(uids.back().value() + 1);
    EXPECT_FALSE(forbid_save(uids));
    uids.emplace_back(uids.back().value() + 1);
    const std::optional<Answer> refused = forbid_save(uids);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->condition, imap::Condition::No);
    EXPECT_EQ(refused->code, "MESSAGELIMIT 1000000 12");
    EXPECT_EQ(save_limit_capability(), "SAVELIMIT=1000000");
}

}  // namespace
}  // namespace godwit::serve::imap_desk
