// Access lists and what visitors have seen, as rows: what leaves with whom, bounds, and that no
// \Seen of one is another's.
#include <gtest/gtest.h>

#include <algorithm>

#include "store/commit/stamper_testing.h"
#include "store/mailbox/access.h"
#include "store/mailbox/removal.h"
#include "store/mailbox/view.h"

namespace godwit::store {
namespace {

constexpr auto kSeen = static_cast<std::uint8_t>(SystemFlag::Seen);
constexpr auto kFlagged = static_cast<std::uint8_t>(SystemFlag::Flagged);
constexpr auto kDeleted = static_cast<std::uint8_t>(SystemFlag::Deleted);

class StamperAccessTest : public StamperTest {
protected:
    StamperAccessTest()
        : bob_(desk_.add_account("bob@example.test")),
          carol_(desk_.add_account("carol@example.test")) {}

    void grant(AccountId who, Rights rights, MailboxId mailbox = kInbox) {
        desk_.must<Done>(
            SetAccess{.account = alice_, .mailbox = mailbox, .grantee = who, .rights = rights});
    }
    Rights rights_of(AccountId who, MailboxId mailbox = kInbox) {
        return *read_rights(*desk_.snapshot(), ReadTier::Disk, alice_, mailbox, who);
    }
    std::vector<Grant> grants_of(AccountId who) {
        return *list_grants(*desk_.snapshot(), ReadTier::Disk, who);
    }
    FlagsChanged mark(AccountId who, std::vector<Uid> uids, FlagChange how = FlagChange::Add,
                      std::uint8_t flags = kSeen, MailboxId mailbox = kInbox) {
        return desk_.must<FlagsChanged>(ChangeFlags{.account = alice_,
                                                    .mailbox = mailbox,
                                                    .uids = std::move(uids),
                                                    .change = how,
                                                    .flags = {.system = flags, .keywords = {}},
                                                    .unchanged_since = std::nullopt,
                                                    .user = who});
    }
    /// Uids that he sees as seen, by a view that is loaded now.
    std::vector<Uid> seen_by(AccountId who, MailboxId mailbox = kInbox) {
        MailboxView view(alice_, mailbox, who);
        load_view(view, *desk_.snapshot());
        return seen_in(view);
    }
    static std::vector<Uid> seen_in(const MailboxView& view) {
        std::vector<Uid> uids;
        for (const MessageRow& row : view.rows()) {
            if (row.flags.has(SystemFlag::Seen)) {
                uids.push_back(row.uid);
            }
        }
        return uids;
    }
    std::uint32_t count_seen(AccountId who, MailboxId mailbox = kInbox) {
        return *read_seen_count(*desk_.snapshot(), ReadTier::Disk, alice_, mailbox, who);
    }
    std::size_t access_rows() {
        return desk_.count_rows(Family::Access) + desk_.count_rows(Family::Grant) +
               desk_.count_rows(Family::SeenBy);
    }

    AccountId bob_;
    AccountId carol_;
};

using Uids = std::vector<Uid>;

TEST(Rights, Letters_both_ways) {
    EXPECT_EQ(to_letters(Rights::all()), "lrswipkxteacd");
    EXPECT_EQ(parse_rights("lrswipkxtea"), Rights::all());
    EXPECT_EQ(parse_rights("c"), Right::CreateBelow | Right::DeleteMailbox);
    EXPECT_EQ(parse_rights("d"), Right::DeleteMessages | Right::Expunge);
    EXPECT_EQ(to_letters(Right::Lookup | Right::Expunge), "led");
    EXPECT_EQ(to_letters(Right::DeleteMailbox), "xc");
    EXPECT_EQ(parse_rights(""), Rights());
    EXPECT_EQ(parse_rights("lQ"), std::nullopt);
    EXPECT_EQ(parse_rights("lq"), std::nullopt);
    EXPECT_EQ(parse_rights("l0"), std::nullopt);
}

TEST_F(StamperAccessTest, Only_who_is_named_and_the_owner_have_rights) {
    EXPECT_EQ(rights_of(alice_), Rights::all());
    EXPECT_TRUE(rights_of(bob_).is_empty());
    grant(bob_, Right::Lookup | Right::Read);
    EXPECT_EQ(rights_of(bob_), Right::Lookup | Right::Read);
    EXPECT_TRUE(rights_of(carol_).is_empty());
    EXPECT_EQ(grants_of(bob_), (std::vector<Grant>{{alice_, kInbox}}));
    EXPECT_TRUE(grants_of(carol_).empty());
    EXPECT_TRUE(rights_of(bob_, desk_.named(alice_, "Sent")).is_empty());
    grant(bob_, {});
    EXPECT_TRUE(rights_of(bob_).is_empty());
    EXPECT_TRUE(read_access(*desk_.snapshot(), ReadTier::Disk, alice_, kInbox)->empty());
}

TEST_F(StamperAccessTest, Anyone_is_the_domain_and_adds_to_what_one_has) {
    Domain other;
    other.name = "other.test";
    ASSERT_TRUE(desk_.commit(*plan_add_domain(*desk_.snapshot(), other)));
    Account stranger;
    stranger.name = "eve@other.test";
    ASSERT_TRUE(desk_.commit(*plan_add_account(*desk_.snapshot(), stranger)));
    const AccountId eve =
        (*find_account(*desk_.snapshot(), ReadTier::Disk, "eve@other.test", ""))->id;
    grant(kAnyone, Right::Lookup);
    grant(bob_, Right::Read);
    EXPECT_EQ(rights_of(bob_), Right::Lookup | Right::Read);
    EXPECT_EQ(rights_of(carol_), Rights(Right::Lookup));
    EXPECT_TRUE(rights_of(eve).is_empty());
    EXPECT_EQ(grants_of(bob_).size(), 1U);
    EXPECT_EQ(grants_of(carol_).size(), 1U);
    EXPECT_TRUE(grants_of(eve).empty());
    EXPECT_TRUE(grants_of(alice_).empty());
    grant(eve, Right::Read);
    EXPECT_EQ(rights_of(eve), Rights(Right::Read));
    grant(kAnyone, {});
    EXPECT_TRUE(grants_of(carol_).empty());
}

TEST_F(StamperAccessTest, Refusals) {
    EXPECT_EQ(desk_.refusal(SetAccess{alice_, kInbox, alice_, Right::Read}), ErrorCode::Denied);
    EXPECT_EQ(desk_.refusal(SetAccess{alice_, kInbox, AccountId(99), Right::Read}),
              ErrorCode::NotFound);
    EXPECT_EQ(desk_.refusal(SetAccess{alice_, MailboxId(99), bob_, Right::Read}),
              ErrorCode::NotFound);
}

TEST_F(StamperAccessTest, Entries_at_minus_one_zero_plus_one) {
    std::vector<AccountId> users;
    for (std::size_t i = 0; i < access_entries_max + 1; ++i) {
        users.push_back(desk_.add_account("u" + std::to_string(i) + "@example.test"));
    }
    for (std::size_t i = 0; i < access_entries_max; ++i) {
        grant(users[i], Right::Read);
    }
    EXPECT_EQ(desk_.refusal(SetAccess{alice_, kInbox, users.back(), Right::Read}),
              ErrorCode::LimitExceeded);
    grant(users[0], Right::Read | Right::Lookup);  // One that is there may change.
    grant(users[0], {});
    grant(users.back(), Right::Read);
}

TEST_F(StamperAccessTest, A_new_mailbox_has_the_list_of_the_one_above) {
    const MailboxId above = create("Projects").mailbox;
    grant(bob_, Right::Lookup | Right::Read, above);
    grant(kAnyone, Right::Lookup, above);
    const MailboxId below = create("Projects/A").mailbox;
    EXPECT_EQ(rights_of(bob_, below), Right::Lookup | Right::Read);
    EXPECT_EQ(rights_of(carol_, below), Rights(Right::Lookup));
    EXPECT_TRUE(rights_of(bob_, create("Other").mailbox).is_empty());
    EXPECT_EQ(grants_of(bob_).size(), 2U);
    // RFC 4314 4: a new name changes no list.
    desk_.must<Done>(RenameMailbox{.account = alice_, .mailbox = below, .name = "Elsewhere"});
    EXPECT_EQ(rights_of(bob_, below), Right::Lookup | Right::Read);
    remove(below);
    EXPECT_EQ(grants_of(bob_), (std::vector<Grant>{{alice_, above}}));
}

TEST_F(StamperAccessTest, Each_has_a_seen_of_his_own_and_shares_the_rest) {
    append(kInbox, "one");
    append(kInbox, "two");
    append(kInbox, "three");
    const FlagsChanged first = mark(bob_, {Uid(1), Uid(3)});
    EXPECT_EQ(first.changed, (Uids{Uid(1), Uid(3)}));
    EXPECT_EQ(seen_by(bob_), (Uids{Uid(1), Uid(3)}));
    EXPECT_EQ(seen_by(carol_), Uids{});
    EXPECT_EQ(seen_by(alice_), Uids{});
    mark(alice_, {Uid(2)});
    EXPECT_EQ(seen_by(alice_), Uids{Uid(2)});
    EXPECT_EQ(seen_by(bob_), (Uids{Uid(1), Uid(3)}));
    EXPECT_EQ(count_seen(bob_), 2U);
    EXPECT_EQ((*read_mailbox(*desk_.snapshot(), ReadTier::Disk, alice_, kInbox))->unseen, 2U);
    // The same again changes nothing.
    EXPECT_TRUE(mark(bob_, {Uid(1)}).changed.empty());
    // The mod-sequence moves on with his \Seen, so that his other clients learn of it.
    EXPECT_EQ(desk_.rows(alice_, kInbox)[0].mod_seq, first.mod_seq);
    mark(bob_, {Uid(1)}, FlagChange::Replace, kFlagged);
    EXPECT_EQ(seen_by(bob_), Uids{Uid(3)});
    EXPECT_TRUE(desk_.rows(alice_, kInbox)[0].flags.has(SystemFlag::Flagged));
    mark(bob_, {Uid(3)}, FlagChange::Remove);
    EXPECT_EQ(count_seen(bob_), 0U);
    EXPECT_EQ(seen_by(alice_), Uids{Uid(2)});
}

TEST_F(StamperAccessTest, What_one_may_not_touch_stays_as_it_is) {
    append(kInbox, "one");
    change(kInbox, {Uid(1)}, FlagChange::Add, {.system = kDeleted, .keywords = {"work"}});
    ChangeFlags step{.account = alice_,
                     .mailbox = kInbox,
                     .uids = {Uid(1)},
                     .change = FlagChange::Replace,
                     .flags = {.system = kSeen | kFlagged, .keywords = {"play"}},
                     .unchanged_since = std::nullopt,
                     .may = {.seen = true, .deleted = false, .others = false},
                     .user = bob_};
    desk_.must<FlagsChanged>(step);
    MessageRow row = desk_.rows(alice_, kInbox)[0];
    EXPECT_EQ(row.flags.system, kDeleted);
    EXPECT_FALSE(row.flags.keywords.is_empty());
    EXPECT_EQ(seen_by(bob_), Uids{Uid(1)});
    step.may = {.seen = false, .deleted = true, .others = true};
    step.flags = {.system = kFlagged, .keywords = {}};
    desk_.must<FlagsChanged>(step);
    row = desk_.rows(alice_, kInbox)[0];
    EXPECT_EQ(row.flags.system, kFlagged);
    EXPECT_TRUE(row.flags.keywords.is_empty());
    EXPECT_EQ(seen_by(bob_), Uids{Uid(1)});
}

TEST_F(StamperAccessTest, Open_views_follow_and_agree_with_fresh_ones) {
    append(kInbox, "one");
    append(kInbox, "two");
    MailboxView bobs(alice_, kInbox, bob_);
    MailboxView alices(alice_, kInbox);
    load_view(bobs, *desk_.snapshot());
    load_view(alices, *desk_.snapshot());
    const auto follow = [&] {
        for (const auto& change : desk_.outcome().accounts) {
            bobs.apply(*change);
            alices.apply(*change);
        }
        EXPECT_EQ(seen_in(bobs), seen_by(bob_));
        EXPECT_EQ(seen_in(alices), seen_by(alice_));
    };
    mark(bob_, {Uid(1)});
    follow();
    EXPECT_EQ(seen_in(bobs), Uids{Uid(1)});
    mark(alice_, {Uid(2)});
    follow();
    mark(carol_, {Uid(2)});
    follow();
    TestMessage message = message_for(alice_, kInbox, "three");
    message.step.flags.system = kSeen;
    desk_.must<Appended>(message.step, message.bodies);
    follow();
    TestMessage his = message_for(alice_, kInbox, "four");
    his.step.flags.system = kSeen;
    his.step.user = bob_;
    desk_.must<Appended>(his.step, his.bodies);
    follow();
    EXPECT_EQ(seen_in(bobs), (Uids{Uid(1), Uid(4)}));
    EXPECT_EQ(seen_in(alices), (Uids{Uid(2), Uid(3)}));
    mark(bob_, {Uid(1)}, FlagChange::Remove);
    follow();
}

TEST_F(StamperAccessTest, Copies_keep_what_the_copier_has_seen) {
    append(kInbox, "one");
    append(kInbox, "two");
    mark(bob_, {Uid(1)});
    mark(alice_, {Uid(2)});
    const MailboxId target = create("Target").mailbox;
    CopyMessages step{.account = alice_,
                      .source = kInbox,
                      .target = target,
                      .uids = {Uid(1), Uid(2)},
                      .user = bob_};
    desk_.must<Copied>(step);
    EXPECT_EQ(seen_by(bob_, target), Uids{Uid(1)});
    EXPECT_EQ(seen_by(alice_, target), Uids{Uid(2)});
    step.may = {.seen = false, .deleted = false, .others = false};
    step.move = true;
    desk_.must<Copied>(step);
    EXPECT_EQ(seen_by(bob_, target), Uids{Uid(1)});
    EXPECT_EQ(seen_by(alice_, target), Uids{Uid(2)});
    EXPECT_EQ(count_seen(bob_), 0U);
    EXPECT_EQ(count_seen(bob_, target), 1U);
}

TEST_F(StamperAccessTest, Expunged_messages_are_not_counted) {
    for (std::uint32_t i = 1; i <= 3; ++i) {
        append(kInbox, "m" + std::to_string(i));
    }
    mark(bob_, {Uid(1), Uid(2)});
    mark(carol_, {Uid(2)});
    expunge(kInbox, {Uid(2), Uid(3)});
    EXPECT_EQ(count_seen(bob_), 1U);
    EXPECT_EQ(count_seen(carol_), 0U);
}

TEST_F(StamperAccessTest, Stretches_of_uids_end_where_they_should) {
    SeenChunk chunk;
    const Uid last(SeenChunk::kUids - 1);
    chunk.set(last, true);
    EXPECT_TRUE(chunk.has(last));
    EXPECT_FALSE(chunk.has(Uid(SeenChunk::kUids - 2)));
    EXPECT_EQ(SeenChunk::number_of(last), 0U);
    EXPECT_EQ(SeenChunk::number_of(Uid(SeenChunk::kUids)), 1U);
    EXPECT_TRUE(SeenChunk::decode(chunk.encode())->has(last));
    EXPECT_FALSE(SeenChunk::decode(encode_number(5)));
    chunk.set(last, false);
    EXPECT_TRUE(chunk.is_empty());
}

TEST_F(StamperAccessTest, Nothing_is_left_of_a_deleted_mailbox) {
    const MailboxId box = create("Box").mailbox;
    append(box, "one");
    grant(bob_, Right::Read, box);
    grant(kAnyone, Right::Lookup, box);
    mark(carol_, {Uid(1)}, FlagChange::Add, kSeen, box);
    EXPECT_GT(access_rows(), 0U);
    remove(box);
    EXPECT_EQ(access_rows(), 0U);
}

TEST_F(StamperAccessTest, Nothing_is_left_of_a_removed_account) {
    append(kInbox, "one");
    grant(bob_, Right::Read | Right::Seen);
    grant(carol_, Right::Read);
    grant(kAnyone, Right::Lookup);
    mark(bob_, {Uid(1)});
    mark(carol_, {Uid(1)});
    desk_.must<Done>(SetAnnotations{.account = alice_,
                                    .mailbox = kInbox,
                                    .user = bob_,
                                    .entries = {{"/private/comment", "mine"}}});
    const auto remove_account = [&](const char* name) {
        ASSERT_TRUE(desk_.commit(*plan_remove_account(*desk_.snapshot(), name)));
        while (const auto plan = *plan_removal(*desk_.snapshot(), ReadTier::Disk)) {
            ASSERT_TRUE(desk_.commit(*plan));
        }
    };
    remove_account("bob@example.test");
    EXPECT_EQ(grants_of(carol_).size(), 1U);
    EXPECT_EQ(desk_.count_rows(Family::Annotation), 0U);
    for (const auto& [key, value] : desk_.all_rows()) {
        if (key.front() == 'a' || key.front() == 's') {
            EXPECT_NE(key_tail_u32(key), bob_.value());
        }
    }
    EXPECT_EQ(seen_by(carol_), Uids{Uid(1)});
    remove_account("alice@example.test");
    EXPECT_EQ(access_rows(), 0U);
    EXPECT_TRUE(grants_of(carol_).empty());
}

TEST_F(StamperAccessTest, Removal_of_an_account_that_has_much_goes_in_steps) {
    for (std::uint32_t i = 1; i <= 40; ++i) {
        const MailboxId box = create("Box" + std::to_string(i)).mailbox;
        grant(bob_, Right::Read, box);
        append(box, "m" + std::to_string(i));
        mark(bob_, {Uid(1)}, FlagChange::Add, kSeen, box);
    }
    Plan plan = *plan_remove_account(*desk_.snapshot(), "bob@example.test");
    std::get<PurgeRemains>(plan.steps.back()).messages_max = 1;
    ASSERT_TRUE(desk_.commit(plan));
    EXPECT_GT(access_rows(), 0U);
    std::size_t steps = 0;
    while (auto next = *plan_removal(*desk_.snapshot(), ReadTier::Disk)) {
        std::get<PurgeRemains>(next->steps.back()).messages_max = 1;
        ASSERT_TRUE(desk_.commit(*next));
        ASSERT_LT(++steps, 1000U);
    }
    EXPECT_EQ(access_rows(), 0U);
}

// Else nothing would lead to it when he goes.
TEST_F(StamperAccessTest, Renamed_INBOX_takes_no_annotation_of_a_visitor_along) {
    grant(bob_, Right::Lookup | Right::Read);
    const auto annotate = [&](AccountId user) {
        desk_.must<Done>(SetAnnotations{.account = alice_,
                                        .mailbox = kInbox,
                                        .user = user,
                                        .entries = {{"/private/comment", "mine"}}});
    };
    annotate(bob_);
    annotate(alice_);
    desk_.must<MailboxCreated>(RenameMailbox{.account = alice_, .mailbox = kInbox, .name = "Old"});
    EXPECT_EQ(desk_.count_rows(Family::Annotation), 3U);
    ASSERT_TRUE(desk_.commit(*plan_remove_account(*desk_.snapshot(), "bob@example.test")));
    while (const auto plan = *plan_removal(*desk_.snapshot(), ReadTier::Disk)) {
        ASSERT_TRUE(desk_.commit(*plan));
    }
    EXPECT_EQ(desk_.count_rows(Family::Annotation), 2U);
}

TEST_F(StamperAccessTest, Keywords_that_a_visitor_may_not_set_fill_no_dictionary) {
    append(kInbox, "one");
    const auto name = [&](const char* keyword, FlagMask may) {
        return desk_.must<FlagsChanged>(
            ChangeFlags{.account = alice_,
                        .mailbox = kInbox,
                        .uids = {Uid(1)},
                        .change = FlagChange::Replace,
                        .flags = {.system = kSeen, .keywords = {keyword}},
                        .unchanged_since = std::nullopt,
                        .may = may,
                        .user = bob_});
    };
    name("$Mine", {.seen = true, .deleted = true, .others = false});
    EXPECT_TRUE(read_keywords(*desk_.snapshot(), ReadTier::Disk, alice_)->empty());
    name("$Ours", {.seen = true, .deleted = false, .others = true});
    EXPECT_EQ(read_keywords(*desk_.snapshot(), ReadTier::Disk, alice_)->size(), 1U);
}

TEST_F(StamperAccessTest, A_plan_that_fails_changes_no_list) {
    append(kInbox, "one");
    Plan plan;
    plan.steps.emplace_back(SetAccess{alice_, kInbox, bob_, Right::Read});
    plan.steps.emplace_back(DeleteMailbox{.account = alice_, .mailbox = kInbox});
    EXPECT_FALSE(desk_.commit(plan));
    EXPECT_EQ(access_rows(), 0U);
}

}  // namespace
}  // namespace godwit::store
