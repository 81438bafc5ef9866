// MTA-STS: record, policy, hosts, rows. RFC 8461 3.1, 3.2, 4.1.
#include "flow/outbound/sts.h"

#include <gtest/gtest.h>

#include "flow/outbound/outbound_tls.h"

namespace godwit::flow {
namespace {

constexpr WallTime kNow = WallTime(std::chrono::seconds(1'767'225'600));

TEST(StsRecord, one_that_begins_right_with_an_id) {
    EXPECT_EQ(parse_sts_record({"v=STSv1; id=20160831085700Z;"}), "20160831085700Z");
    EXPECT_EQ(parse_sts_record({"v=spf1 -all", "v=STSv1;id=1"}), "1");
    EXPECT_EQ(parse_sts_record({"v=STSv1; x=y ; id=a ; more=1"}), "a");
    EXPECT_EQ(parse_sts_record({}), std::nullopt);
    EXPECT_EQ(parse_sts_record({"v=STSv1"}), std::nullopt);
    EXPECT_EQ(parse_sts_record({"v=STSv1;"}), std::nullopt);
    EXPECT_EQ(parse_sts_record({"v=STSv2; id=1"}), std::nullopt);
    EXPECT_EQ(parse_sts_record({"v=STSv1; id=1", "v=STSv1; id=1"}), std::nullopt);
    EXPECT_EQ(parse_sts_record({"v=STSv1; id=a-b"}), std::nullopt);
    EXPECT_EQ(parse_sts_record({"v=STSv1; id=1; id=2"}), std::nullopt);
    EXPECT_TRUE(parse_sts_record({"v=STSv1; id=" + std::string(sts_id_size_max, 'a')}));
    EXPECT_FALSE(parse_sts_record({"v=STSv1; id=" + std::string(sts_id_size_max + 1, 'a')}));
}

TEST(StsPolicy, as_in_the_rfc) {
    const auto policy = parse_sts_policy(
        "version: STSv1\r\nmode: enforce\r\nmx: Mail.Example.com\r\nmx: *.example.net\r\n"
        "mx: backupmx.example.com\r\nmax_age: 604800\r\n");
    ASSERT_TRUE(policy) << policy.error().text;
    EXPECT_EQ(policy->mode, StsMode::Enforce);
    EXPECT_EQ(policy->max_age_seconds, 604800U);
    EXPECT_EQ(policy->hosts, (std::vector<std::string>{"mail.example.com", "*.example.net",
                                                       "backupmx.example.com"}));
    // LF alone, blanks, what is not known, no end of line, the first of two.
    const auto loose = parse_sts_policy(
        "version:STSv1\nmode :testing \n\nfuture: thing\nmax_age: 1\nmax_age: 2\nmode: none\n"
        "mx: a.test");
    ASSERT_TRUE(loose) << loose.error().text;
    EXPECT_EQ(loose->mode, StsMode::Testing);
    EXPECT_EQ(loose->max_age_seconds, 1U);
    EXPECT_TRUE(parse_sts_policy("version: STSv1\nmode: none\nmax_age: 86400\n"));
}

TEST(StsPolicy, what_is_none) {
    for (const char* text : {
             "",
             "version: STSv1\n",
             "mode: enforce\nmx: a.test\nmax_age: 1\n",
             "version: STSv2\nmode: enforce\nmx: a.test\nmax_age: 1\n",
             "version: STSv1\nmode: loud\nmx: a.test\nmax_age: 1\n",
             "version: STSv1\nmode: enforce\nmax_age: 1\n",
             "version: STSv1\nmode: enforce\nmx: a.test\n",
             "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: -1\n",
             "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 11111111111\n",
             "version: STSv1\nmode: enforce\nmx: a..test\nmax_age: 1\n",
             "version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n",
             "<html>no policy</html>\n",
         }) {
        EXPECT_FALSE(parse_sts_policy(text)) << text;
    }
}

TEST(StsPolicy, bounds) {
    const std::string head = "version: STSv1\nmode: enforce\n";
    for (const std::size_t hosts :
         {sts_policy_hosts_max - 1, sts_policy_hosts_max, sts_policy_hosts_max + 1}) {
        std::string text = head + "max_age: 1\n";
        for (std::size_t i = 0; i < hosts; ++i) {
            text += "mx: a.test\n";
        }
        EXPECT_EQ(parse_sts_policy(text).has_value(), hosts <= sts_policy_hosts_max) << hosts;
    }
    for (const std::uint64_t age : {sts_max_age_max - 1, sts_max_age_max, sts_max_age_max + 1}) {
        const auto policy =
            parse_sts_policy(head + "mx: a.test\nmax_age: " + std::to_string(age) + "\n");
        ASSERT_TRUE(policy);
        EXPECT_EQ(policy->max_age_seconds, std::min<std::uint64_t>(age, sts_max_age_max));
    }
    std::string text = head + "mx: a.test\nmax_age: 1\n";
    text += "x: " + std::string(sts_policy_size_max - text.size() - 3, 'y');
    EXPECT_TRUE(parse_sts_policy(text));
    EXPECT_FALSE(parse_sts_policy(text + "y"));
}

TEST(StsPolicy, a_star_is_one_label) {
    StsPolicy policy;
    policy.hosts = {"mail.example.com", "*.example.net"};
    EXPECT_TRUE(lists_host(policy, "Mail.Example.com."));
    EXPECT_TRUE(lists_host(policy, "a.example.net"));
    EXPECT_FALSE(lists_host(policy, "a.b.example.net"));
    EXPECT_FALSE(lists_host(policy, "example.net"));
    EXPECT_FALSE(lists_host(policy, "mail.example.org"));
    EXPECT_FALSE(lists_host(policy, "localhost"));
}

StsRow sample() {
    StsRow row;
    row.id = "20260101";
    row.fetched_at = kNow;
    row.used_at = kNow;
    row.policy = {StsMode::Enforce, {"mx.a.test", "*.b.test"}, 604'800};
    return row;
}

TEST(StsRow, comes_back_as_it_was_and_damage_is_an_error) {
    const std::string stored = encode(sample());
    const auto row = decode_sts_row(stored);
    ASSERT_TRUE(row) << row.error().text;
    EXPECT_EQ(*row, sample());
    for (std::size_t size = 0; size < stored.size(); ++size) {
        EXPECT_FALSE(decode_sts_row(std::string_view(stored).substr(0, size))) << size;
    }
}

TEST(StsRow, a_time_beyond_the_year_9999_is_damage) {
    StsRow row = sample();
    for (const auto& [seconds, is_time] : {std::pair(std::int64_t{0}, true),
                                           {253'402'300'798, true},
                                           {253'402'300'799, true},
                                           {253'402'300'800, false},
                                           {-1, false}}) {
        row.used_at = from_unix_seconds(seconds);
        EXPECT_EQ(decode_sts_row(encode(row)).has_value(), is_time) << seconds;
    }
}

TEST(StsRow, ends_with_max_age_and_is_renewed_before) {
    StsRow row = sample();
    EXPECT_TRUE(row.is_valid(kNow));
    EXPECT_FALSE(row.is_due(kNow + sts_refresh_after - std::chrono::seconds(1)));
    EXPECT_TRUE(row.is_due(kNow + sts_refresh_after));
    EXPECT_TRUE(row.is_valid(kNow + std::chrono::seconds(604'799)));
    EXPECT_FALSE(row.is_valid(kNow + std::chrono::seconds(604'800)));
    // A clock that was far ahead when it was fetched.
    EXPECT_FALSE(row.is_valid(kNow - std::chrono::days(2)));
    row.policy.max_age_seconds = 3600;
    EXPECT_TRUE(row.is_due(kNow + std::chrono::minutes(30)));
}

TEST(OutboundTls, one_fetch_at_a_time_and_a_pause_after_failure) {
    OutboundTls tls;
    EXPECT_TRUE(tls.begin_fetch("a.test", kNow));
    EXPECT_TRUE(tls.is_fetching("a.test"));
    EXPECT_FALSE(tls.begin_fetch("a.test", kNow));
    EXPECT_TRUE(tls.begin_fetch("b.test", kNow));
    tls.end_fetch("a.test", kNow + sts_fetch_pause);
    EXPECT_FALSE(tls.begin_fetch("a.test", kNow + sts_fetch_pause - std::chrono::seconds(1)));
    EXPECT_TRUE(tls.begin_fetch("a.test", kNow + sts_fetch_pause));
    tls.end_fetch("a.test", std::nullopt);
    EXPECT_TRUE(tls.begin_fetch("a.test", kNow));
}

}  // namespace
}  // namespace godwit::flow
