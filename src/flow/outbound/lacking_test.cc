#include "flow/outbound/lacking.h"

#include <gtest/gtest.h>

#include <vector>

namespace godwit::flow {
namespace {

smtp::Outcome without_smtputf8() {
    smtp::Outcome outcome;
    outcome.kind = smtp::OutcomeKind::Permanent;
    outcome.scope = smtp::FaultScope::Host;
    outcome.stage = smtp::Stage::Mail;
    outcome.reply = smtp::make_reply(553, {5, 6, 7}, "The next host does not take SMTPUTF8");
    outcome.is_local = true;
    return outcome;
}

TEST(Lacking, D8_is_what_we_refuse_a_host_for_good) {
    EXPECT_TRUE(is_lacking(without_smtputf8()));
    smtp::Outcome outcome = without_smtputf8();
    outcome.is_local = false;
    EXPECT_FALSE(is_lacking(outcome)) << "the peer's own word";
    outcome = without_smtputf8();
    outcome.scope = smtp::FaultScope::Message;
    EXPECT_FALSE(is_lacking(outcome)) << "no host takes it";
    outcome = without_smtputf8();
    outcome.kind = smtp::OutcomeKind::Temporary;
    EXPECT_FALSE(is_lacking(outcome));
    outcome = without_smtputf8();
    outcome.reply = smtp::make_reply(550, {5, 4, 6}, "mail loops back");
    EXPECT_FALSE(is_lacking(outcome)) << "C10";
}

TEST(Lacking, C5_for_now_says_why_and_is_temporary) {
    const smtp::Outcome outcome = for_now(without_smtputf8());
    EXPECT_EQ(outcome.kind, smtp::OutcomeKind::Temporary);
    EXPECT_EQ(outcome.reply.code, 451);
    EXPECT_EQ(outcome.reply.enhanced, (smtp::EnhancedStatus{4, 6, 7}));
    EXPECT_EQ(outcome.reply.text, "The next host does not take SMTPUTF8");
    EXPECT_EQ(outcome.scope, smtp::FaultScope::Host);
    EXPECT_TRUE(outcome.is_local);
}

TEST(Lacking, D8_Rfc7504_hope_is_for_what_hosts_say_of_themselves) {
    smtp::Outcome never = without_smtputf8();
    never.is_local = false;
    never.stage = smtp::Stage::Greeting;
    never.reply = smtp::make_reply(521, {5, 3, 2}, "no mail here");
    smtp::Outcome unknown = without_smtputf8();
    unknown.is_local = false;
    unknown.scope = smtp::FaultScope::Recipient;
    unknown.reply = smtp::make_reply(550, {5, 1, 1}, "no such user");
    smtp::Outcome done;
    done.kind = smtp::OutcomeKind::Delivered;
    done.scope = smtp::FaultScope::None;
    done.reply = smtp::make_reply(250, {2, 0, 0}, "taken");
    std::vector<AttemptResult> results;
    for (smtp::Outcome outcome : {without_smtputf8(), never, unknown, done}) {
        results.push_back(
            {.recipient = results.size(), .outcome = std::move(outcome), .remote = ""});
    }
    keep_hope(&results);
    EXPECT_EQ(results[0].outcome.kind, smtp::OutcomeKind::Temporary);
    EXPECT_EQ(results[1].outcome.kind, smtp::OutcomeKind::Temporary);
    EXPECT_EQ(results[1].outcome.reply.code, 521) << "its own words stay";
    EXPECT_EQ(results[2].outcome.kind, smtp::OutcomeKind::Permanent);
    EXPECT_EQ(results[3].outcome.kind, smtp::OutcomeKind::Delivered);
}

TEST(Lacking, B7_what_a_connection_had_no_room_for_goes_on) {
    smtp::Outcome lost = without_smtputf8();
    lost.kind = smtp::OutcomeKind::Temporary;
    lost.reply = smtp::make_reply(451, {4, 4, 2}, "connection lost");
    EXPECT_TRUE(goes_on_elsewhere(lost));
    smtp::Outcome many;
    many.scope = smtp::FaultScope::Recipient;
    many.reply = smtp::make_reply(452, {4, 5, 3}, "too many");
    EXPECT_FALSE(goes_on_elsewhere(many)) << "said of the recipient";
    many.is_for_number = true;
    EXPECT_TRUE(goes_on_elsewhere(many));
    EXPECT_FALSE(goes_on_elsewhere(without_smtputf8()));
}

}  // namespace
}  // namespace godwit::flow
