#include "flow/outbound/reply_rules.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/ascii.h"

namespace godwit::flow {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using Kind = ReplyRule::Kind;

// Words in lower case. Those of one provider first, those that many use after them.
constexpr auto kRules = std::to_array<ReplyRule>({
    {" 4.7.28", Kind::Rate, minutes(30), "rate limit (Google)"},
    {"[tss04]", Kind::Rate, hours(2), "rate limit (Yahoo TSS04)"},
    {"[tss", Kind::Rate, hours(1), "rate limit (Yahoo)"},
    {"[ts01]", Kind::Rate, hours(1), "rate limit (Yahoo TS01)"},
    {"[ts02]", Kind::Rate, hours(1), "rate limit (Yahoo TS02)"},
    {"[ts03]", Kind::Block, hours(4), "blocked (Yahoo TS03)"},
    {" rp-001", Kind::Rate, minutes(30), "rate limit (Microsoft RP-001)"},
    {" rp-002", Kind::Rate, minutes(30), "rate limit (Microsoft RP-002)"},
    {" rp-003", Kind::Rate, minutes(30), "rate limit (Microsoft RP-003)"},
    {" 4.7.500", Kind::Rate, minutes(30), "rate limit (Microsoft)"},
    {" 4.7.650", Kind::Rate, minutes(30), "rate limit (Microsoft)"},
    {"(s3150)", Kind::Block, hours(2), "blocked (Microsoft S3150)"},
    {"(s3140)", Kind::Block, hours(2), "blocked (Microsoft S3140)"},
    {" ou-001", Kind::Block, hours(2), "blocked (Microsoft OU-001)"},
    {" ou-002", Kind::Block, hours(2), "blocked (Microsoft OU-002)"},
    {"rly:b1", Kind::Block, hours(2), "blocked (AOL RLY:B1)"},
    {"rl000001", Kind::Rate, minutes(30), "rate limit (Comcast)"},
    {"bl000000", Kind::Block, hours(2), "blocked (Comcast)"},
    {"ofr004_104", Kind::Crowded, minutes(0), "too many connections (Orange)"},
    {"too many connections", Kind::Crowded, minutes(0), "too many connections"},
    {"too many concurrent", Kind::Crowded, minutes(0), "too many connections"},
    {"too many simultaneous", Kind::Crowded, minutes(0), "too many connections"},
    {"spamhaus.org", Kind::Block, hours(1), "on a blocklist (Spamhaus)"},
    {"barracudacentral.org", Kind::Block, hours(1), "on a blocklist (Barracuda)"},
    {"spamcop.net", Kind::Block, hours(1), "on a blocklist (SpamCop)"},
    {"uceprotect", Kind::Block, hours(1), "on a blocklist (UCEPROTECT)"},
    {"sorbs.net", Kind::Block, hours(1), "on a blocklist (SORBS)"},
    {"blocked using", Kind::Block, hours(1), "on a blocklist"},
    {"ip address is blacklisted", Kind::Block, hours(1), "on a blocklist"},
    {"your ip has been blocked", Kind::Block, hours(1), "blocked"},
});

}  // namespace

std::span<const ReplyRule> reply_rules() {
    return kRules;
}

const ReplyRule* find_rule(const smtp::Reply& reply) {
    const std::string text = to_lower(smtp::to_string(reply));
    const auto found = std::ranges::find_if(kRules, [&text](const ReplyRule& rule) {
        return text.find(rule.words) != std::string::npos;
    });
    return found == kRules.end() ? nullptr : &*found;
}

}  // namespace godwit::flow
