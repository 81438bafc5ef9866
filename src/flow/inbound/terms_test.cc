#include "flow/inbound/terms.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

using std::chrono::seconds;

const WallTime kNow = from_unix_seconds(1'800'000'000);
constexpr std::chrono::seconds kLifetime = std::chrono::days(5);

TermsAsker user() {
    return {.service = smtp::Service::Submission, .is_logged_in = true, .now = kNow};
}

smtp::MailParameters held_for(std::int64_t time) {
    smtp::MailParameters asked;
    asked.hold_for = time;
    return asked;
}

TEST(Terms, K8_mail_is_held_as_long_as_the_limit_and_no_longer) {
    const std::int64_t max = hold_max.count();
    EXPECT_FALSE(grant_terms(held_for(max - 1), user()).refusal);
    EXPECT_FALSE(grant_terms(held_for(max), user()).refusal);
    EXPECT_EQ(grant_terms(held_for(max + 1), user()).refusal->code, 501);
    smtp::MailParameters until;
    until.hold_until = unix_seconds(kNow) + max;
    EXPECT_FALSE(grant_terms(until, user()).refusal);
    ++*until.hold_until;
    EXPECT_EQ(grant_terms(until, user()).refusal->code, 501);
}

TEST(Terms, K8_release_is_counted_from_now_and_never_in_the_past) {
    EXPECT_EQ(release_time({}, kNow), std::nullopt);
    EXPECT_EQ(release_time(held_for(60), kNow), kNow + seconds(60));
    smtp::MailParameters until;
    until.hold_until = unix_seconds(kNow) - 5;
    EXPECT_EQ(release_time(until, kNow), kNow);
}

TEST(Terms, Rfc6710_priority_is_granted_by_who_asks) {
    smtp::MailParameters asked;
    asked.priority = 9;
    const Terms stranger = grant_terms(asked, {.service = smtp::Service::Mx, .now = kNow});
    EXPECT_EQ(stranger.priority, 0);
    EXPECT_EQ(to_string(*stranger.note), "250 2.3.6 0 is the new priority assigned to the message");
    EXPECT_EQ(grant_terms(asked, user()).priority, users_priority_max);
    EXPECT_EQ(grant_terms(asked, {.service = smtp::Service::Lmtp, .now = kNow}).priority, 9);
    const TermsAsker beside{
        .service = smtp::Service::Submission, .is_beside_us = true, .now = kNow};
    EXPECT_EQ(grant_terms(asked, beside).priority, 9);
    asked.priority = -9;
    const Terms modest = grant_terms(asked, {.service = smtp::Service::Mx, .now = kNow});
    EXPECT_EQ(modest.priority, -9);
    EXPECT_FALSE(modest.note);
    EXPECT_EQ(grant_terms({}, user()).priority, std::nullopt);
}

store::QueueMessage kept(const Arrival& arrival) {
    store::QueueMessage message;
    keep_terms(message, arrival, kNow, kLifetime);
    return message;
}

TEST(Terms, Life_counts_from_the_release_and_ends_at_the_time_of_return) {
    Arrival arrival;
    EXPECT_EQ(kept(arrival).expires_at, kNow + kLifetime);
    arrival.parameters.hold_for = 3600;
    EXPECT_EQ(kept(arrival).release_at, kNow + seconds(3600));
    EXPECT_EQ(kept(arrival).expires_at, kNow + seconds(3600) + kLifetime);
    arrival.parameters.hold_for.reset();
    arrival.parameters.by = smtp::ByTime{.seconds = 600, .mode = smtp::ByTime::Mode::Notify};
    EXPECT_EQ(kept(arrival).expires_at, kNow + kLifetime);
    arrival.parameters.by->mode = smtp::ByTime::Mode::Return;
    EXPECT_EQ(kept(arrival).expires_at, kNow + seconds(600));
    EXPECT_EQ(kept(arrival).deliver_by->deadline, kNow + seconds(600));
}

TEST(Terms, Rfc8689_the_field_counts_only_without_the_parameter) {
    Arrival arrival;
    arrival.parsed = mail::parse_message("TLS-Required: no\r\n\r\n");
    EXPECT_TRUE(kept(arrival).tls_optional);
    EXPECT_FALSE(kept(arrival).require_tls);
    arrival.parameters.require_tls = true;
    EXPECT_FALSE(kept(arrival).tls_optional);
    EXPECT_TRUE(kept(arrival).require_tls);
    arrival.parameters.require_tls = false;
    arrival.parsed = mail::parse_message("TLS-Required: Yes\r\n\r\n");
    EXPECT_FALSE(kept(arrival).tls_optional);
}

}  // namespace
}  // namespace godwit::flow
