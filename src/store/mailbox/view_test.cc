#include "store/mailbox/view.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "store/commit/stamper_testing.h"

namespace godwit::store {
namespace {

class ViewTest : public testing::Test {
protected:
    ViewTest() : alice_(desk_.add_account("alice@example.test")) {}

    void append(std::size_t count) {
        Plan plan;
        for (std::size_t i = 0; i < count; ++i) {
            TestMessage message = message_for(alice_, kInbox, "body");
            plan.steps.emplace_back(message.step);
            plan.bodies = message.bodies;
        }
        ASSERT_TRUE(desk_.commit(plan).has_value());
    }

    StampingDesk desk_;
    AccountId alice_;
};

TEST_F(ViewTest, Loads_in_bounded_steps) {
    append(limits::scan_rows_max + 5);
    MailboxView view(alice_, kInbox);
    const auto snapshot = desk_.snapshot();
    EXPECT_FALSE(*view.load_step(*snapshot, ReadTier::Disk));
    EXPECT_FALSE(view.is_loaded());
    EXPECT_TRUE(*view.load_step(*snapshot, ReadTier::Disk));
    EXPECT_EQ(view.rows().size(), limits::scan_rows_max + 5);
    EXPECT_EQ(view.uid_next(), Uid(limits::scan_rows_max + 6));
    EXPECT_EQ(view.lower_bound(Uid(10)), 9U);
    EXPECT_EQ(view.find(Uid(99'999)), nullptr);
}

TEST_F(ViewTest, Changes_that_the_snapshot_saw_are_passed_over) {
    append(1);
    const auto seen = desk_.outcome().accounts.at(0);
    MailboxView view(alice_, kInbox);
    ASSERT_TRUE(*view.load_step(*desk_.snapshot(), ReadTier::Disk));
    view.apply(*seen);
    EXPECT_EQ(view.rows().size(), 1U);
    append(2);
    view.apply(*desk_.outcome().accounts.at(0));
    view.apply(*desk_.outcome().accounts.at(0));
    EXPECT_EQ(view.rows().size(), 3U);
}

TEST_F(ViewTest, Expunge_and_deletion_are_seen) {
    append(5);
    const auto made = desk_.must<MailboxCreated>(CreateMailbox{alice_, "Work", ""});
    MailboxView inbox(alice_, kInbox);
    MailboxView work(alice_, made.mailbox);
    ASSERT_TRUE(*inbox.load_step(*desk_.snapshot(), ReadTier::Disk));
    ASSERT_TRUE(*work.load_step(*desk_.snapshot(), ReadTier::Disk));
    const auto gone = desk_.must<Expunged>(ExpungeMessages{
        .account = alice_, .mailbox = kInbox, .uids = {Uid(2), Uid(4)}, .only_deleted = false});
    inbox.apply(*desk_.outcome().accounts.at(0));
    ASSERT_EQ(inbox.rows().size(), 3U);
    EXPECT_EQ(inbox.rows()[1].uid, Uid(3));
    EXPECT_EQ(inbox.highest_mod_seq(), gone.mod_seq);
    desk_.must<Done>(DeleteMailbox{alice_, made.mailbox});
    inbox.apply(*desk_.outcome().accounts.at(0));
    work.apply(*desk_.outcome().accounts.at(0));
    EXPECT_TRUE(work.is_deleted());
    EXPECT_FALSE(inbox.is_deleted());
    EXPECT_EQ(
        MailboxView(alice_, made.mailbox).load_step(*desk_.snapshot(), ReadTier::Disk).error().code,
        ErrorCode::NotFound);
}

}  // namespace
}  // namespace godwit::store
