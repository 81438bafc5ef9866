// Providers' words for "less, please", and what an attempt means for its outlet.
#include "flow/outbound/reply_rules.h"

#include <gtest/gtest.h>

#include "flow/outbound/send_group.h"

namespace godwit::flow {
namespace {

smtp::Reply reply(std::uint16_t code, std::string text) {
    smtp::Reply made;
    made.code = code;
    made.text = std::move(text);
    return made;
}

std::string reason_of(std::uint16_t code, std::string text) {
    const ReplyRule* rule = find_rule(reply(code, std::move(text)));
    return rule == nullptr ? "" : std::string(rule->reason);
}

TEST(ReplyRules, H3_H4_providers_words) {
    EXPECT_EQ(reason_of(421, "4.7.28 Our system has detected an unusual rate of mail"),
              "rate limit (Google)");
    EXPECT_EQ(reason_of(421, "4.7.0 [TSS04] Messages temporarily deferred"),
              "rate limit (Yahoo TSS04)");
    EXPECT_EQ(reason_of(421, "RP-001 (SNT004-MC1F43) Unfortunately, some messages"),
              "rate limit (Microsoft RP-001)");
    EXPECT_EQ(reason_of(550, "5.7.1 Unfortunately, messages weren't sent. (S3150)"),
              "blocked (Microsoft S3150)");
    EXPECT_EQ(reason_of(554, "RLY:B1 http://postmaster.info.aol.com"), "blocked (AOL RLY:B1)");
    EXPECT_EQ(reason_of(554, "5.7.1 Service unavailable; Client host blocked using zen"),
              "on a blocklist");
    EXPECT_EQ(reason_of(451, "4.7.1 Greylisted, try again later"), "");
    EXPECT_EQ(reason_of(550, "5.1.1 No such user"), "");
    EXPECT_EQ(reason_of(450, "4.1.1 ask corp-001.example.com or vs3150.example.com"), "");
}

TEST(ReplyRules, words_are_in_lower_case_and_pauses_in_bounds) {
    for (const ReplyRule& rule : reply_rules()) {
        for (const char c : rule.words) {
            EXPECT_FALSE(c >= 'A' && c <= 'Z') << rule.words;
        }
        EXPECT_LE(rule.pause, std::chrono::hours(4)) << rule.words;
        EXPECT_EQ(rule.pause.count() == 0, rule.kind == ReplyRule::Kind::Crowded) << rule.words;
    }
}

AttemptResult result(smtp::OutcomeKind kind, smtp::FaultScope scope, smtp::Stage stage,
                     smtp::Reply said) {
    AttemptResult made;
    made.outcome.kind = kind;
    made.outcome.scope = scope;
    made.outcome.stage = stage;
    made.outcome.reply = std::move(said);
    return made;
}

TEST(ReplyRules, E9_M6_only_faults_of_hosts_count_against_an_outlet) {
    using enum smtp::OutcomeKind;
    const auto refused_recipient =
        result(Permanent, smtp::FaultScope::Recipient, smtp::Stage::Rcpt, reply(550, "no"));
    const auto lost = result(Temporary, smtp::FaultScope::Host, smtp::Stage::Mail, reply(421, "x"));
    const auto greeting =
        result(Temporary, smtp::FaultScope::Host, smtp::Stage::Greeting, reply(421, "busy"));
    EXPECT_EQ(report_of({refused_recipient}).sign, OutletSign::Success);
    EXPECT_EQ(report_of({lost}).sign, OutletSign::Failure);
    EXPECT_EQ(report_of({greeting}).sign, OutletSign::Refused);
    EXPECT_EQ(report_of({greeting, refused_recipient}).sign, OutletSign::Success);
    EXPECT_EQ(report_of({}).sign, OutletSign::None);
    const auto listed_link = result(Permanent, smtp::FaultScope::Message, smtp::Stage::DataEnd,
                                    reply(550, "5.7.1 a link in it is listed at spamhaus.org"));
    EXPECT_FALSE(report_of({listed_link}).pause.has_value());
    const auto rate = result(Temporary, smtp::FaultScope::Recipient, smtp::Stage::Rcpt,
                             reply(450, "4.2.1 [TSS04]"));
    EXPECT_EQ(report_of({rate}).pause->time, Duration(std::chrono::hours(2)));
}

}  // namespace
}  // namespace godwit::flow
