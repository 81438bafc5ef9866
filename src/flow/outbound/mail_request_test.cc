#include "flow/outbound/mail_request.h"

#include <gtest/gtest.h>

#include "flow/outbound/in_hand.h"

namespace godwit::flow {
namespace {

constexpr WallTime kNow = from_unix_seconds(1000);

Settings settings_here() {
    Settings settings;
    settings.default_domain = "example.test";
    settings.relay_domains = {{.domain = "a.example", .accounts = {"ann"}, .queue = "branch"},
                              {.domain = "*.a.example", .accounts = {"ann"}},
                              {.domain = "b.example", .accounts = {"bob"}, .queue = "branch"}};
    return settings;
}

MailAsker ann() {
    return {.peer = *net::Endpoint::parse("192.0.2.1:25"), .account = "ann@example.test"};
}

TEST(MailRequest, Rfc1985_5_3_what_is_meant) {
    const Settings settings = settings_here();
    const auto is = [&](const RequestedSites& sites, std::string_view site) {
        return is_requested(settings, sites, ann(), site);
    };
    EXPECT_TRUE(is({.domain = "a.example"}, "A.example"));
    EXPECT_FALSE(is({.domain = "a.example"}, "x.a.example"));
    EXPECT_TRUE(is({.domain = "a.example", .has_subdomains = true}, "a.example"));
    EXPECT_TRUE(is({.domain = "a.example", .has_subdomains = true}, "x.y.a.example"));
    EXPECT_FALSE(is({.domain = "a.example", .has_subdomains = true}, "xa.example"));
    EXPECT_TRUE(is({.queue = "Branch"}, "a.example"));
    EXPECT_FALSE(is({.queue = "branch"}, "x.a.example"));
    EXPECT_TRUE(is({.is_all_of_asker = true}, "x.a.example"));
    // Bob's, whatever is said.
    EXPECT_FALSE(is({.domain = "b.example"}, "b.example"));
    EXPECT_FALSE(is({.queue = "branch"}, "b.example"));
    EXPECT_FALSE(is({.is_all_of_asker = true}, "b.example"));
    // Nobody's.
    EXPECT_FALSE(is({.domain = "example"}, "example"));
}

TEST(MailRequest, What_waits_for_another_time_or_an_operator_is_not_meant) {
    const Settings settings = settings_here();
    const MailRequest request{.sites = {{.domain = "a.example"}}, .asker = ann()};
    store::QueueMessage message;
    store::QueueDelivery delivery;
    delivery.site = "a.example";
    const auto covers = [&] { return request.covers(settings, message, delivery, kNow); };
    EXPECT_TRUE(covers());
    delivery.is_held = true;
    delivery.held_reason = "by operator";
    EXPECT_FALSE(covers());
    delivery.held_reason = held_for_request;
    EXPECT_TRUE(covers());
    delivery.crashes = quarantine_crashes - 1;
    EXPECT_TRUE(covers());
    delivery.crashes = quarantine_crashes;
    EXPECT_FALSE(covers());
    delivery.crashes = 0;
    message.release_at = kNow + std::chrono::seconds(1);
    EXPECT_FALSE(covers());
    message.release_at = kNow;
    EXPECT_TRUE(covers());
}

TEST(MailRequest, Requests_have_a_budget) {
    RequestGuard guard;
    const MonoTime now{};
    for (std::uint32_t i = 0; i < mail_requests_per_minute_max; ++i) {
        EXPECT_TRUE(guard.begin("ann", now)) << i;
    }
    EXPECT_FALSE(guard.begin("ann", now));
    EXPECT_TRUE(guard.begin("bob", now));
    EXPECT_TRUE(guard.begin("ann", now + std::chrono::minutes(1)));
    // At one time, of all.
    std::vector<RequestGuard::Permit> at_work;
    for (std::uint32_t i = 0; i < mail_requests_at_once_max; ++i) {
        at_work.push_back(guard.begin(std::to_string(i), now));
        EXPECT_TRUE(at_work.back());
    }
    EXPECT_FALSE(guard.begin("another", now));
    at_work.pop_back();
    EXPECT_TRUE(guard.begin("another", now));
}

TEST(RequestGuard, Turns_are_bounded_for_an_account_and_in_all) {
    RequestGuard guard;
    std::vector<RequestGuard::Permit> turns;
    for (std::uint32_t i = 0; i < turns_per_account_max; ++i) {
        turns.push_back(guard.begin_turn("ann"));
        EXPECT_TRUE(turns.back());
    }
    EXPECT_FALSE(guard.begin_turn("ann"));
    while (turns.size() < turns_at_once_max) {
        turns.push_back(guard.begin_turn("user" + std::to_string(turns.size())));
        EXPECT_TRUE(turns.back());
    }
    EXPECT_FALSE(guard.begin_turn("another"));
    // They hold no requests up.
    EXPECT_TRUE(guard.begin("another", MonoTime{}));
    turns.erase(turns.begin());
    EXPECT_TRUE(guard.begin_turn("ann"));
    turns.clear();
    EXPECT_TRUE(guard.begin_turn("another"));
}

}  // namespace
}  // namespace godwit::flow
