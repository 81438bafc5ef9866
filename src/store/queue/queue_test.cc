#include "store/queue/queue.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "store/commit/stamper_testing.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/queue/schedule.h"

namespace godwit::store {
namespace {

using std::chrono::minutes;

WallTime at(std::int64_t seconds) {
    return from_unix_seconds(seconds);
}

QueueDelivery delivery_to(std::uint32_t number, std::string site, WallTime due) {
    QueueDelivery delivery;
    delivery.number = number;
    delivery.site = std::move(site);
    delivery.due = due;
    delivery.recipients.push_back({.address = "x@" + delivery.site,
                                   .original = "rfc822;x@" + delivery.site,
                                   .notify = 4,
                                   .state = RecipientState::Waiting,
                                   .last_reply = "450 4.2.0 later",
                                   .last_status = "4.2.0",
                                   .last_remote = "mx.test"});
    return delivery;
}

class QueueTest : public testing::Test {
protected:
    void add(std::uint64_t mail, std::vector<QueueDelivery> deliveries) {
        AddToQueue step;
        step.message.mail = MailId(mail);
        step.message.sender = "s@example.test";
        step.message.blob = blob_named("m" + std::to_string(mail));
        step.message.accepted_at = at(1000);
        step.deliveries = std::move(deliveries);
        NewBody body;
        body.id = step.message.blob;
        Plan plan;
        plan.bodies.push_back(std::move(body));
        plan.steps.emplace_back(std::move(step));
        const auto result = desk_.commit(plan);
        ASSERT_TRUE(result.has_value()) << result.error().error.text;
    }
    void update(std::uint64_t mail, std::vector<QueueDelivery> deliveries) {
        desk_.must<Done>(UpdateQueue{.mail = MailId(mail), .deliveries = std::move(deliveries)});
    }
    QueueRecipient first_recipient(std::uint64_t mail) {
        return read_delivery(*desk_.snapshot(), ReadTier::Disk, MailId(mail), 1)
            .value()
            .value()
            .recipients.at(0);
    }
    std::vector<DueDelivery> sites() {
        return *due_sites(*desk_.snapshot(), ReadTier::Disk, "", 100);
    }

    StampingDesk desk_;
};

TEST_F(QueueTest, Records_come_back_as_they_were) {
    QueueMessage message;
    message.mail = MailId(77);
    message.sender = "a@b.test";
    message.blob = blob_named("x");
    message.blob_size = 12345;
    message.prefix = "Received: x\r\n";
    message.accepted_at = at(5);
    message.expires_at = at(6);
    message.needs_smtputf8 = true;
    message.envelope_id = "QQ314159";
    message.submitter = AccountId(3);
    message.peer = "[192.0.2.1]";
    const QueueMessage again = *decode_queue_message(encode(message));
    EXPECT_EQ(again.mail, message.mail);
    EXPECT_EQ(again.blob, message.blob);
    EXPECT_EQ(again.envelope_id, "QQ314159");
    EXPECT_TRUE(again.needs_smtputf8);
    EXPECT_FALSE(again.is_8bit);
    EXPECT_EQ(encode(again), encode(message));

    QueueDelivery delivery = delivery_to(9, "far.test", at(-5));
    delivery.last_attempt = at(7);
    delivery.is_held = true;
    delivery.held_reason = "by operator";
    const QueueDelivery back = *decode_queue_delivery(encode(delivery));
    EXPECT_EQ(encode(back), encode(delivery));
    EXPECT_EQ(back.recipients.at(0).last_status, "4.2.0");
    EXPECT_EQ(back.due, at(-5));
}

TEST_F(QueueTest, Records_with_extensions_come_back_and_plain_ones_stay_as_they_were) {
    QueueMessage message;
    message.mail = MailId(77);
    message.blob = blob_named("x");
    EXPECT_EQ(open_record(encode(message))->version, 1);
    const auto comes_back = [](const QueueMessage& extended) {
        const std::string value = encode(extended);
        EXPECT_EQ(open_record(value)->version, 3);
        const QueueMessage again = *decode_queue_message(value);
        EXPECT_EQ(encode(again), value);
        return again;
    };
    QueueMessage one = message;
    one.is_binary = true;
    EXPECT_TRUE(comes_back(one).is_binary);
    one = message;
    one.has_long_lines = true;
    EXPECT_TRUE(comes_back(one).has_long_lines);
    one = message;
    one.require_tls = true;
    EXPECT_TRUE(comes_back(one).require_tls);
    one = message;
    one.tls_optional = true;
    EXPECT_TRUE(comes_back(one).tls_optional);
    one = message;
    one.deliver_by =
        DeliverBy{.deadline = at(-9), .mode = DeliverBy::Mode::Return, .is_traced = true};
    EXPECT_EQ(comes_back(one).deliver_by, one.deliver_by);
    one = message;
    one.priority = -9;
    EXPECT_EQ(comes_back(one).priority, -9);
    one.priority = 0;
    EXPECT_EQ(comes_back(one).priority, 0);
    one = message;
    one.release_at = at(99);
    EXPECT_EQ(comes_back(one).release_at, at(99));
    one = message;
    one.auth = "";
    EXPECT_EQ(comes_back(one).auth, "");
    one = message;
    one.solicit = "org.example:ADV";
    EXPECT_EQ(comes_back(one).solicit, "org.example:ADV");

    QueueDelivery delivery = delivery_to(9, "far.test", at(5));
    EXPECT_EQ(open_record(encode(delivery))->version, 1);
    delivery.crashes = 1;
    EXPECT_EQ(open_record(encode(delivery))->version, 2);
    delivery.recipients.push_back({.address = "y@far.test"});
    delivery.recipients.back().valid_since = ValidSince{.at = at(3), .must_be_checked = true};
    delivery.recipients.front().lateness_reported = true;
    delivery.recipients.front().dot_drops = 7;
    const std::string value = encode(delivery);
    EXPECT_EQ(open_record(value)->version, 3);
    const QueueDelivery back = *decode_queue_delivery(value);
    EXPECT_EQ(encode(back), value);
    EXPECT_EQ(back.crashes, 1U);
    EXPECT_EQ(back.recipients.at(1).valid_since, delivery.recipients.at(1).valid_since);
    EXPECT_TRUE(back.recipients.at(0).lateness_reported);
    EXPECT_EQ(back.recipients.at(0).dot_drops, 7U);
}

TEST_F(QueueTest, Records_of_a_later_version_are_refused_and_not_misread) {
    QueueMessage message;
    message.mail = MailId(77);
    message.blob = blob_named("x");
    message.priority = 9;
    std::string payload(open_record(encode(message))->payload);
    // Mark, zigzag of 9, end.
    ASSERT_TRUE(payload.ends_with(std::string_view("\x03\x12\x00", 3)));
    payload[payload.size() - 2] = '\x14';
    EXPECT_EQ(decode_queue_message(seal(3, payload)).error().code, ErrorCode::Corrupt);
    payload[payload.size() - 3] = '\x7f';
    EXPECT_EQ(decode_queue_message(seal(3, payload)).error().code, ErrorCode::Unsupported);
    EXPECT_FALSE(decode_queue_message(seal(4, payload)).has_value());
}

TEST_F(QueueTest, Due_keys_sort_by_site_and_time_and_parse) {
    EXPECT_LT(due_key("a.test", at(-1), MailId(1), 1), due_key("a.test", at(1), MailId(1), 1));
    EXPECT_LT(due_key("a.test", at(9), MailId(1), 1), due_key("a.test.b", at(1), MailId(1), 1));
    const auto row = parse_due_key(due_key("a.test", at(9), MailId(256), 2));
    ASSERT_TRUE(row);
    EXPECT_EQ(*row,
              (DueDelivery{.site = "a.test", .due = at(9), .mail = MailId(256), .number = 2}));
    EXPECT_FALSE(parse_due_key("S"));
    EXPECT_FALSE(parse_due_key(queue_message_key(MailId(1))));
}

TEST_F(QueueTest, Sites_are_listed_with_their_earliest_delivery) {
    add(1, {delivery_to(1, "b.test", at(30)), delivery_to(2, "a.test", at(20))});
    add(2, {delivery_to(1, "b.test", at(10))});
    const auto found = sites();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].site, "a.test");
    EXPECT_EQ(found[1].mail, MailId(2));
    EXPECT_EQ(due_sites(*desk_.snapshot(), ReadTier::Disk, "a.test", 10)->size(), 1U);
    const auto due = *due_deliveries(*desk_.snapshot(), ReadTier::Disk,
                                     {.site = "b.test", .from = {}, .until = at(30), .count = 9});
    ASSERT_EQ(due.size(), 2U);
    EXPECT_EQ(due[0].mail, MailId(2));
}

TEST_F(QueueTest, What_is_due_beyond_a_time_is_found_at_every_site) {
    add(1, {delivery_to(1, "a.test", at(10)), delivery_to(2, "b.test", at(31))});
    add(2, {delivery_to(1, "b.test", at(30)), delivery_to(2, "c.test", at(90))});
    add(3, {delivery_to(1, "b.test", at(40))});
    DueDelivery after;
    std::vector<std::string> found;
    for (;;) {
        const auto page = *due_beyond(*desk_.snapshot(), ReadTier::Disk, after, at(30), 1);
        if (page.empty()) {
            break;
        }
        after = page.front();
        found.push_back(after.site + std::to_string(after.mail.value()));
    }
    EXPECT_EQ(found, (std::vector<std::string>{"b.test1", "b.test3", "c.test2"}));
}

TEST_F(QueueTest, Due_deliveries_are_read_from_a_place_to_the_first_that_is_later) {
    for (std::uint64_t mail = 1; mail <= 6; ++mail) {
        add(mail, {delivery_to(1, "b.test", at(mail <= 3 ? 10 : 10 * static_cast<int>(mail)))});
    }
    add(7, {delivery_to(1, "b.test.c", at(10))});
    const auto read = [this](DueRange range) {
        range.site = "b.test";
        std::vector<std::uint64_t> mails;
        for (const DueDelivery& row : *due_deliveries(*desk_.snapshot(), ReadTier::Disk, range)) {
            mails.push_back(row.mail.value());
        }
        return mails;
    };
    using Mails = std::vector<std::uint64_t>;
    EXPECT_EQ(read({.until = at(45), .count = 9}), (Mails{1, 2, 3, 4, 5}));
    EXPECT_EQ(read({.until = at(5), .count = 9}), Mails{1});
    EXPECT_EQ(read({.until = at(99), .count = 2}), (Mails{1, 2}));
    EXPECT_EQ(read({.from = {at(10), MailId(2), 2}, .until = at(99), .count = 9}),
              (Mails{3, 4, 5, 6}));
    EXPECT_EQ(read({.from = {at(61), MailId(0), 0}, .until = at(99), .count = 9}), Mails{});
}

TEST_F(QueueTest, Messages_are_walked_with_their_deliveries) {
    EXPECT_FALSE(*last_queued(*desk_.snapshot(), ReadTier::Disk));
    add(1, {delivery_to(1, "b.test", at(30)), delivery_to(2, "a.test", at(20))});
    add(2, {delivery_to(1, "b.test", at(10))});
    add(5, {delivery_to(3, "c.test", at(10))});
    const auto all = *walk_queue(*desk_.snapshot(), ReadTier::Disk, MailId{}, 100);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].deliveries.size(), 2U);
    EXPECT_EQ(all[1].deliveries.at(0).site, "b.test");
    EXPECT_EQ(all[2].deliveries.at(0).number, 3U);
    const auto rest = *walk_queue(*desk_.snapshot(), ReadTier::Disk, MailId(1), 1);
    ASSERT_EQ(rest.size(), 1U);
    EXPECT_EQ(rest[0].message.mail, MailId(2));
    EXPECT_EQ(rest[0].deliveries.size(), 1U);
    EXPECT_EQ(*last_queued(*desk_.snapshot(), ReadTier::Disk), MailId(5));
}

TEST_F(QueueTest, All_deliveries_of_a_message_are_read_up_to_the_bound) {
    std::vector<QueueDelivery> many;
    for (std::uint32_t number = 1; number <= queue_deliveries_max; ++number) {
        many.push_back(delivery_to(number, "s" + std::to_string(number) + ".test", at(30)));
    }
    add(1, many);
    EXPECT_EQ(read_deliveries(*desk_.snapshot(), ReadTier::Disk, MailId(1))->size(),
              queue_deliveries_max);
    many.push_back(delivery_to(queue_deliveries_max + 1, "more.test", at(30)));
    AddToQueue more;
    more.message.mail = MailId(2);
    more.deliveries = many;
    EXPECT_EQ(desk_.refusal(more), ErrorCode::Invalid);
}

TEST_F(QueueTest, Messages_are_counted_without_a_walk) {
    const auto count = [this] { return *read_queue_count(*desk_.snapshot(), ReadTier::Disk); };
    EXPECT_EQ(count(), 0U);
    add(1, {delivery_to(1, "b.test", at(30)), delivery_to(2, "a.test", at(20))});
    add(2, {delivery_to(1, "b.test", at(10))});
    EXPECT_EQ(count(), 2U);
    // As a program left it that did not count.
    Batch older;
    older.erase(queue_count_key());
    ASSERT_TRUE(desk_.kv().commit(older));
    desk_.must<Done>(RemoveFromQueue{.mail = MailId(1)});
    EXPECT_EQ(count(), 1U);
    // A plan that fails leaves the count alone.
    EXPECT_FALSE(desk_.commit(UpdateQueue{.mail = MailId(9), .deliveries = {}}).has_value());
    QueueDelivery done = delivery_to(1, "b.test", at(10));
    done.is_done = true;
    update(2, {done});
    EXPECT_EQ(count(), 0U);
}

TEST_F(QueueTest, Update_moves_the_due_row_and_held_ones_have_none) {
    add(1, {delivery_to(1, "b.test", at(30))});
    update(1, {delivery_to(1, "b.test", at(60))});
    ASSERT_EQ(sites().size(), 1U);
    EXPECT_EQ(sites()[0].due, at(60));
    QueueDelivery held = delivery_to(1, "b.test", at(60));
    held.is_held = true;
    update(1, {held});
    EXPECT_TRUE(sites().empty());
    ASSERT_TRUE(desk_.outcome().queue);
    EXPECT_TRUE(desk_.outcome().queue->items.at(0).is_held);
    update(1, {delivery_to(1, "c.test", at(60))});
    EXPECT_EQ(sites().at(0).site, "c.test");
}

// What an attempt of the one that was due at 30 makes of it: next time at 90.
UpdateQueue outcome_of_attempt() {
    return {.mail = MailId(1),
            .deliveries = {delivery_to(1, "b.test", at(90))},
            .attempted_due = at(30)};
}

TEST_F(QueueTest, Outcome_of_an_attempt_keeps_a_hold_put_on_meanwhile) {
    add(1, {delivery_to(1, "b.test", at(30))});
    QueueDelivery held = delivery_to(1, "b.test", at(30));
    held.is_held = true;
    held.held_reason = "by operator";
    update(1, {held});
    UpdateQueue outcome = outcome_of_attempt();
    outcome.deliveries[0].attempts = 7;
    desk_.must<Done>(outcome);
    const QueueDelivery left = **read_delivery(*desk_.snapshot(), ReadTier::Disk, MailId(1), 1);
    EXPECT_TRUE(left.is_held);
    EXPECT_EQ(left.held_reason, "by operator");
    EXPECT_EQ(left.attempts, 7U);
    EXPECT_TRUE(sites().empty());
    EXPECT_TRUE(desk_.outcome().queue->items.at(0).is_held);
    outcome.deliveries[0].is_done = true;
    desk_.must<Done>(outcome);
    EXPECT_TRUE(desk_.all_rows().empty());
}

TEST_F(QueueTest, Outcome_of_an_attempt_keeps_a_time_ordered_meanwhile) {
    add(1, {delivery_to(1, "b.test", at(30))});
    desk_.must<Done>(outcome_of_attempt());
    EXPECT_EQ(sites().at(0).due, at(90));
    update(1, {delivery_to(1, "b.test", at(45))});
    // Route to hold, while the operator has it retried: the next attempt finds the route again.
    UpdateQueue outcome = outcome_of_attempt();
    outcome.deliveries[0].is_held = true;
    desk_.must<Done>(outcome);
    ASSERT_EQ(sites().size(), 1U);
    EXPECT_EQ(sites()[0].due, at(45));
    EXPECT_EQ(desk_.outcome().queue->items.at(0).due, at(45));
    desk_.must<Done>(RemoveFromQueue{MailId(1)});
    EXPECT_TRUE(desk_.all_rows().empty());
}

TEST_F(QueueTest, Last_done_delivery_takes_message_link_and_once_keys_along) {
    add(1, {delivery_to(1, "a.test", at(1)), delivery_to(2, "b.test", at(1))});
    QueueDelivery first = delivery_to(1, "a.test", at(1));
    first.is_done = true;
    update(1, {first});
    EXPECT_TRUE(*read_queue_message(*desk_.snapshot(), ReadTier::Disk, MailId(1)));
    EXPECT_EQ(read_deliveries(*desk_.snapshot(), ReadTier::Disk, MailId(1))->size(), 1U);
    EXPECT_EQ(desk_.refusal(UpdateQueue{.mail = MailId(1), .deliveries = {first}}),
              ErrorCode::Stale);
    QueueDelivery second = delivery_to(2, "b.test", at(1));
    second.is_done = true;
    update(1, {second});
    EXPECT_EQ(desk_.outcome().unlinked, std::vector<BlobId>{blob_named("m1")});
    EXPECT_TRUE(desk_.all_rows().empty());
    EXPECT_EQ(desk_.refusal(UpdateQueue{.mail = MailId(1), .deliveries = {second}}),
              ErrorCode::Stale);
}

TEST_F(QueueTest, Removal_by_an_operator_leaves_nothing) {
    add(1, {delivery_to(1, "a.test", at(1)), delivery_to(2, "b.test", at(1))});
    desk_.must<Done>(RemoveFromQueue{MailId(1)});
    EXPECT_TRUE(desk_.all_rows().empty());
    EXPECT_EQ(desk_.outcome().queue->items.size(), 2U);
    EXPECT_EQ(desk_.refusal(RemoveFromQueue{MailId(1)}), ErrorCode::NotFound);
}

TEST_F(QueueTest, Listing_pages_by_id) {
    for (std::uint64_t mail = 1; mail <= 5; ++mail) {
        add(mail, {delivery_to(1, "a.test", at(1))});
    }
    EXPECT_EQ(list_queue(*desk_.snapshot(), ReadTier::Disk, MailId(0), 3)->size(), 3U);
    const auto rest = *list_queue(*desk_.snapshot(), ReadTier::Disk, MailId(3), 9);
    ASSERT_EQ(rest.size(), 2U);
    EXPECT_EQ(rest[0].mail, MailId(4));
}

TEST(Schedule, Pauses_grow_to_four_hours) {
    EXPECT_EQ(retry_pause(1), minutes(1));
    EXPECT_EQ(retry_pause(2), minutes(5));
    EXPECT_EQ(retry_pause(7), minutes(160));
    EXPECT_EQ(retry_pause(8), minutes(240));
    EXPECT_EQ(retry_pause(4'000'000'000), minutes(240));
}

TEST(Schedule, Chance_spreads_by_a_tenth_at_most) {
    for (std::uint64_t chance = 0; chance < 100'000'000; chance += 1'234'567) {
        const auto next = next_attempt(
            {.attempts = 3, .now = at(0), .expires_at = at(500'000), .chance = chance});
        ASSERT_TRUE(next.due);
        EXPECT_GE(*next.due, at(540));
        EXPECT_LE(*next.due, at(660));
    }
}

TEST_F(QueueTest, marks_of_a_recipient_are_kept_each) {
    QueueDelivery delivery = delivery_to(1, "a.test", at(1));
    add(1, {delivery});
    for (const bool is_reported : {true, false}) {
        for (const bool is_ours : {true, false}) {
            delivery.recipients[0].delay_reported = is_reported;
            delivery.recipients[0].is_last_ours = is_ours;
            update(1, {delivery});
            EXPECT_EQ(first_recipient(1).delay_reported, is_reported);
            EXPECT_EQ(first_recipient(1).is_last_ours, is_ours);
        }
    }
}

TEST(Schedule, Whole_life_has_an_attempt_at_the_end_and_then_none) {
    WallTime now = at(0);
    const WallTime expires = expiry(now, RetryPolicy{});
    std::uint32_t attempts = 1;
    for (; attempts < 1000; ++attempts) {
        const auto next = next_attempt(
            {.attempts = attempts, .now = now, .expires_at = expires, .chance = attempts});
        if (!next.due) {
            break;
        }
        EXPECT_GT(*next.due, now);
        now = *next.due;
    }
    EXPECT_EQ(now, expires);
    EXPECT_GT(attempts, 30U);
    EXPECT_LT(attempts, 50U);
}

TEST(Schedule, Message_that_was_slept_through_still_gets_a_second_attempt) {
    EXPECT_TRUE(next_attempt({.attempts = 1, .now = at(900'000), .expires_at = at(1)}).due);
    EXPECT_FALSE(next_attempt({.attempts = 2, .now = at(900'000), .expires_at = at(1)}).due);
}

TEST(Schedule, Nothing_expires_by_a_clock_that_is_not_to_be_trusted) {
    const auto next =
        next_attempt({.attempts = 2, .now = at(900'000), .expires_at = at(1), .may_expire = false});
    ASSERT_TRUE(next.due);
    EXPECT_GT(*next.due, at(900'000));
}

TEST(Schedule, Delay_notice_after_four_hours) {
    EXPECT_FALSE(is_delay_notice_due(at(0), at(4 * 3600 - 1), {}));
    EXPECT_TRUE(is_delay_notice_due(at(0), at(4 * 3600), {}));
}

}  // namespace
}  // namespace godwit::store
