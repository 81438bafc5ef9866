#include "flow/outbound/deliver_by.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

using std::chrono::seconds;
using Mode = store::DeliverBy::Mode;

const WallTime kDeadline = from_unix_seconds(1'800'000'000);

store::QueueMessage due_by(Mode mode) {
    store::QueueMessage message;
    message.deliver_by = store::DeliverBy{.deadline = kDeadline, .mode = mode};
    return message;
}

TEST(DeliverBy, Rfc2852_what_must_be_returned_is_not_tried_from_the_deadline_on) {
    const auto message = due_by(Mode::Return);
    EXPECT_FALSE(returned_by_now(message, kDeadline - seconds(1)));
    const auto over = returned_by_now(message, kDeadline);
    ASSERT_TRUE(over);
    EXPECT_EQ(over->kind, smtp::OutcomeKind::Permanent);
    EXPECT_EQ(over->reply.enhanced, (smtp::EnhancedStatus{5, 4, 7}));
    EXPECT_FALSE(returned_by_now(due_by(Mode::Notify), kDeadline));
    EXPECT_FALSE(returned_by_now({}, kDeadline));
}

TEST(DeliverBy, Rfc2852_an_attempt_is_made_at_the_deadline) {
    const auto message = due_by(Mode::Notify);
    const WallTime now = kDeadline - seconds(60);
    EXPECT_EQ(not_past_deadline(now + seconds(59), message, now), now + seconds(59));
    EXPECT_EQ(not_past_deadline(now + seconds(60), message, now), kDeadline);
    EXPECT_EQ(not_past_deadline(now + seconds(61), message, now), kDeadline);
    EXPECT_EQ(not_past_deadline(kDeadline + seconds(9), message, kDeadline),
              kDeadline + seconds(9));
    EXPECT_FALSE(is_late(message, kDeadline - seconds(1)));
    EXPECT_TRUE(is_late(message, kDeadline));
    EXPECT_FALSE(is_late(due_by(Mode::Return), kDeadline));
}

TEST(DeliverBy, Rfc2852_the_next_hop_hears_what_is_left) {
    EXPECT_EQ(time_left({}, kDeadline), std::nullopt);
    EXPECT_EQ(time_left(due_by(Mode::Return), kDeadline - seconds(60))->seconds, 60);
    EXPECT_EQ(
        time_left(due_by(Mode::Return), kDeadline - std::chrono::milliseconds(60'500))->seconds,
        60);
    EXPECT_EQ(time_left(due_by(Mode::Notify), kDeadline + seconds(60))->seconds, -60);
}

}  // namespace
}  // namespace godwit::flow
