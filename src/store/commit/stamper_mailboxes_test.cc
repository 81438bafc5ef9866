// Mailboxes and accounts made, renamed, removed: what their steps leave in rows and counters.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "store/commit/stamper.h"
#include "store/commit/stamper_testing.h"
#include "store/mailbox/removal.h"
#include "store/mailbox/url_keys.h"
#include "store/mailbox/view.h"

namespace godwit::store {
namespace {

TEST_F(StamperTest, Create_wants_a_free_valid_name_with_a_parent) {
    create("Work");
    create("Work/2024");
    EXPECT_EQ(desk_.refusal(CreateMailbox{alice_, "Work", ""}), ErrorCode::AlreadyExists);
    EXPECT_EQ(desk_.refusal(CreateMailbox{alice_, "inbox", ""}), ErrorCode::AlreadyExists);
    EXPECT_EQ(desk_.refusal(CreateMailbox{alice_, "No/Child", ""}), ErrorCode::NotFound);
    EXPECT_EQ(desk_.refusal(CreateMailbox{alice_, "a//b", ""}), ErrorCode::Invalid);
    EXPECT_EQ(desk_.refusal(CreateMailbox{alice_, std::string("a\x01") + "b", ""}),
              ErrorCode::Invalid);
    EXPECT_EQ(desk_.refusal(CreateMailbox{alice_, "\xff", ""}), ErrorCode::Invalid);
    EXPECT_EQ(desk_.refusal(CreateMailbox{alice_, std::string(600, 'x'), ""}),
              ErrorCode::LimitExceeded);
    create("Inbox/sub");
    EXPECT_NE(desk_.named(alice_, "INBOX/sub"), MailboxId(0));
}

TEST_F(StamperTest, Q4_a_role_has_one_mailbox) {
    const auto role = [this](MailboxId id) { return desk_.mailbox(alice_, id).special_use; };
    const MailboxId sent = desk_.named(alice_, "Sent");
    CreateMailbox second{.account = alice_, .name = "Sent Messages", .special_use = "\\Sent"};
    second.must_have_use = true;
    EXPECT_EQ(desk_.refusal(second), ErrorCode::Denied);
    second.must_have_use = false;
    const MailboxId made = desk_.must<MailboxCreated>(second).mailbox;
    EXPECT_EQ(role(made), "");
    EXPECT_EQ(role(sent), "\\Sent");
    // RFC 6154 5.4: given by hand, it moves.
    desk_.must<Done>(SetSpecialUse{alice_, made, "\\Sent"});
    EXPECT_EQ(role(made), "\\Sent");
    EXPECT_EQ(role(sent), "");
    desk_.must<Done>(SetSpecialUse{alice_, made, ""});
    EXPECT_EQ(role(made), "");
}

TEST_F(StamperTest, Annotations_are_all_or_none_and_go_with_their_mailbox) {
    const MailboxId work = create("Work").mailbox;
    const auto set = [&](MailboxId mailbox, std::string name, std::optional<std::string> value) {
        SetAnnotations step{.account = alice_, .mailbox = mailbox, .user = {}, .entries = {}};
        step.entries.push_back({std::move(name), std::move(value)});
        return step;
    };
    const auto count = [&](MailboxId mailbox) {
        return read_annotations(*desk_.snapshot(), ReadTier::Disk, alice_, mailbox, AccountId(0))
            ->size();
    };
    desk_.must<Done>(set(work, "/shared/comment", "hello"));
    desk_.must<Done>(set(kInbox, "/shared/comment", "inbox"));
    EXPECT_EQ(count(work), 1U);
    EXPECT_EQ(desk_.refusal(set(MailboxId(99), "/shared/comment", "x")), ErrorCode::NotFound);
    SetAnnotations both = set(work, "/shared/a", "1");
    both.entries.push_back({"/shared/b", std::string(annotations_size_max, 'x')});
    EXPECT_EQ(desk_.refusal(both), ErrorCode::LimitExceeded);
    EXPECT_EQ(count(work), 1U);
    desk_.must<Done>(set(work, "/shared/comment", std::nullopt));
    EXPECT_EQ(count(work), 0U);
    desk_.must<Done>(set(work, "/shared/comment", "again"));
    remove(work);
    EXPECT_EQ(count(work), 0U);
    // RFC 5464 4.1: INBOX keeps them, the new mailbox has them too.
    const auto moved = desk_.must<MailboxCreated>(RenameMailbox{alice_, kInbox, "Old"});
    EXPECT_EQ(count(kInbox), 1U);
    EXPECT_EQ(count(moved.mailbox), 1U);
}

TEST_F(StamperTest, Keys_of_urls_go_with_their_mailbox_and_when_forgotten) {
    const MailboxId work = create("Work").mailbox;
    const AccountId guest(77);
    const auto name = [&](MailboxId mailbox, AccountId user) {
        return UrlKeyName{.account = alice_, .mailbox = mailbox, .user = user};
    };
    const auto set = [&](UrlKeyName of, char octet) {
        Plan plan =
            plan_url_key(*desk_.snapshot(), ReadTier::Disk, of, std::string(url_key_size, octet))
                .value();
        desk_.must<Done>(std::get<ChangeRows>(plan.steps.at(0)));
    };
    const auto key = [&](UrlKeyName of) {
        return read_url_key(*desk_.snapshot(), ReadTier::Disk, of).value().value_or("");
    };
    EXPECT_EQ(key(name(work, alice_)), "");
    set(name(work, alice_), 'a');
    set(name(work, guest), 'g');
    set(name(kInbox, alice_), 'i');
    EXPECT_EQ(key(name(work, alice_)), std::string(url_key_size, 'a'));
    set(name(work, alice_), 'b');
    EXPECT_EQ(key(name(work, alice_)), std::string(url_key_size, 'b'));
    // The key of INBOX stays INBOX's.
    const auto moved = desk_.must<MailboxCreated>(RenameMailbox{alice_, kInbox, "Old"});
    EXPECT_EQ(key(name(moved.mailbox, alice_)), "");
    EXPECT_EQ(key(name(kInbox, alice_)), std::string(url_key_size, 'i'));
    // Two who draw at once: the second looks again.
    Plan late = plan_url_key(*desk_.snapshot(), ReadTier::Disk, name(work, alice_),
                             std::string(url_key_size, 'c'))
                    .value();
    set(name(work, alice_), 'd');
    EXPECT_EQ(desk_.refusal(std::get<ChangeRows>(late.steps.at(0))), ErrorCode::Stale);
    Plan forget = plan_forget_url_keys(*desk_.snapshot(), ReadTier::Disk, alice_, alice_).value();
    desk_.must<Done>(std::get<ChangeRows>(forget.steps.at(0)));
    EXPECT_EQ(key(name(work, alice_)), "");
    EXPECT_EQ(key(name(kInbox, alice_)), "");
    EXPECT_EQ(key(name(work, guest)), std::string(url_key_size, 'g'));
    remove(work);
    EXPECT_EQ(key(name(work, guest)), "");
    EXPECT_FALSE(plan_url_key(*desk_.snapshot(), ReadTier::Disk, name(work, alice_),
                              std::string(url_key_size, 'e')));
}

TEST_F(StamperTest, Annotations_at_minus_one_zero_plus_one) {
    SetAnnotations step{.account = alice_, .mailbox = kInbox, .user = {}, .entries = {}};
    for (std::size_t i = 0; i + 1 < annotations_max; ++i) {
        step.entries.push_back({"/shared/" + std::to_string(i), "x"});
    }
    desk_.must<Done>(step);
    step.entries = {{"/private/last", "x"}};
    desk_.must<Done>(step);
    step.entries = {{"/private/one-more", "x"}};
    EXPECT_EQ(desk_.refusal(step), ErrorCode::LimitExceeded);
    step.entries = {{"/private/last", std::nullopt}};
    desk_.must<Done>(step);
    step.entries = {{"/private/one-more", "x"}};
    desk_.must<Done>(step);
}

TEST_F(StamperTest, Rename_keeps_ids_and_takes_inferiors_along) {
    const MailboxCreated work = create("Work");
    const MailboxCreated year = create("Work/2024");
    append(year.mailbox, "one");
    desk_.must<Done>(RenameMailbox{alice_, work.mailbox, "Job"});
    EXPECT_EQ(desk_.named(alice_, "Job"), work.mailbox);
    EXPECT_EQ(desk_.named(alice_, "Job/2024"), year.mailbox);
    EXPECT_EQ(desk_.named(alice_, "Work/2024"), MailboxId(0));
    EXPECT_EQ(desk_.mailbox(alice_, year.mailbox).uid_validity, year.uid_validity);
    EXPECT_EQ(desk_.mailbox(alice_, year.mailbox).messages, 1U);
    EXPECT_EQ(desk_.refusal(RenameMailbox{alice_, work.mailbox, "Job/deeper"}), ErrorCode::Invalid);
    EXPECT_EQ(desk_.refusal(RenameMailbox{alice_, work.mailbox, "Sent"}), ErrorCode::AlreadyExists);
}

TEST_F(StamperTest, Rename_of_inbox_moves_its_messages_and_leaves_it_empty) {
    append(kInbox, "one");
    const Appended two = append(kInbox, "two");
    const auto created = desk_.must<MailboxCreated>(RenameMailbox{alice_, kInbox, "Old"});
    EXPECT_TRUE(desk_.rows(alice_, kInbox).empty());
    EXPECT_EQ(desk_.rows(alice_, created.mailbox).size(), 2U);
    EXPECT_EQ(desk_.rows(alice_, created.mailbox)[1].email, two.email);
    EXPECT_EQ(append(kInbox, "three").uid, Uid(3));
}

TEST_F(StamperTest, Deleted_and_made_again_has_a_greater_uid_validity) {
    const MailboxCreated first = create("Work");
    append(first.mailbox, "one");
    remove(first.mailbox);
    EXPECT_EQ(desk_.outcome().unlinked.size(), 1U);
    EXPECT_EQ(desk_.head(alice_).bytes_used, 0U);
    EXPECT_EQ(desk_.named(alice_, "Work"), MailboxId(0));
    const MailboxCreated second = create("Work");
    EXPECT_GT(second.uid_validity, first.uid_validity);
    EXPECT_NE(second.mailbox, first.mailbox);
}

TEST_F(StamperTest, Delete_with_inferiors_leaves_a_name_that_can_be_revived) {
    const MailboxCreated work = create("Work");
    create("Work/2024");
    append(work.mailbox, "one");
    remove(work.mailbox);
    const MailboxId name = desk_.named(alice_, "Work");
    ASSERT_NE(name, MailboxId(0));
    EXPECT_FALSE(desk_.mailbox(alice_, name).is_selectable);
    EXPECT_EQ(desk_.refusal(DeleteMailbox{alice_, name}), ErrorCode::Denied);
    EXPECT_EQ(desk_.refusal(message_for(alice_, name, "x").step), ErrorCode::NotFound);
    const MailboxCreated again = create("Work");
    EXPECT_GT(again.uid_validity, work.uid_validity);
    EXPECT_TRUE(desk_.mailbox(alice_, again.mailbox).is_selectable);
    EXPECT_EQ(desk_.refusal(DeleteMailbox{alice_, kInbox}), ErrorCode::Denied);
}

TEST_F(StamperTest, Large_mailbox_goes_in_steps_and_its_quota_at_once) {
    const MailboxCreated work = create("Work");
    const std::size_t count = limits::delete_inline_messages_max + 10;
    Plan plan;
    for (std::size_t i = 0; i < count; ++i) {
        TestMessage message = message_for(alice_, work.mailbox, "body" + std::to_string(i));
        plan.steps.emplace_back(message.step);
        plan.bodies.push_back(message.bodies[0]);
    }
    ASSERT_TRUE(desk_.commit(plan).has_value());
    remove(work.mailbox);
    EXPECT_EQ(desk_.head(alice_).bytes_used, 0U);
    EXPECT_EQ(desk_.count_rows(Family::Email), 10U);
    const auto next = *plan_removal(*desk_.snapshot(), ReadTier::Disk);
    ASSERT_TRUE(next);
    const auto purged = desk_.commit(*next);
    EXPECT_TRUE(std::get<Purged>(purged->at(0)).is_done);
    EXPECT_EQ(desk_.count_rows(Family::Message), 0U);
    EXPECT_EQ(desk_.count_rows(Family::Email), 0U);
    EXPECT_FALSE(*plan_removal(*desk_.snapshot(), ReadTier::Disk));
}

TEST_F(StamperTest, Removed_account_leaves_no_row_and_its_id_is_not_given_again) {
    for (int i = 0; i < 300; ++i) {
        append(kInbox, "body" + std::to_string(i), {static_cast<std::uint64_t>(i)});
    }
    Plan removal = *plan_remove_account(*desk_.snapshot(), "alice@example.test");
    ASSERT_TRUE(desk_.commit(removal).has_value());
    EXPECT_EQ(desk_.refusal(message_for(alice_, kInbox, "body1").step), ErrorCode::NotFound);
    for (int steps = 0; steps < 100; ++steps) {
        const auto next = *plan_removal(*desk_.snapshot(), ReadTier::Disk);
        if (!next) {
            break;
        }
        ASSERT_TRUE(desk_.commit(*next).has_value());
    }
    for (const auto& [key, value] : desk_.all_rows()) {
        EXPECT_EQ(key.front(), 'P') << "left: " << key.front();
    }
    EXPECT_NE(desk_.add_account("alice@example.test"), alice_);
}

TEST_F(StamperTest, Subscriptions_stand_for_names_not_mailboxes) {
    desk_.must<Done>(SubscribeMailbox{alice_, "Nowhere", true});
    const MailboxCreated work = create("Work");
    desk_.must<Done>(SubscribeMailbox{alice_, "Work", true});
    remove(work.mailbox);
    EXPECT_EQ(list_subscriptions(*desk_.snapshot(), ReadTier::Disk, alice_)->size(), 8U);
    desk_.must<Done>(SubscribeMailbox{alice_, "Work", false});
    EXPECT_EQ(desk_.head(alice_).subscriptions, 7U);
}

}  // namespace
}  // namespace godwit::store
