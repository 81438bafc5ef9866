#include "flow/inbound/receipt.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

store::LocalTarget local(std::uint32_t account) {
    store::LocalTarget target;
    target.account = AccountId(account);
    return target;
}

ArrivalRecipient recipient(std::vector<store::Target> targets) {
    ArrivalRecipient made;
    made.envelope.address = {.local = "list", .domain = "example.test"};
    made.envelope.parameters.notify = {.is_stated = true, .success = true};
    made.resolved.verdict = store::RecipientVerdict::Local;
    made.resolved.targets = std::move(targets);
    return made;
}

const store::RemoteTarget kRemote{{.local = "far", .domain = "example.com"}};

TEST(Receipt, Rfc3461_5_2_3_delivered_here_is_told_to_who_asked) {
    Arrival arrival;
    arrival.recipients = {recipient({local(1)})};
    arrival.recipients[0].envelope.parameters.orcpt = {.type = "rfc822",
                                                       .address = "List@example.org"};
    const auto told = receipts(arrival, {false});
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].action, mail::DsnAction::Delivered);
    EXPECT_EQ(told[0].final_recipient.to_string(), "list@example.test");
    EXPECT_EQ(told[0].original_recipient, "rfc822;List@example.org");
    EXPECT_TRUE(receipts(arrival, {true}).empty());
}

TEST(Receipt, Rfc3461_5_2_3_nothing_without_SUCCESS) {
    Arrival arrival;
    arrival.recipients = {recipient({local(1)}), recipient({local(1)})};
    arrival.recipients[0].envelope.parameters.notify = {};
    arrival.recipients[1].envelope.parameters.notify = {.is_stated = true, .failure = true};
    EXPECT_TRUE(receipts(arrival, {false, false}).empty());
}

TEST(Receipt, Rfc3461_5_2_7_an_alias_for_one_passes_it_on_one_for_several_is_expanded) {
    Arrival arrival;
    arrival.recipients = {recipient({kRemote}), recipient({local(1), kRemote})};
    const auto told = receipts(arrival, {false, false});
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].action, mail::DsnAction::Expanded);
}

}  // namespace
}  // namespace godwit::flow
