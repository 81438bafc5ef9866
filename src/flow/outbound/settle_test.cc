#include "flow/outbound/settle.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

using store::Notify;

std::uint8_t bits(Notify a) {
    return static_cast<std::uint8_t>(a);
}

SettleInput input(std::vector<store::QueueRecipient> recipients) {
    SettleInput in;
    in.message.sender = "alice@example.test";
    in.message.accepted_at = from_unix_seconds(1000);
    in.message.expires_at = from_unix_seconds(1000 + 5 * 86400);
    in.delivery.site = "example.com";
    in.delivery.recipients = std::move(recipients);
    in.now = from_unix_seconds(1060);
    return in;
}

store::QueueRecipient to(std::string address, std::uint8_t notify = 0) {
    store::QueueRecipient recipient;
    recipient.address = std::move(address);
    recipient.notify = notify;
    return recipient;
}

AttemptResult said(std::size_t recipient, std::uint16_t code, mail::EnhancedStatus status,
                   std::string text) {
    AttemptResult result;
    result.recipient = recipient;
    result.remote = "mx.example.com";
    result.outcome.reply = smtp::make_reply(code, status, std::move(text));
    result.outcome.kind = code < 300   ? smtp::OutcomeKind::Delivered
                          : code < 500 ? smtp::OutcomeKind::Temporary
                                       : smtp::OutcomeKind::Permanent;
    return result;
}

TEST(Settle, E2_each_recipient_has_its_own_outcome) {
    SettleInput in = input({to("a@example.com"), to("b@example.com"), to("c@example.com")});
    in.results = {said(0, 250, {2, 0, 0}, "ok"), said(1, 550, {5, 1, 1}, "no"),
                  said(2, 451, {4, 7, 1}, "later")};
    const Settlement out = settle(std::move(in));
    EXPECT_EQ(out.delivery.recipients[0].state, store::RecipientState::Delivered);
    EXPECT_EQ(out.delivery.recipients[1].state, store::RecipientState::Failed);
    EXPECT_EQ(out.delivery.recipients[2].state, store::RecipientState::Waiting);
    EXPECT_FALSE(out.delivery.is_done);
    EXPECT_EQ(out.delivery.attempts, 1U);
    ASSERT_EQ(out.notices.size(), 1U);
    EXPECT_EQ(out.notices[0].final_recipient.to_string(), "b@example.com");
    EXPECT_EQ(out.notices[0].status.to_string(), "5.1.1");
    // H1: about a minute later, a tenth either way.
    const auto wait = out.delivery.due - from_unix_seconds(1060);
    EXPECT_GE(wait, std::chrono::seconds(54));
    EXPECT_LE(wait, std::chrono::seconds(66));
}

TEST(Settle, what_no_host_said_is_marked_as_ours) {
    SettleInput in = input({to("a@example.com"), to("b@example.com")});
    in.results = {said(0, 451, {4, 7, 1}, "later"), said(1, 451, {4, 4, 1}, "refused")};
    in.results[1].outcome.is_local = true;
    const Settlement out = settle(std::move(in));
    EXPECT_FALSE(out.delivery.recipients[0].is_last_ours);
    EXPECT_TRUE(out.delivery.recipients[1].is_last_ours);
    const std::size_t mark = out.trace_detail.find("\"local\":true");
    EXPECT_GT(mark, out.trace_detail.find("b@example.com"));
    EXPECT_EQ(out.trace_detail.find("\"local\":true", mark + 1), std::string::npos);
}

TEST(Settle, What_is_kept_for_a_request_waits_for_the_next_one) {
    SettleInput in = input({to("a@example.com"), to("b@example.com")});
    in.results = {said(0, 250, {2, 0, 0}, "ok"), said(1, 451, {4, 7, 1}, "later")};
    in.is_kept_for_request = true;
    const Settlement out = settle(std::move(in));
    EXPECT_TRUE(out.delivery.is_held);
    EXPECT_EQ(out.delivery.held_reason, "until it is asked for");
    EXPECT_EQ(out.trace_detail.find("next_attempt"), std::string::npos);
    SettleInput all = input({to("a@example.com")});
    all.results = {said(0, 250, {2, 0, 0}, "ok")};
    all.is_kept_for_request = true;
    EXPECT_FALSE(settle(std::move(all)).delivery.is_held);
}

TEST(Settle, I4_NOTIFY_NEVER_and_NOTIFY_without_FAILURE_get_no_failure_report) {
    SettleInput in = input(
        {to("a@example.com", bits(Notify::Never)), to("b@example.com", bits(Notify::Success))});
    in.results = {said(0, 550, {5, 1, 1}, "no"), said(1, 550, {5, 1, 1}, "no")};
    const Settlement out = settle(std::move(in));
    EXPECT_TRUE(out.notices.empty());
    EXPECT_TRUE(out.delivery.is_done);
}

TEST(Settle, NOTIFY_SUCCESS_is_reported_as_relayed_unless_the_next_hop_took_it_over) {
    SettleInput in = input(
        {to("a@example.com", bits(Notify::Success)), to("b@example.com", bits(Notify::Success))});
    in.results = {said(0, 250, {2, 0, 0}, "ok"), said(1, 250, {2, 0, 0}, "ok")};
    in.results[1].remote_reports = true;
    const Settlement out = settle(std::move(in));
    ASSERT_EQ(out.notices.size(), 1U);
    EXPECT_EQ(out.notices[0].action, mail::DsnAction::Relayed);
    EXPECT_EQ(out.notices[0].final_recipient.to_string(), "a@example.com");
}

TEST(Settle, G9_a_delay_is_reported_once_after_four_hours) {
    SettleInput in = input({to("a@example.com")});
    in.results = {said(0, 451, {4, 3, 0}, "later")};
    in.now = from_unix_seconds(1000 + 4 * 3600 - 1);
    EXPECT_TRUE(settle(in).notices.empty());
    in.now = from_unix_seconds(1000 + 4 * 3600);
    const Settlement late = settle(in);
    ASSERT_EQ(late.notices.size(), 1U);
    EXPECT_EQ(late.notices[0].action, mail::DsnAction::Delayed);
    in.delivery = late.delivery;
    EXPECT_TRUE(settle(in).notices.empty());
}

TEST(Settle, G9_the_delay_of_held_mail_counts_from_its_release) {
    SettleInput in = input({to("a@example.com")});
    in.message.release_at = from_unix_seconds(100'000);
    in.results = {said(0, 451, {4, 3, 0}, "later")};
    in.now = from_unix_seconds(100'000 + 4 * 3600 - 1);
    EXPECT_TRUE(settle(in).notices.empty());
    in.now = from_unix_seconds(100'000 + 4 * 3600);
    EXPECT_EQ(settle(in).notices.size(), 1U);
}

TEST(Settle, Rfc2852_lateness_is_told_once_beside_the_delay) {
    SettleInput in = input({to("a@example.com"), to("b@example.com", bits(Notify::Never))});
    in.message.deliver_by = store::DeliverBy{.deadline = from_unix_seconds(2000)};
    in.results = {said(0, 451, {4, 3, 0}, "later"), said(1, 451, {4, 3, 0}, "later")};
    in.now = from_unix_seconds(1990);
    const Settlement early = settle(in);
    EXPECT_TRUE(early.notices.empty());
    EXPECT_EQ(early.delivery.due, from_unix_seconds(2000));
    in.delivery = early.delivery;
    in.now = from_unix_seconds(2000);
    const Settlement late = settle(in);
    ASSERT_EQ(late.notices.size(), 1U);
    EXPECT_EQ(late.notices[0].action, mail::DsnAction::Delayed);
    in.delivery = late.delivery;
    EXPECT_TRUE(settle(in).notices.empty());
    in.now = from_unix_seconds(1000 + 4 * 3600);
    EXPECT_EQ(settle(in).notices.size(), 1U);
}

TEST(Settle, Rfc2852_relays_are_told_where_traced_or_where_nobody_keeps_the_time) {
    SettleInput in =
        input({to("a@example.com"), to("b@example.com"), to("c@example.com", bits(Notify::Never))});
    in.message.deliver_by = store::DeliverBy{.deadline = from_unix_seconds(2000)};
    in.results = {said(0, 250, {2, 0, 0}, "ok"), said(1, 250, {2, 0, 0}, "ok"),
                  said(2, 250, {2, 0, 0}, "ok")};
    in.results[0].remote_keeps_time = true;
    const Settlement untraced = settle(in);
    ASSERT_EQ(untraced.notices.size(), 1U);
    EXPECT_EQ(untraced.notices[0].final_recipient.to_string(), "b@example.com");
    in.message.deliver_by->is_traced = true;
    EXPECT_EQ(settle(in).notices.size(), 2U);
}

TEST(Settle, Rfc4865_a_mailbox_here_is_told_of_as_delivered) {
    SettleInput in = input({to("a@example.test", bits(Notify::Success)), to("b@example.test")});
    in.results = {said(0, 250, {2, 1, 5}, "Delivered"), said(1, 250, {2, 1, 5}, "Delivered")};
    in.results[0].is_final = in.results[1].is_final = true;
    const Settlement out = settle(std::move(in));
    ASSERT_EQ(out.notices.size(), 1U);
    EXPECT_EQ(out.notices[0].action, mail::DsnAction::Delivered);
}

TEST(Settle, I11_what_is_too_old_is_given_up_as_expired) {
    SettleInput in = input({to("a@example.com")});
    in.delivery.attempts = 30;
    in.results = {said(0, 451, {4, 3, 0}, "later")};
    in.now = in.message.expires_at + std::chrono::seconds(1);
    const Settlement out = settle(std::move(in));
    EXPECT_EQ(out.delivery.recipients[0].state, store::RecipientState::Expired);
    ASSERT_EQ(out.notices.size(), 1U);
    EXPECT_EQ(out.notices[0].status.to_string(), "5.4.7");
}

TEST(Settle, E12_the_basic_code_rules_where_the_enhanced_one_differs) {
    SettleInput in = input({to("a@example.com")});
    in.results = {said(0, 550, {4, 2, 2}, "contradiction")};
    const Settlement out = settle(std::move(in));
    EXPECT_EQ(out.delivery.recipients[0].last_status, "5.2.2");
}

TEST(Settle, trace_tells_the_tls_decision_once_for_those_who_share_it) {
    SettleInput in = input({to("a@example.com"), to("b@example.com"), to("c@example.com")});
    in.results = {said(0, 250, {2, 0, 0}, "ok"), said(1, 250, {2, 0, 0}, "ok"),
                  said(2, 451, {4, 7, 5}, "no STARTTLS")};
    AttemptTls good{.policy = "dane",
                    .origin = "dane",
                    .version = "TLSv1.3",
                    .cipher = "TLS_AES_256_GCM_SHA384",
                    .is_verified = true,
                    .error = ""};
    in.results[0].tls = in.results[1].tls = good;
    in.results[2].tls = AttemptTls{.policy = "verify", .origin = "mta-sts"};
    const std::string detail = settle(std::move(in)).trace_detail;
    const std::string said_once = R"("tls":{"policy":"dane","origin":"dane","version":"TLSv1.3",)"
                                  R"("cipher":"TLS_AES_256_GCM_SHA384","verified":true}})";
    const std::size_t first = detail.find(said_once);
    EXPECT_NE(first, std::string::npos) << detail;
    EXPECT_EQ(detail.find(said_once, first + 1), std::string::npos) << detail;
    EXPECT_NE(detail.find(R"("tls":{"policy":"verify","origin":"mta-sts"}})"), std::string::npos)
        << detail;
}

Settlement dropped_at_dot(std::uint32_t before, bool is_ambiguous = true) {
    store::QueueRecipient recipient = to("a@example.com");
    recipient.dot_drops = before;
    SettleInput in = input({recipient});
    AttemptResult result = said(0, 451, {4, 4, 2}, "connection lost");
    result.outcome.is_local = true;
    result.outcome.is_ambiguous = is_ambiguous;
    in.results = {result};
    return settle(std::move(in));
}

TEST(Settle, E6_who_always_hangs_up_behind_the_dot_is_given_up_sooner) {
    const Settlement last_but_one = dropped_at_dot(outbound_dot_drops_max - 2);
    EXPECT_EQ(last_but_one.delivery.recipients[0].dot_drops, outbound_dot_drops_max - 1);
    EXPECT_EQ(last_but_one.delivery.recipients[0].state, store::RecipientState::Waiting);
    const Settlement last = dropped_at_dot(outbound_dot_drops_max - 1);
    EXPECT_EQ(last.delivery.recipients[0].state, store::RecipientState::Expired);
    EXPECT_TRUE(last.delivery.is_done);
    ASSERT_EQ(last.notices.size(), 1U);
    EXPECT_EQ(last.notices[0].status.to_string(), "5.4.2");
    EXPECT_TRUE(last.notices[0].reason.contains("may have arrived"));
    // Any other fault in between begins the count anew.
    const Settlement other = dropped_at_dot(outbound_dot_drops_max, false);
    EXPECT_EQ(other.delivery.recipients[0].dot_drops, 0U);
    EXPECT_EQ(other.delivery.recipients[0].state, store::RecipientState::Waiting);
}

}  // namespace
}  // namespace godwit::flow
