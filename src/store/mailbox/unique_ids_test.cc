#include "store/mailbox/unique_ids.h"

#include <gtest/gtest.h>

#include "store/commit/stamper_testing.h"
#include "store/directory/directory.h"
#include "store/mailbox/removal.h"

namespace godwit::store {
namespace {

class UniqueIdsTest : public StamperTest {
protected:
    Appended named(MailboxId mailbox, std::string_view body, std::string_view text) {
        TestMessage message = message_for(alice_, mailbox, body);
        message.step.unique_id = text;
        return desk_.must<Appended>(message.step, message.bodies);
    }
    std::vector<UniqueId> ids(std::string_view after = "", std::size_t count = 100) {
        return *read_unique_ids(*desk_.snapshot(), ReadTier::Disk, alice_, after, count);
    }
};

TEST_F(UniqueIdsTest, Text_has_1_to_70_octets_of_the_visible_range) {
    EXPECT_FALSE(is_unique_id(""));
    EXPECT_TRUE(is_unique_id("!"));
    EXPECT_TRUE(is_unique_id(std::string(69, '~')));
    EXPECT_TRUE(is_unique_id(std::string(70, '~')));
    EXPECT_FALSE(is_unique_id(std::string(71, '~')));
    EXPECT_FALSE(is_unique_id("a b"));
    EXPECT_FALSE(is_unique_id("a\x7F"));
    EXPECT_FALSE(is_unique_id("a\xC3\xA9"));
    TestMessage message = message_for(alice_, kInbox, "one");
    message.step.unique_id = "a b";
    const auto refused = desk_.commit(message.step, message.bodies);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error.code, ErrorCode::Invalid);
}

TEST_F(UniqueIdsTest, They_are_read_in_order_and_in_pieces) {
    const Appended b = named(kInbox, "one", "b");
    const Appended a = named(kInbox, "two", "a");
    const Appended c = named(kInbox, "three", "bb");
    append(kInbox, "four");
    const UniqueId first{.text = "a", .email = a.email};
    const UniqueId second{.text = "b", .email = b.email};
    const UniqueId third{.text = "bb", .email = c.email};
    EXPECT_EQ(ids(), (std::vector{first, second, third}));
    EXPECT_EQ(ids("", 2), (std::vector{first, second}));
    EXPECT_EQ(ids("b", 2), (std::vector{third}));
}

TEST_F(UniqueIdsTest, One_that_is_taken_or_may_be_given_is_left_out) {
    const Appended first = named(kInbox, "one", "x");
    named(kInbox, "two", "x");
    const std::string given = std::to_string(first.uid_validity.value()) + ".7";
    named(kInbox, "three", given);
    EXPECT_EQ(ids(), (std::vector{UniqueId{.text = "x", .email = first.email}}));
    named(kInbox, "four", given + "a");
    EXPECT_EQ(ids().size(), 2U);
}

TEST_F(UniqueIdsTest,
       They_go_along_with_a_move_stay_with_the_first_of_a_copy_and_go_with_the_last) {
    const Appended one = named(kInbox, "one", "x");
    const MailboxId other = create("other").mailbox;
    copy(kInbox, other, {Uid(1)}, true);
    copy(other, kInbox, {Uid(1)});
    copy(other, kInbox, {Uid(1)});
    EXPECT_EQ(ids(), (std::vector{UniqueId{.text = "x", .email = one.email}}));
    expunge(other, {Uid(1)});
    EXPECT_EQ(ids().size(), 1U);
    for (const MessageRow& row : desk_.rows(alice_, kInbox)) {
        expunge(kInbox, {row.uid});
    }
    EXPECT_TRUE(ids().empty());
    named(kInbox, "again", "x");
    EXPECT_EQ(ids().size(), 1U);
}

TEST_F(UniqueIdsTest, A_removed_account_leaves_none) {
    named(kInbox, "one", "x");
    ASSERT_TRUE(desk_.commit(*plan_remove_account(*desk_.snapshot(), "alice@example.test")));
    while (!desk_.must<Purged>(PurgeRemains{.account = alice_, .messages_max = 100}).is_done) {
    }
    EXPECT_EQ(desk_.count_rows(Family::UniqueId), 0U);
}

}  // namespace
}  // namespace godwit::store
