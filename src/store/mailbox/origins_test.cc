#include "store/mailbox/origins.h"

#include <gtest/gtest.h>

#include "store/commit/stamper_testing.h"
#include "store/directory/directory.h"
#include "store/mailbox/removal.h"
#include "store/mailbox/view.h"

namespace godwit::store {
namespace {

std::string origin(char letter) {
    return std::string(origin_size, letter);
}

class OriginsTest : public StamperTest {
protected:
    AppendMessage message(std::string_view body, char letter) {
        TestMessage made = message_for(alice_, kInbox, body);
        bodies_ = std::move(made.bodies);
        made.step.origin = origin(letter);
        return made.step;
    }
    Appended append(const AppendMessage& step) { return desk_.must<Appended>(step, bodies_); }
    MailboxState inbox() {
        return **read_mailbox(*desk_.snapshot(), ReadTier::Disk, alice_, kInbox);
    }
    ErrorCode refused(PlanStep step) {
        const auto result = desk_.commit(std::move(step), bodies_);
        EXPECT_FALSE(result);
        return result ? ErrorCode::Io : result.error().error.code;
    }
    std::vector<NewBody> bodies_;
};

TEST_F(OriginsTest, Message_of_a_known_origin_is_not_appended_again) {
    EXPECT_FALSE(append(message("one", 'a')).was_duplicate);
    EXPECT_TRUE(append(message("other octets", 'a')).was_duplicate);
    desk_.restart();
    EXPECT_TRUE(append(message("one", 'a')).was_duplicate);
    EXPECT_FALSE(append(message("one", 'b')).was_duplicate);
    EXPECT_EQ(inbox().messages, 2U);
    const std::vector<std::string> asked{origin('b'), origin('c'), origin('a'), "short", ""};
    EXPECT_EQ(*read_origins(*desk_.snapshot(), ReadTier::Disk, alice_, asked),
              (std::vector<bool>{true, false, true, false, false}));
}

TEST_F(OriginsTest, Origin_stays_when_the_message_goes) {
    append(message("one", 'a'));
    ExpungeMessages expunge{.account = alice_, .mailbox = kInbox, .uids = {Uid(1)}};
    expunge.only_deleted = false;
    desk_.must<Expunged>(expunge);
    EXPECT_TRUE(append(message("one", 'a')).was_duplicate);
    EXPECT_EQ(inbox().messages, 0U);
}

TEST_F(OriginsTest, A_removed_account_leaves_none) {
    append(message("one", 'a'));
    ASSERT_TRUE(desk_.commit(*plan_remove_account(*desk_.snapshot(), "alice@example.test")));
    while (!desk_.must<Purged>(PurgeRemains{.account = alice_, .messages_max = 100}).is_done) {
    }
    EXPECT_EQ(desk_.count_rows(Family::Origin), 0U);
}

TEST_F(OriginsTest, Plan_that_is_dropped_leaves_no_origin) {
    Plan plan;
    plan.steps.emplace_back(message("one", 'a'));
    plan.bodies = bodies_;
    plan.steps.emplace_back(DeleteMailbox{.account = alice_, .mailbox = kInbox});
    EXPECT_FALSE(desk_.commit(plan));
    EXPECT_FALSE(append(message("one", 'a')).was_duplicate);
}

TEST_F(OriginsTest, Origin_has_16_octets) {
    for (const std::size_t size : {std::size_t{15}, std::size_t{17}}) {
        AppendMessage step = message("one", 'a');
        step.origin = std::string(size, 'a');
        EXPECT_EQ(refused(step), ErrorCode::Invalid) << size;
    }
}

TEST_F(OriginsTest, Message_gets_the_uid_it_had_and_never_one_that_was_given) {
    AppendMessage step = message("one", 'a');
    step.uid = Uid(7);
    EXPECT_EQ(append(step).uid, Uid(7));
    EXPECT_EQ(append(message("two", 'b')).uid, Uid(8));
    for (const std::uint32_t given : {7U, 8U}) {
        step = message("three", 'c');
        step.uid = Uid(given);
        EXPECT_EQ(refused(step), ErrorCode::Denied) << given;
    }
    step.uid = Uid(9);
    EXPECT_EQ(append(step).uid, Uid(9));
    EXPECT_EQ(inbox().uid_next, Uid(10));
}

TEST_F(OriginsTest, Mailbox_that_never_held_a_message_takes_the_numbers_it_had) {
    MailboxView view(alice_, kInbox);
    load_view(view, *desk_.snapshot());
    desk_.must<Done>(AdoptUids{.account = alice_,
                               .mailbox = kInbox,
                               .uid_validity = UidValidity(77),
                               .uid_next = std::nullopt});
    EXPECT_EQ(inbox().uid_validity, UidValidity(77));
    append(message("one", 'a'));
    // The same again is nothing, another is refused, UIDNEXT never falls.
    desk_.must<Done>(AdoptUids{
        .account = alice_, .mailbox = kInbox, .uid_validity = UidValidity(77), .uid_next = Uid(1)});
    EXPECT_EQ(inbox().uid_next, Uid(2));
    EXPECT_EQ(refused(AdoptUids{.account = alice_,
                                .mailbox = kInbox,
                                .uid_validity = UidValidity(78),
                                .uid_next = std::nullopt}),
              ErrorCode::Denied);
    desk_.must<Done>(AdoptUids{
        .account = alice_, .mailbox = kInbox, .uid_validity = std::nullopt, .uid_next = Uid(50)});
    EXPECT_EQ(inbox().uid_next, Uid(50));
    EXPECT_EQ(append(message("two", 'b')).uid, Uid(50));
}

TEST_F(OriginsTest, Views_hear_of_numbers_that_are_taken_over) {
    MailboxView view(alice_, kInbox);
    load_view(view, *desk_.snapshot());
    desk_.begin();
    ASSERT_TRUE(desk_.stamp(AdoptUids{.account = alice_,
                                      .mailbox = kInbox,
                                      .uid_validity = UidValidity(77),
                                      .uid_next = Uid(9)}));
    for (const auto& change : desk_.finish().accounts) {
        view.apply(*change);
    }
    EXPECT_EQ(view.uid_validity(), UidValidity(77));
    EXPECT_EQ(view.uid_next(), Uid(9));
}

TEST_F(OriginsTest, Uidvalidity_leaves_numbers_for_later_mailboxes) {
    const auto adopt = [this](std::uint32_t value) {
        return AdoptUids{.account = alice_,
                         .mailbox = kInbox,
                         .uid_validity = UidValidity(value),
                         .uid_next = std::nullopt};
    };
    EXPECT_EQ(refused(adopt(0)), ErrorCode::Invalid);
    EXPECT_EQ(refused(adopt(adopted_uid_validity_max + 1)), ErrorCode::Invalid);
    desk_.must<Done>(adopt(adopted_uid_validity_max));
    const auto made = desk_.must<MailboxCreated>(
        CreateMailbox{.account = alice_, .name = "Later", .special_use = "", .subscribed = false});
    EXPECT_EQ(made.uid_validity, UidValidity(adopted_uid_validity_max + 1));
    desk_.must<Done>(adopt(adopted_uid_validity_max - 1));
}

}  // namespace
}  // namespace godwit::store
