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

    Result<> load(MailboxView& view, const Snapshot& snapshot) {
        RowsReading reading(alice_, view.mailbox());
        while (!TRY(reading.step(snapshot, ReadTier::Disk))) {
        }
        view.adopt(std::move(reading), {});
        return {};
    }
    MailboxGlance glance(Uid mark = Uid(0)) {
        return **glance_at(*desk_.snapshot(), ReadTier::Disk, alice_, kInbox, mark);
    }
    void see(std::uint32_t from, std::uint32_t to) {
        for (std::uint32_t at = from; at <= to; at += 1000) {
            ChangeFlags step{.account = alice_,
                             .mailbox = kInbox,
                             .uids = {},
                             .flags = {},
                             .unchanged_since = {}};
            for (std::uint32_t uid = at; uid <= std::min(to, at + 999); ++uid) {
                step.uids.emplace_back(uid);
            }
            step.flags.system = static_cast<std::uint8_t>(SystemFlag::Seen);
            desk_.must<FlagsChanged>(std::move(step));
        }
    }
    void expunge(std::uint32_t uid) {
        desk_.must<Expunged>(ExpungeMessages{
            .account = alice_, .mailbox = kInbox, .uids = {Uid(uid)}, .only_deleted = false});
    }

    StampingDesk desk_;
    AccountId alice_;
};

TEST_F(ViewTest, Loads_in_bounded_steps) {
    append(limits::scan_rows_max + 5);
    RowsReading reading(alice_, kInbox);
    const auto snapshot = desk_.snapshot();
    EXPECT_FALSE(*reading.step(*snapshot, ReadTier::Disk));
    EXPECT_TRUE(*reading.step(*snapshot, ReadTier::Disk));
    MailboxView view(alice_, kInbox);
    view.adopt(std::move(reading), {});
    EXPECT_EQ(view.rows().size(), limits::scan_rows_max + 5);
    EXPECT_EQ(view.uid_next(), Uid(limits::scan_rows_max + 6));
    EXPECT_EQ(view.lower_bound(Uid(10)), 9U);
    EXPECT_EQ(view.find(Uid(99'999)), nullptr);
}

TEST_F(ViewTest, Changes_that_the_snapshot_saw_are_passed_over) {
    append(1);
    const auto seen = desk_.outcome().accounts.at(0);
    MailboxView view(alice_, kInbox);
    ASSERT_TRUE(load(view, *desk_.snapshot()));
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
    ASSERT_TRUE(load(inbox, *desk_.snapshot()));
    ASSERT_TRUE(load(work, *desk_.snapshot()));
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
    MailboxView again(alice_, made.mailbox);
    EXPECT_EQ(load(again, *desk_.snapshot()).error().code, ErrorCode::NotFound);
    EXPECT_FALSE(*glance_at(*desk_.snapshot(), ReadTier::Disk, alice_, made.mailbox, Uid(0)));
}

TEST_F(ViewTest, Rows_come_later_than_the_head_and_know_all_that_happened) {
    append(10);
    MailboxView view(alice_, kInbox);
    const MailboxGlance at_first = glance();
    view.begin(at_first.state, at_first.seq);
    EXPECT_EQ(view.messages(), 10U);
    EXPECT_TRUE(view.rows().empty());
    append(1);
    view.apply(*desk_.outcome().accounts.at(0));
    // Between the head and the reading, while it is read, and seen by both.
    expunge(2);
    view.apply(*desk_.outcome().accounts.at(0));
    const auto seen = desk_.outcome().accounts.at(0);
    RowsReading reading(alice_, kInbox);
    ASSERT_TRUE(*reading.step(*desk_.snapshot(), ReadTier::Disk));
    std::vector<std::shared_ptr<const AccountChange>> since = {seen};
    append(1);
    since.push_back(desk_.outcome().accounts.at(0));
    view.apply(*since.back());
    expunge(3);
    since.push_back(desk_.outcome().accounts.at(0));
    view.apply(*since.back());
    EXPECT_EQ(view.messages(), 10U);
    view.adopt(std::move(reading), since);
    ASSERT_EQ(view.messages(), 10U);
    EXPECT_EQ(view.rows()[1].uid, Uid(4));
    EXPECT_EQ(view.rows().back().uid, Uid(12));
    EXPECT_EQ(view.uid_next(), Uid(13));
    EXPECT_EQ(view.highest_mod_seq(), glance().state.highest_mod_seq);
    append(1);
    view.apply(*desk_.outcome().accounts.at(0));
    view.apply(*since.back());
    EXPECT_EQ(view.rows().size(), 11U);
}

TEST_F(ViewTest, Glance_finds_the_first_unseen_from_both_ends) {
    constexpr std::uint32_t kEdge = glance_rows_max;
    EXPECT_EQ(glance().before_unseen, std::nullopt);
    for (std::uint32_t made = 0; made < 2 * kEdge + 2; made += 50) {
        append(std::min<std::size_t>(50, 2 * kEdge + 2 - made));
    }
    EXPECT_EQ(glance().before_unseen, 0U);
    see(1, kEdge - 1);
    EXPECT_EQ(glance().before_unseen, kEdge - 1);
    // The last row that is looked at from the front, then one more, which neither end shows.
    see(kEdge, kEdge);
    EXPECT_EQ(glance().before_unseen, std::nullopt);
    see(kEdge + 1, kEdge + 2);
    // 2048 unseen ones are left: all that are looked at from the back.
    EXPECT_EQ(glance().before_unseen, kEdge + 2);
    expunge(1);
    EXPECT_EQ(glance().before_unseen, kEdge + 1);
    see(1, 2 * kEdge + 2);
    EXPECT_EQ(glance().before_unseen, std::nullopt);
}

TEST_F(ViewTest, Glance_counts_above_a_mark) {
    constexpr std::uint32_t kEdge = glance_rows_max;
    for (std::uint32_t made = 0; made < 2 * kEdge + 2; made += 50) {
        append(std::min<std::size_t>(50, 2 * kEdge + 2 - made));
    }
    EXPECT_EQ(glance(Uid(0)).above, 2 * kEdge + 2);
    EXPECT_EQ(glance(Uid(kEdge + 1)).above, kEdge + 1);
    EXPECT_EQ(glance(Uid(2 * kEdge + 2)).above, 0U);
    // A gap: from here on rows are counted.
    expunge(5);
    EXPECT_EQ(glance(Uid(0)).above, 2 * kEdge + 1);
    EXPECT_EQ(glance(Uid(kEdge + 3)).above, kEdge - 1);
    EXPECT_EQ(glance(Uid(kEdge)).above, kEdge + 2);
    EXPECT_EQ(glance(Uid(kEdge + 1)).above, std::nullopt);
}

}  // namespace
}  // namespace godwit::store
