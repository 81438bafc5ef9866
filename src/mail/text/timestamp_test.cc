#include "mail/text/timestamp.h"

#include <gtest/gtest.h>

namespace godwit::mail {
namespace {

TEST(Timestamp, Reads_what_RFC_3339_allows_and_writes_utc) {
    EXPECT_EQ(parse_timestamp("1970-01-01T00:00:00Z"), 0);
    EXPECT_EQ(parse_timestamp("1985-04-12T23:20:50.52Z"), 482196050);
    EXPECT_EQ(parse_timestamp("1996-12-19T16:39:57-08:00"), 851042397);
    EXPECT_EQ(parse_timestamp("1990-12-31T23:59:60z"), 662688000);
    EXPECT_EQ(parse_timestamp("2024-02-29t00:00:00+00:00"), 1709164800);
    EXPECT_EQ(format_timestamp(482196050), "1985-04-12T23:20:50Z");
    EXPECT_EQ(parse_timestamp(format_timestamp(-1)), -1);
}

TEST(Timestamp, What_is_none_is_refused) {
    for (const char* text :
         {"", "2026", "2026-11-22", "2026-11-22T10:00Z", "2026-11-22 10:00:00Z",
          "2026-11-22T10:00:00", "2026-11-22T10:00:00ZZ", "2026-13-01T00:00:00Z",
          "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-02-00T00:00:00Z",
          "2026-11-22T24:00:00Z", "2026-11-22T10:60:00Z", "2026-11-22T10:00:61Z",
          "2026-11-22T10:00:00.Z", "2026-11-22T10:00:00+24:00", "2026-11-22T10:00:00+0100",
          "-026-11-22T10:00:00Z", "20261-1-22T10:00:00Z"}) {
        EXPECT_EQ(parse_timestamp(text), std::nullopt) << text;
    }
    const std::string longest = "2026-11-22T10:00:00." + std::string(43, '1') + "Z";
    ASSERT_EQ(longest.size(), timestamp_size_max);
    EXPECT_TRUE(parse_timestamp(longest));
    EXPECT_FALSE(parse_timestamp("2026-11-22T10:00:00." + std::string(44, '1') + "Z"));
}

}  // namespace
}  // namespace godwit::mail
