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
