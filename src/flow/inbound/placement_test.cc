#include "flow/inbound/placement.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

Arrival arrival_of(std::string_view content, std::vector<store::Target> targets) {
    Arrival arrival;
    arrival.mail = MailId(7);
    arrival.sender = mail::Address{.local = "sender", .domain = "example.org"};
    arrival.origin.received.helo = "client.example.org";
    arrival.parsed = mail::parse_message(content);
    ArrivalRecipient recipient;
    recipient.envelope.address = {.local = "alice", .domain = "example.test"};
    recipient.resolved.verdict = store::RecipientVerdict::Local;
    recipient.resolved.targets = std::move(targets);
    arrival.recipients.push_back(std::move(recipient));
    return arrival;
}

Placement placed(const Arrival& arrival) {
    Settings settings;
    settings.hostname = "mx.example.test";
    return place(settings, arrival, from_unix_seconds(1000), {false});
}

/// What stands before the content in the mailbox.
std::string prefix_of(std::string_view content) {
    store::LocalTarget alice;
    alice.account = AccountId(1);
    const Placement placement = placed(arrival_of(content, {alice}));
    return std::get<store::AppendMessage>(placement.plan.steps.at(0)).record.prefix;
}

const store::QueueDelivery& queued(const Placement& placement) {
    for (const store::PlanStep& step : placement.plan.steps) {
        if (const auto* add = std::get_if<store::AddToQueue>(&step)) {
            return add->deliveries.at(0);
        }
    }
    static const store::QueueDelivery none;
    return none;
}

TEST(Placement, J5_a_header_follows_our_fields_at_once) {
    EXPECT_TRUE(prefix_of("Subject: x\r\n\r\nbody\r\n").ends_with("+0000\r\n"));
    EXPECT_TRUE(prefix_of("\r\nbody only\r\n").ends_with("+0000\r\n"));
    EXPECT_TRUE(
        prefix_of("From : a@example.org\r\n\r\nobsolete, but a field\r\n").ends_with("+0000\r\n"));
}

TEST(Placement, J5_an_mbox_line_is_kept_under_the_name_of_a_field) {
    const std::string content =
        "From a@example.org Thu Jan  1 00:00:00 1970\r\nSubject: x\r\n\r\nbody\r\n";
    EXPECT_TRUE(prefix_of(content).ends_with("+0000\r\nX-Mailbox-Line: "));
    EXPECT_TRUE(prefix_of(">" + content).ends_with("X-Mailbox-Line: "));
    // To every reader the whole is a message with its header.
    const std::string whole = prefix_of(content) + content;
    const mail::ParsedMessage parsed = mail::parse_message(whole);
    EXPECT_EQ(parsed.index.value(parsed.header, "Subject"), "x");
    EXPECT_EQ(whole.substr(parsed.header_size), "body\r\n");
}

TEST(Placement, J5_content_without_a_header_gets_the_blank_line_before_it) {
    const std::string whole =
        prefix_of("just text\r\nReceived: no\r\n") + "just text\r\nReceived: no\r\n";
    const mail::ParsedMessage parsed = mail::parse_message(whole);
    EXPECT_FALSE(parsed.index.separator_missing);
    EXPECT_EQ(whole.substr(parsed.header_size), "just text\r\nReceived: no\r\n");
}

TEST(Placement, K8_held_mail_waits_for_colleagues_too) {
    const store::RemoteTarget far{{.local = "far", .domain = "example.com"}};
    store::LocalTarget alice;
    alice.account = AccountId(1);
    alice.account_name = "alice@example.test";
    Arrival arrival = arrival_of("\r\n", {alice, far});
    arrival.parameters.hold_for = 60;
    const Placement placement = placed(arrival);
    EXPECT_EQ(placement.local_count, 0U);
    EXPECT_EQ(placement.remote_count, 2U);
    const auto& add = std::get<store::AddToQueue>(placement.plan.steps.at(0));
    ASSERT_EQ(add.deliveries.size(), 2U);
    EXPECT_EQ(add.deliveries[0].site, store::local_site);
    EXPECT_EQ(add.deliveries[0].recipients.at(0).address, "alice@example.test");
    EXPECT_EQ(add.deliveries[0].due, from_unix_seconds(1060));
    EXPECT_EQ(add.deliveries[1].due, from_unix_seconds(1060));
    EXPECT_EQ(add.message.release_at, from_unix_seconds(1060));
}

TEST(Placement, D8_what_was_declared_but_is_ascii_can_go_anywhere) {
    const store::RemoteTarget far{{.local = "far", .domain = "example.com"}};
    const auto needs = [&](std::string_view content) {
        Arrival arrival = arrival_of(content, {far});
        arrival.parameters.smtputf8 = true;
        return std::get<store::AddToQueue>(placed(arrival).plan.steps.at(0)).message.needs_smtputf8;
    };
    EXPECT_FALSE(needs("Subject: x\r\n\r\nhello\r\n"));
    EXPECT_TRUE(needs("Subject: x\r\n\r\nGr\xC3\xBC\r\n"));
    EXPECT_TRUE(needs("Subject: Gr\xC3\xBC\r\n\r\nhello\r\n"));
}

TEST(Placement, Rfc3461_5_2_7_SUCCESS_does_not_pass_an_alias_for_several) {
    const store::RemoteTarget far{{.local = "far", .domain = "example.com"}};
    Arrival one = arrival_of("\r\n", {far});
    one.recipients[0].envelope.parameters.notify = {
        .is_stated = true, .success = true, .failure = true};
    EXPECT_EQ(queued(placed(one)).recipients.at(0).notify,
              static_cast<int>(store::Notify::Success) | static_cast<int>(store::Notify::Failure));
    store::LocalTarget alice;
    alice.account = AccountId(1);
    Arrival two = arrival_of("\r\n", {alice, far});
    two.recipients[0].envelope.parameters.notify = {
        .is_stated = true, .success = true, .failure = true};
    EXPECT_EQ(queued(placed(two)).recipients.at(0).notify,
              static_cast<int>(store::Notify::Failure));
    // Only SUCCESS was asked for: nothing else may be told.
    two.recipients[0].envelope.parameters.notify.failure = false;
    EXPECT_EQ(queued(placed(two)).recipients.at(0).notify, static_cast<int>(store::Notify::Never));
}

}  // namespace
}  // namespace godwit::flow
