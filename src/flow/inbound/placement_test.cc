#include "flow/inbound/placement.h"

#include <gtest/gtest.h>

#include "flow/inbound/receipt.h"

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
    std::uint64_t next = 100;
    return place(settings, arrival, from_unix_seconds(1000),
                 std::vector<bool>(arrival.recipients.size(), false),
                 [&next] { return MailId(next++); });
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

TEST(Placement, Relay_domains_have_a_lifetime_of_their_own_and_may_keep_their_mail) {
    Settings settings;
    settings.relay_domains = {{.domain = "kept.example", .hold = true},
                              {.domain = "long.example", .lifetime = std::chrono::days(30)}};
    std::vector<store::Target> targets;
    for (const char* domain : {"example.com", "example.net", "kept.example", "long.example"}) {
        targets.emplace_back(store::RemoteTarget{{.local = "far", .domain = domain}});
    }
    const Arrival arrival = arrival_of("Subject: x\r\n\r\nbody\r\n", std::move(targets));
    std::uint64_t next = 100;
    const WallTime now = from_unix_seconds(1000);
    const Placement placement =
        place(settings, arrival, now, {false}, [&next] { return MailId(next++); });
    std::map<std::string, std::string> found;
    for (const store::PlanStep& step : placement.plan.steps) {
        if (const auto* add = std::get_if<store::AddToQueue>(&step)) {
            for (const store::QueueDelivery& delivery : add->deliveries) {
                const auto days =
                    std::chrono::duration_cast<std::chrono::days>(add->message.expires_at - now);
                found[delivery.site] = std::to_string(add->message.mail.value()) + " " +
                                       std::to_string(days.count()) + " " + delivery.held_reason;
            }
        }
    }
    EXPECT_EQ(found["example.com"], "7 5 ");
    EXPECT_EQ(found["example.net"], "7 5 ");
    EXPECT_EQ(found["kept.example"], "100 14 until it is asked for");
    EXPECT_EQ(found["long.example"], "101 30 ");
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
    const store::RemoteTarget far{.address = {.local = "far", .domain = "example.com"}};
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

const mail::Address kFar{.local = "x", .domain = "far.test"};
const mail::Address kAlice{.local = "alice", .domain = "example.test"};

std::vector<store::AddToQueue> all_queued(const Placement& placement) {
    std::vector<store::AddToQueue> found;
    for (const store::PlanStep& step : placement.plan.steps) {
        if (const auto* add = std::get_if<store::AddToQueue>(&step)) {
            found.push_back(*add);
        }
    }
    return found;
}

TEST(Placement, G2_what_is_forwarded_leaves_as_a_message_of_its_own) {
    const mail::Address carol{.local = "carol", .domain = "example.test"};
    Arrival arrival = arrival_of(
        "\r\n",
        {store::RemoteTarget{.address = kFar},
         store::RemoteTarget{.address = {.local = "y", .domain = "far.test"}, .is_forwarded = true},
         store::RemoteTarget{.address = {.local = "z", .domain = "far.test"},
                             .is_forwarded = true,
                             .forwarder = kAlice},
         store::RemoteTarget{.address = {.local = "u", .domain = "far.test"},
                             .is_forwarded = true,
                             .forwarder = carol,
                             .has_kept_copy = true}});
    arrival.forwarding_sender = mail::Address{.local = "SRS0=x", .domain = "example.test"};
    const auto queued = all_queued(placed(arrival));
    ASSERT_EQ(queued.size(), 4U);
    EXPECT_EQ(queued[0].message.mail, arrival.mail);
    EXPECT_EQ(queued[1].message.mail, MailId(100));
    for (const store::AddToQueue& each : queued) {
        const std::string to = each.deliveries.at(0).recipients.at(0).address;
        const bool is_direct = to == "x@far.test";
        EXPECT_EQ(each.message.sender, is_direct ? "sender@example.org" : "SRS0=x@example.test");
        EXPECT_EQ(each.message.prefix.starts_with("Delivered-To: alice@example.test\r\nReceived"),
                  to == "z@far.test");
        EXPECT_EQ(each.message.prefix.starts_with("Delivered-To: carol@example.test\r\nReceived"),
                  to == "u@far.test");
        // G5: of forwarded mail at most a failure is told, and nothing where a copy was kept.
        const int notify = each.deliveries.at(0).recipients.at(0).notify;
        EXPECT_EQ(notify, to == "z@far.test"   ? static_cast<int>(store::Notify::Failure)
                          : to == "u@far.test" ? static_cast<int>(store::Notify::Never)
                                               : 0)
            << to;
    }
}

TEST(Placement, G4_what_has_no_reverse_path_gets_none_on_the_way) {
    Arrival arrival = arrival_of(
        "\r\n", {store::RemoteTarget{.address = kFar, .is_forwarded = true, .owner = kAlice}});
    arrival.sender.reset();
    EXPECT_EQ(all_queued(placed(arrival)).at(0).message.sender, "");
}

TEST(Placement, Rfc3461_5_2_7_1_what_was_asked_for_ends_at_a_list) {
    Arrival arrival = arrival_of(
        "\r\n", {store::RemoteTarget{.address = kFar, .is_forwarded = true, .owner = kAlice}});
    arrival.parameters.envid = "abc";
    arrival.parameters.ret = smtp::DsnReturn::Headers;
    arrival.recipients[0].envelope.parameters.notify = {.is_stated = true, .success = true};
    const store::AddToQueue list = all_queued(placed(arrival)).at(0);
    EXPECT_EQ(list.message.sender, "alice@example.test");
    EXPECT_EQ(list.message.envelope_id, "");
    EXPECT_FALSE(list.message.return_headers_only);
    EXPECT_EQ(list.deliveries.at(0).recipients.at(0).notify, 0);
    EXPECT_EQ(list.deliveries.at(0).recipients.at(0).original, "");
    EXPECT_TRUE(is_expanded(arrival.recipients[0]));
}

TEST(Placement, An_archive_does_not_show) {
    store::LocalTarget alice;
    alice.account = AccountId(1);
    Arrival arrival = arrival_of("\r\n", {alice});
    const std::string alone =
        std::get<store::AppendMessage>(placed(arrival).plan.steps.at(0)).record.prefix;
    ArrivalRecipient archive;
    archive.envelope.parameters.notify.is_stated = true;
    archive.resolved.targets = {
        store::RemoteTarget{.address = kFar, .is_forwarded = true, .forwarder = kFar}};
    archive.is_archive = true;
    arrival.recipients.push_back(archive);
    const Placement both = placed(arrival);
    EXPECT_EQ(std::get<store::AppendMessage>(both.plan.steps.at(0)).record.prefix, alone);
    EXPECT_NE(alone.find("for <alice@example.test>"), std::string::npos);
    const store::AddToQueue copy = all_queued(both).at(0);
    EXPECT_EQ(copy.deliveries.at(0).recipients.at(0).notify,
              static_cast<int>(store::Notify::Never));
    EXPECT_TRUE(copy.message.prefix.starts_with("Delivered-To: x@far.test\r\n"));
}

}  // namespace
}  // namespace godwit::flow
