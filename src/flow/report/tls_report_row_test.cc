#include "flow/report/tls_report_row.h"

#include <gtest/gtest.h>

#include "store/kv/record.h"

namespace godwit::flow {
namespace {

TlsReportRow full_row() {
    TlsReportRow row;
    row.state = TlsReportState::Sending;
    row.attempts = 3;
    row.first_at = from_unix_seconds(1'700'000'000);
    row.next_at = from_unix_seconds(1'700'003'600);
    row.said = "DNS did not answer";
    row.counts.uncounted = 7;
    mail::TlsPolicyCounts counts;
    counts.policy = {.type = mail::TlsPolicyType::Sts, .lines = {"a", "b"}, .hosts = {"*.x"}};
    counts.succeeded = 300;
    counts.failed = 2;
    counts.details = {{.failure = mail::TlsFailure::StsWebpkiInvalid,
                       .sending_ip = "192.0.2.1",
                       .receiving_host = "mx.example.com",
                       .receiving_helo = "mx",
                       .receiving_ip = "192.0.2.2",
                       .reason = "why",
                       .sessions = 2}};
    row.counts.policies = {counts, {}};
    row.parcels = {{.state = TlsReportParcel::State::GivenUp,
                    .uri = "https://a.example/",
                    .said = "503",
                    .at = from_unix_seconds(1'700'000'001)}};
    return row;
}

TEST(TlsReportRow, comes_back_as_it_was) {
    const auto row = decode_tls_report_row(encode(full_row()));
    ASSERT_TRUE(row) << row.error().text;
    EXPECT_EQ(*row, full_row());
    EXPECT_EQ(*decode_tls_report_row(encode(TlsReportRow())), TlsReportRow());
}

// What is on disk of a released version reads for ever (docs/storage.md).
TEST(TlsReportRow, version_1_is_read) {
    const std::string payload("\x03\x01\xC4\x13\xC8\x13\x00\x00\x00\x00", 10);
    const auto row = decode_tls_report_row(store::seal(1, payload));
    ASSERT_TRUE(row) << row.error().text;
    EXPECT_EQ(row->state, TlsReportState::Sent);
    EXPECT_EQ(row->first_at, from_unix_seconds(1250));
    EXPECT_EQ(row->next_at, from_unix_seconds(1252));
}

TEST(TlsReportRow, values_out_of_bounds_are_damage) {
    for (const std::string_view payload :
         {std::string_view("\x05\x01\x00\x00\x00\x00\x00\x00", 8),  // State.
          std::string_view("\x00\x01\x01\x00\x00\x00\x00\x00", 8),  // A time before 1970.
          std::string_view("\x00\x01\x00\x00\x00\x00\x0B\x00", 8),  // Policies.
          std::string_view("\x00\x01\x00\x00\x00\x00\x00\x05", 8),  // Places.
          std::string_view("\x00\x01\x00\x00\x00\x00\x00", 7),      // Cut short.
          std::string_view("\x00\x01\x00\x00\x00\x00\x00\x00\x00", 9)}) {
        EXPECT_FALSE(decode_tls_report_row(store::seal(1, payload)));
    }
}

TEST(TlsReportRow, keys_sort_by_day) {
    const TlsReportDay day{day_of(from_unix_seconds(1'700'000'000)), "Example.com"};
    EXPECT_EQ(show_day(day.day), "2023-11-14");
    const auto again = parse_tls_report_key(tls_report_key(day));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, (TlsReportDay{day.day, "example.com"}));
    EXPECT_LT(tls_report_key({day.day, "z"}), tls_report_key({day.day + 1, "a"}));
    EXPECT_TRUE(tls_report_key(day).starts_with(tls_report_prefix(day.day)));
    EXPECT_FALSE(parse_tls_report_key(tls_report_prefix()));
    EXPECT_FALSE(parse_tls_report_key(tls_report_prefix(day.day)));
    EXPECT_FALSE(parse_tls_report_key(tls_report_prefix() + "2023-11-14:x"));
}

TEST(TlsReportRow, days) {
    EXPECT_EQ(day_of(from_unix_seconds(86399)), 0);
    EXPECT_EQ(day_of(from_unix_seconds(86400)), 1);
    EXPECT_EQ(day_of(from_unix_seconds(-1)), -1);
    EXPECT_EQ(begin_of(1), from_unix_seconds(86400));
    EXPECT_EQ(parse_day("1970-01-02"), 1);
    EXPECT_EQ(parse_day("2024-02-29"), 19782);
    for (const char* bad :
         {"", "2023-02-29", "2023-13-01", "2023-1-01", "2023-01-0x", "2023-01-01 ", "20230101"}) {
        EXPECT_FALSE(parse_day(bad)) << bad;
    }
}

}  // namespace
}  // namespace godwit::flow
