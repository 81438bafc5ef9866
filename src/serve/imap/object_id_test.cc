#include "serve/imap/object_id.h"

#include <gtest/gtest.h>

namespace godwit::serve::imap_desk {
namespace {

constexpr AccountId kAccount(26);

TEST(ObjectId, Rfc8474_8_1_begins_with_a_letter_and_reads_back) {
    EXPECT_EQ(object_id(ObjectKind::Email, kAccount, 47), "m1a_2f");
    for (const std::uint32_t number : {0U, 1U, 0xffffffffU}) {
        const std::string id = object_id(ObjectKind::Thread, kAccount, number);
        EXPECT_EQ(parse_object_id(ObjectKind::Thread, kAccount, id), number);
        EXPECT_FALSE(parse_object_id(ObjectKind::Email, kAccount, id));
        EXPECT_FALSE(parse_object_id(ObjectKind::Thread, AccountId(27), id));
    }
}

TEST(ObjectId, Rfc8474_7_other_spellings_are_other_ids) {
    for (const char* other : {"", "m", "m1a", "m1a_", "_2f", "M1A_2F", "m1a_2F", "m1a_02f",
                              "m01a_2f", "m1a_2f ", "m1a_2fg", "m1a_100000000"}) {
        EXPECT_FALSE(parse_object_id(ObjectKind::Email, kAccount, other)) << other;
    }
}

}  // namespace
}  // namespace godwit::serve::imap_desk
