#include "flow/inbound/valid_since.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

const mail::Address kAnn{.local = "ann", .domain = "example.test"};

store::Recipient owned(std::vector<std::int64_t> since) {
    store::Recipient recipient;
    recipient.owned_since = std::move(since);
    return recipient;
}

std::optional<smtp::EnhancedStatus> status(const store::Recipient& resolved,
                                           const mail::Address& address, std::int64_t since) {
    const auto refusal = refuse_changed_hands(resolved, address, since);
    return refusal ? refusal->enhanced : std::nullopt;
}

TEST(ValidSince, Rfc7293_the_owner_must_be_the_same_since_then) {
    EXPECT_EQ(status(owned({1000}), kAnn, 1001), std::nullopt);
    EXPECT_EQ(status(owned({1000}), kAnn, 1000), std::nullopt);
    EXPECT_EQ(status(owned({1000}), kAnn, 999), (smtp::EnhancedStatus{5, 7, 17}));
    // Behind an alias: of all of them.
    EXPECT_EQ(status(owned({1000, 2000}), kAnn, 1500), (smtp::EnhancedStatus{5, 7, 17}));
    EXPECT_EQ(status(owned({0}), kAnn, 1500), (smtp::EnhancedStatus{5, 7, 19}));
}

TEST(ValidSince, Rfc7293_roles_and_what_goes_on_elsewhere_are_not_judged) {
    EXPECT_EQ(status(owned({1000}), {.local = "Postmaster", .domain = "example.test"}, 1),
              std::nullopt);
    store::Recipient elsewhere;
    elsewhere.targets.emplace_back(store::RemoteTarget{});
    EXPECT_EQ(status(elsewhere, kAnn, 1), std::nullopt);
}

std::optional<std::int64_t> said(const std::string& fields) {
    return valid_since_in(mail::parse_message(fields + "\r\nText\r\n"), kAnn);
}

TEST(ValidSince, Rfc7293_the_header_speaks_of_each_address) {
    const std::string name = "Require-Recipient-Valid-Since: ";
    EXPECT_EQ(said("Subject: x\r\n"), std::nullopt);
    EXPECT_EQ(said(name + "ANN@Example.test; Thu, 01 Jan 1970 00:20:00 +0000\r\n"), 1200);
    EXPECT_EQ(said(name + "\r\n ann@example.test;\r\n Thu, 1 Jan 1970 01:20:00 +0100\r\n"), 1200);
    EXPECT_EQ(said(name + "bob@example.test; Thu, 01 Jan 1970 00:20:00 +0000\r\n"), std::nullopt);
    // Of several the strictest.
    EXPECT_EQ(said(name + "ann@example.test; Thu, 01 Jan 1970 00:20:00 +0000\r\n" + name +
                   "ann@example.test; Thu, 01 Jan 1970 00:10:00 +0000\r\n"),
              600);
    for (const char* bad : {"ann@example.test", "ann@example.test; yesterday", "; ;", "",
                            "Thu, 01 Jan 1970 00:20:00 +0000"}) {
        EXPECT_EQ(said(name + bad + "\r\n"), std::nullopt) << bad;
    }
}

TEST(ValidSince, Rfc7293_fields_are_read_up_to_a_limit) {
    std::string fields;
    for (std::size_t i = 1; i < valid_since_fields_max; ++i) {
        fields += "Require-Recipient-Valid-Since: bob@example.test; 1 Jan 1970 00:20:00 +0000\r\n";
    }
    const std::string own =
        "Require-Recipient-Valid-Since: ann@example.test; 1 Jan 1970 00:20:00 +0000\r\n";
    EXPECT_EQ(said(fields + own), 1200);
    EXPECT_EQ(said(fields + "Require-Recipient-Valid-Since: x\r\n" + own), std::nullopt);
}

}  // namespace
}  // namespace godwit::flow
