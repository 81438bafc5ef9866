// Each step of a plan, its refusals, and what a plan leaves when it does not fit.
#include "store/commit/stamper.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/limits.h"
#include "store/commit/stamper_testing.h"
#include "store/mailbox/removal.h"
#include "store/mailbox/view.h"

namespace godwit::store {
namespace {

constexpr auto kSeen = static_cast<std::uint8_t>(SystemFlag::Seen);
constexpr auto kDeleted = static_cast<std::uint8_t>(SystemFlag::Deleted);

TEST_F(StamperTest, New_account_has_inbox_as_mailbox_1_and_the_usual_folders) {
    const auto mailboxes = *list_mailboxes(*desk_.snapshot(), ReadTier::Disk, alice_);
    ASSERT_EQ(mailboxes.size(), 6U);
    EXPECT_EQ(mailboxes[0].id, kInbox);
    EXPECT_EQ(mailboxes[0].name, "INBOX");
    EXPECT_EQ(mailboxes[1].name, "Archive");
    EXPECT_EQ(mailboxes[1].special_use, "\\Archive");
    EXPECT_EQ(list_subscriptions(*desk_.snapshot(), ReadTier::Disk, alice_)->size(), 6U);
    EXPECT_EQ(desk_.head(alice_).mailboxes, 6U);
}

TEST_F(StamperTest, Append_writes_row_record_counters_and_publishes) {
    const Appended appended = append(kInbox, "one");
    EXPECT_EQ(appended.uid, Uid(1));
    const MailboxState inbox = desk_.mailbox(alice_, kInbox);
    EXPECT_EQ(inbox.messages, 1U);
    EXPECT_EQ(inbox.unseen, 1U);
    EXPECT_EQ(inbox.uid_next, Uid(2));
    EXPECT_EQ(inbox.highest_mod_seq, appended.mod_seq);
    EXPECT_EQ(inbox.uid_validity, appended.uid_validity);
    EXPECT_EQ(inbox.bytes, 117U);
    EXPECT_EQ(desk_.head(alice_).bytes_used, 117U);
    const auto record = *read_record(*desk_.snapshot(), ReadTier::Disk, alice_, appended.email);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->summary, "summary of one");
    ASSERT_EQ(desk_.outcome().linked.size(), 1U);
    EXPECT_EQ(desk_.outcome().linked[0], blob_named("one"));
    ASSERT_EQ(desk_.outcome().accounts.size(), 1U);
    const auto& change = *desk_.outcome().accounts[0];
    EXPECT_EQ(std::get<MessagesAppended>(change.mailboxes.at(0).what).rows.at(0).uid, Uid(1));
    EXPECT_EQ(*read_commit_seq(*desk_.snapshot(), ReadTier::Disk), change.seq);
}

TEST_F(StamperTest, Delivery_of_one_message_is_at_most_nine_rows) {
    append(kInbox, "one", {11});
    // U M L R T, the counters N, the head A, the commit's number.
    EXPECT_LE(desk_.batch_entries(), 9U);
}

TEST_F(StamperTest, Append_without_its_body_is_stale) {
    EXPECT_EQ(desk_.refusal(message_for(alice_, kInbox, "nowhere").step), ErrorCode::Stale);
    append(kInbox, "stored");
    EXPECT_TRUE(desk_.commit(message_for(alice_, kInbox, "stored").step).has_value());
}

TEST_F(StamperTest, Append_to_what_is_not_there_is_not_found) {
    EXPECT_EQ(desk_.refusal(message_for(alice_, MailboxId(99), "x").step), ErrorCode::NotFound);
    EXPECT_EQ(desk_.refusal(message_for(AccountId(99), kInbox, "x").step), ErrorCode::NotFound);
}

TEST_F(StamperTest, Append_over_quota_is_refused_and_a_raised_quota_counts_at_once) {
    const AccountId bob = desk_.add_account("bob@example.test", 200);
    TestMessage message = message_for(bob, kInbox, "b");
    desk_.must<Appended>(message.step, message.bodies);
    EXPECT_EQ(desk_.refusal(message.step), ErrorCode::OverQuota);
    Account account = **read_account(*desk_.snapshot(), ReadTier::Disk, bob);
    account.quota.bytes = 1000;
    ASSERT_TRUE(desk_.commit(*plan_change_account(*desk_.snapshot(), account)).has_value());
    EXPECT_TRUE(desk_.commit(message.step).has_value());
}

TEST_F(StamperTest, Once_key_appends_once_and_gives_the_first_result_again) {
    TestMessage message = message_for(alice_, kInbox, "once");
    message.step.mail = MailId(7);
    message.step.once_key = 3;
    const Appended first = desk_.must<Appended>(message.step, message.bodies);
    const Appended second = desk_.must<Appended>(message.step, message.bodies);
    EXPECT_FALSE(first.was_duplicate);
    EXPECT_TRUE(second.was_duplicate);
    EXPECT_EQ(second.uid, first.uid);
    EXPECT_EQ(desk_.rows(alice_, kInbox).size(), 1U);
    EXPECT_TRUE(desk_.outcome().linked.empty());
}

TEST_F(StamperTest, Flags_change_counters_and_a_change_of_nothing_draws_no_mod_seq) {
    const Appended appended = append(kInbox, "one");
    const FlagsChanged seen = change(kInbox, {appended.uid, Uid(9)}, FlagChange::Add,
                                     {.system = kSeen, .keywords = {"$Work"}});
    EXPECT_EQ(seen.changed, std::vector<Uid>{appended.uid});
    EXPECT_GT(seen.mod_seq, appended.mod_seq);
    EXPECT_EQ(desk_.mailbox(alice_, kInbox).unseen, 0U);
    const FlagsChanged again =
        change(kInbox, {appended.uid}, FlagChange::Add, {.system = kSeen, .keywords = {"$wORK"}});
    EXPECT_TRUE(again.changed.empty());
    EXPECT_EQ(again.mod_seq, seen.mod_seq);
    EXPECT_TRUE(desk_.outcome().accounts.empty());
    const KeywordNames names = *read_keywords(*desk_.snapshot(), ReadTier::Disk, alice_);
    EXPECT_EQ(names, (KeywordNames{{0, "$Work"}}));
    const FlagsChanged none = change(kInbox, {appended.uid}, FlagChange::Replace, {});
    EXPECT_EQ(none.changed.size(), 1U);
    EXPECT_EQ(desk_.mailbox(alice_, kInbox).unseen, 1U);
    EXPECT_TRUE(desk_.rows(alice_, kInbox)[0].flags.keywords.is_empty());
}

TEST_F(StamperTest, Flags_unchanged_since_reports_what_was_changed_later) {
    const Appended first = append(kInbox, "one");
    const Appended second = append(kInbox, "two");
    ChangeFlags step{.account = alice_,
                     .mailbox = kInbox,
                     .uids = {first.uid, second.uid},
                     .change = FlagChange::Add,
                     .flags = {.system = kSeen, .keywords = {}},
                     .unchanged_since = first.mod_seq};
    const FlagsChanged result = desk_.must<FlagsChanged>(step);
    EXPECT_EQ(result.changed, std::vector<Uid>{first.uid});
    EXPECT_EQ(result.rejected, std::vector<Uid>{second.uid});
}

TEST_F(StamperTest, Keywords_past_the_dictionary_refuse_a_store_but_not_a_delivery) {
    const Appended appended = append(kInbox, "one");
    for (std::size_t i = 0; i < limits::keywords_max; ++i) {
        change(kInbox, {appended.uid}, FlagChange::Add,
               {.system = 0, .keywords = {"key" + std::to_string(i)}});
    }
    EXPECT_EQ(desk_.refusal(ChangeFlags{.account = alice_,
                                        .mailbox = kInbox,
                                        .uids = {appended.uid},
                                        .flags = {.system = 0, .keywords = {"more"}},
                                        .unchanged_since = std::nullopt}),
              ErrorCode::LimitExceeded);
    TestMessage message = message_for(alice_, kInbox, "two");
    message.step.mail = MailId(1);
    message.step.flags.keywords = {"more", "KEY1"};
    desk_.must<Appended>(message.step, message.bodies);
    const MessageRow row = desk_.rows(alice_, kInbox).back();
    EXPECT_TRUE(row.flags.keywords.has(1));
}

TEST_F(StamperTest, Expunge_takes_deleted_ones_only_and_lets_the_last_link_go) {
    const Appended one = append(kInbox, "one");
    const Appended two = append(kInbox, "two");
    change(kInbox, {two.uid}, FlagChange::Add, {.system = kDeleted, .keywords = {}});
    EXPECT_EQ(desk_.mailbox(alice_, kInbox).deleted, 1U);
    const Expunged gone = expunge(kInbox, {one.uid, two.uid}, true);
    EXPECT_EQ(gone.uids, std::vector<Uid>{two.uid});
    EXPECT_EQ(desk_.outcome().unlinked, std::vector<BlobId>{blob_named("two")});
    EXPECT_EQ(desk_.mailbox(alice_, kInbox).deleted, 0U);
    EXPECT_EQ(desk_.mailbox(alice_, kInbox).messages, 1U);
    EXPECT_FALSE(*read_record(*desk_.snapshot(), ReadTier::Disk, alice_, two.email));
    EXPECT_EQ(append(kInbox, "three").uid, Uid(3));
    const auto expunged =
        *read_expunged(*desk_.snapshot(), ReadTier::Disk, alice_, kInbox, one.mod_seq);
    EXPECT_EQ(expunged, std::vector<Uid>{two.uid});
}

TEST_F(StamperTest, Copy_keeps_the_email_and_the_body_goes_with_the_last_place) {
    const Appended appended = append(kInbox, "one");
    const MailboxId archive = desk_.named(alice_, "Archive");
    const Copied copied = copy(kInbox, archive, {appended.uid});
    ASSERT_EQ(copied.target.size(), 1U);
    EXPECT_EQ(desk_.rows(alice_, archive)[0].email, appended.email);
    EXPECT_EQ(read_places(*desk_.snapshot(), ReadTier::Disk, alice_, appended.email)->size(), 2U);
    expunge(kInbox, {appended.uid});
    EXPECT_TRUE(desk_.outcome().unlinked.empty());
    expunge(archive, copied.target);
    EXPECT_EQ(desk_.outcome().unlinked.size(), 1U);
    EXPECT_EQ(desk_.count_rows(Family::Membership), 0U);
    EXPECT_EQ(desk_.count_rows(Family::Email), 0U);
    EXPECT_EQ(desk_.head(alice_).bytes_used, 0U);
}

TEST_F(StamperTest, Copy_into_its_own_mailbox_makes_a_new_email_with_the_same_body) {
    const Appended appended = append(kInbox, "one", {5});
    copy(kInbox, kInbox, {appended.uid});
    const auto rows = desk_.rows(alice_, kInbox);
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_NE(rows[0].email, rows[1].email);
    EXPECT_EQ(rows[0].thread, rows[1].thread);
    EXPECT_EQ(desk_.head(alice_).bytes_used, 234U);
    expunge(kInbox, {rows[0].uid});
    EXPECT_TRUE(desk_.outcome().unlinked.empty());
    expunge(kInbox, {rows[1].uid});
    EXPECT_EQ(desk_.outcome().unlinked.size(), 1U);
    EXPECT_EQ(desk_.count_rows(Family::ThreadReference), 0U);
    EXPECT_EQ(desk_.count_rows(Family::ThreadMember), 0U);
}

TEST_F(StamperTest, Move_keeps_the_email_and_takes_it_from_the_source_in_one_commit) {
    const Appended appended = append(kInbox, "one");
    const MailboxId trash = desk_.named(alice_, "Trash");
    desk_.advance(std::chrono::seconds(60));
    const Copied moved = copy(kInbox, trash, {appended.uid}, true);
    EXPECT_EQ(moved.source, std::vector<Uid>{appended.uid});
    EXPECT_TRUE(desk_.rows(alice_, kInbox).empty());
    const auto rows = desk_.rows(alice_, trash);
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].email, appended.email);
    EXPECT_EQ(rows[0].saved_at, unix_seconds(desk_.now()));
    EXPECT_EQ(rows[0].internal_date, 1'600'000'000);
    EXPECT_TRUE(desk_.outcome().unlinked.empty());
    ASSERT_EQ(desk_.outcome().accounts.at(0)->mailboxes.size(), 2U);
}

TEST_F(StamperTest, Move_into_its_own_mailbox_gives_a_new_uid_to_the_same_email) {
    const Appended appended = append(kInbox, "one");
    copy(kInbox, kInbox, {appended.uid}, true);
    const auto rows = desk_.rows(alice_, kInbox);
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].uid, Uid(2));
    EXPECT_EQ(rows[0].email, appended.email);
}

TEST_F(StamperTest, Threads_join_by_references_and_end_with_their_last_email) {
    const Appended root = append(kInbox, "root", {1});
    const Appended reply = append(kInbox, "reply", {2, 1});
    const Appended late = append(kInbox, "late", {3, 2});
    const Appended other = append(kInbox, "other", {4});
    const auto rows = desk_.rows(alice_, kInbox);
    EXPECT_EQ(rows[1].thread, ThreadId(root.email.value()));
    EXPECT_EQ(rows[2].thread, ThreadId(root.email.value()));
    EXPECT_EQ(rows[3].thread, ThreadId(other.email.value()));
    EXPECT_EQ(desk_.count_rows(Family::ThreadMember), 2U);
    expunge(kInbox, {root.uid, reply.uid, late.uid});
    EXPECT_EQ(desk_.count_rows(Family::ThreadMember), 0U);
    EXPECT_EQ(desk_.count_rows(Family::ThreadReference), 1U);
}

TEST_F(StamperTest, Recent_is_claimed_by_one_session) {
    const Appended one = append(kInbox, "one");
    EXPECT_EQ(desk_.must<RecentClaimed>(ClaimRecent{alice_, kInbox}).after, Uid(0));
    EXPECT_EQ(desk_.must<RecentClaimed>(ClaimRecent{alice_, kInbox}).after, one.uid);
    append(kInbox, "two");
    EXPECT_EQ(desk_.mailbox(alice_, kInbox).recent_after, one.uid);
}

TEST_F(StamperTest, Failed_plan_leaves_no_trace_in_rows_or_memory) {
    append(kInbox, "one");
    const auto before = desk_.all_rows();
    desk_.begin();
    Plan plan;
    TestMessage message = message_for(alice_, kInbox, "two", {1, 2});
    message.step.flags.keywords = {"$New"};
    plan.bodies = message.bodies;
    plan.steps.emplace_back(message.step);
    plan.steps.emplace_back(CreateMailbox{alice_, "Work", "", true});
    plan.steps.emplace_back(
        CopyMessages{.account = alice_, .source = kInbox, .target = kInbox, .uids = {Uid(1)}});
    plan.steps.emplace_back(ExpungeMessages{
        .account = alice_, .mailbox = kInbox, .uids = {Uid(1)}, .only_deleted = false});
    plan.steps.emplace_back(DeleteMailbox{alice_, desk_.named(alice_, "Junk")});
    plan.steps.emplace_back(DeleteMailbox{alice_, MailboxId(77)});
    const auto result = desk_.stamp(plan);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().step, 5U);
    EXPECT_EQ(desk_.stamper().group_size(), 0U);
    desk_.finish();
    EXPECT_EQ(desk_.all_rows(), before);
    EXPECT_TRUE(desk_.outcome().accounts.empty());
    EXPECT_TRUE(desk_.outcome().linked.empty());
    EXPECT_EQ(append(kInbox, "three").uid, Uid(2));
    EXPECT_TRUE(read_keywords(*desk_.snapshot(), ReadTier::Disk, alice_)->empty());
    EXPECT_EQ(create("Work").mailbox, MailboxId(7));
}

TEST_F(StamperTest, Plans_of_one_group_see_each_other) {
    desk_.begin();
    TestMessage message = message_for(alice_, kInbox, "one");
    ASSERT_TRUE(desk_.stamp(message.step, message.bodies).has_value());
    ASSERT_TRUE(desk_.stamp(message_for(alice_, kInbox, "one").step).has_value());
    ASSERT_TRUE(desk_.stamp(CreateMailbox{alice_, "Work", ""}).has_value());
    EXPECT_FALSE(desk_.stamp(CreateMailbox{alice_, "Work", ""}).has_value());
    ASSERT_TRUE(desk_
                    .stamp(ExpungeMessages{.account = alice_,
                                           .mailbox = kInbox,
                                           .uids = {Uid(1), Uid(2)},
                                           .only_deleted = false})
                    .has_value());
    desk_.finish();
    // Added and taken away in one group: nothing to stage, nothing to remove.
    EXPECT_TRUE(desk_.outcome().linked.empty());
    EXPECT_TRUE(desk_.outcome().unlinked.empty());
    EXPECT_EQ(desk_.mailbox(alice_, kInbox).messages, 0U);
    EXPECT_EQ(desk_.mailbox(alice_, kInbox).uid_next, Uid(3));
}

TEST_F(StamperTest, Body_that_loses_and_gains_a_link_in_one_group_stays) {
    const Appended one = append(kInbox, "one");
    desk_.begin();
    ASSERT_TRUE(
        desk_
            .stamp(ExpungeMessages{
                .account = alice_, .mailbox = kInbox, .uids = {one.uid}, .only_deleted = false})
            .has_value());
    // Its last link is gone in this group: without the body the plan must not fit.
    EXPECT_FALSE(desk_.stamp(message_for(alice_, kInbox, "one").step).has_value());
    TestMessage message = message_for(alice_, kInbox, "one");
    ASSERT_TRUE(desk_.stamp(message.step, message.bodies).has_value());
    desk_.finish();
    EXPECT_TRUE(desk_.outcome().unlinked.empty());
    EXPECT_EQ(desk_.outcome().linked.size(), 1U);
}

TEST_F(StamperTest, Restart_goes_on_where_the_rows_say) {
    append(kInbox, "one");
    const AccountHead before = desk_.head(alice_);
    desk_.restart();
    const Appended two = append(kInbox, "two");
    EXPECT_EQ(two.uid, Uid(2));
    EXPECT_EQ(two.mod_seq.value(), before.mod_seq + 1);
    EXPECT_EQ(two.email.value(), before.next_email);
}

TEST_F(StamperTest, Change_rows_wants_what_it_expects_and_only_open_families) {
    ChangeRows step;
    step.entries.push_back({.key = "Gx", .value = "1"});
    step.expects.push_back({.key = "Gx", .value = std::nullopt});
    desk_.must<Done>(step);
    EXPECT_EQ(desk_.refusal(step), ErrorCode::Stale);
    ChangeRows foreign;
    foreign.entries.push_back({.key = "Uabc", .value = std::nullopt});
    EXPECT_EQ(desk_.refusal(foreign), ErrorCode::Invalid);
}

TEST_F(StamperTest, Uids_out_of_order_and_too_many_are_refused) {
    ExpungeMessages step{.account = alice_, .mailbox = kInbox, .uids = {Uid(2), Uid(1)}};
    EXPECT_EQ(desk_.refusal(step), ErrorCode::Invalid);
    step.uids = {Uid(0)};
    EXPECT_EQ(desk_.refusal(step), ErrorCode::Invalid);
    step.uids.clear();
    for (std::uint32_t i = 1; i <= limits::plan_rows_max + 1; ++i) {
        step.uids.emplace_back(i);
    }
    EXPECT_EQ(desk_.refusal(step), ErrorCode::LimitExceeded);
}

TEST_F(StamperTest, Trace_keeps_the_first_event_and_the_last_ones) {
    for (int i = 0; i < 100; ++i) {
        desk_.must<Done>(TraceEvent{.mail = MailId(5),
                                    .at = desk_.now(),
                                    .kind = "deferred" + std::to_string(i),
                                    .detail = "{}"});
    }
    const auto events = *read_trace(*desk_.snapshot(), ReadTier::Disk, MailId(5));
    ASSERT_EQ(events.size(), limits::trace_events_max);
    EXPECT_EQ(events.front().kind, "deferred0");
    EXPECT_EQ(events.back().kind, "deferred99");
}

TEST_F(StamperTest, Trims_drop_what_is_old_and_say_how_far_the_log_reaches) {
    const Appended one = append(kInbox, "one");
    desk_.must<Done>(
        TraceEvent{.mail = MailId(5), .at = desk_.now(), .kind = "accepted", .detail = "{}"});
    desk_.advance(std::chrono::hours(24));
    const WallTime before = desk_.now();
    const Appended two = append(kInbox, "two");
    desk_.must<Done>(
        TraceEvent{.mail = MailId(6), .at = desk_.now(), .kind = "accepted", .detail = "{}"});
    const auto log = *plan_log_trim(*desk_.snapshot(), ReadTier::Disk, alice_, before);
    ASSERT_TRUE(log);
    EXPECT_TRUE(std::get<Trimmed>(desk_.commit(*log)->at(0)).is_done);
    EXPECT_FALSE(*plan_log_trim(*desk_.snapshot(), ReadTier::Disk, alice_, before));
    EXPECT_EQ(desk_.head(alice_).oldest_log, two.mod_seq.value());
    EXPECT_FALSE(*read_expunged(*desk_.snapshot(), ReadTier::Disk, alice_, kInbox,
                                ModSeq(one.mod_seq.value() - 1)));
    EXPECT_TRUE(*read_expunged(*desk_.snapshot(), ReadTier::Disk, alice_, kInbox, one.mod_seq));
    const auto trace = *plan_trace_trim(*desk_.snapshot(), ReadTier::Disk, before);
    ASSERT_TRUE(trace);
    EXPECT_TRUE(desk_.commit(*trace).has_value());
    EXPECT_TRUE(read_trace(*desk_.snapshot(), ReadTier::Disk, MailId(5))->empty());
    EXPECT_EQ(read_trace(*desk_.snapshot(), ReadTier::Disk, MailId(6))->size(), 1U);
}

}  // namespace
}  // namespace godwit::store
