#include "base/ascii.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(Ascii, Numbers_over_the_range_or_with_signs_are_refused) {
    EXPECT_EQ(parse_u32("4294967295"), 4294967295U);
    EXPECT_EQ(parse_u32("4294967296"), std::nullopt);
    EXPECT_EQ(parse_u32("-1"), std::nullopt);
    EXPECT_EQ(parse_u32("+1"), std::nullopt);
    EXPECT_EQ(parse_u32(""), std::nullopt);
    EXPECT_EQ(parse_u64("18446744073709551615"), UINT64_MAX);
    EXPECT_EQ(parse_u64("18446744073709551616"), std::nullopt);
}

TEST(Ascii, Utf8_refuses_overlong_surrogates_and_out_of_range) {
    EXPECT_TRUE(is_utf8("gr\xC3\xBC\xC3\x9F \xF0\x9F\x90\xA6"));
    EXPECT_FALSE(is_utf8("\xC0\x80"));
    EXPECT_FALSE(is_utf8("\xE0\x80\x80"));
    EXPECT_FALSE(is_utf8("\xED\xA0\x80"));
    EXPECT_FALSE(is_utf8("\xF4\x90\x80\x80"));
    EXPECT_FALSE(is_utf8("\xC3"));
    EXPECT_FALSE(is_utf8("\x80"));
}

TEST(Ascii, Find_ignores_case_and_reports_absence) {
    EXPECT_EQ(find_ignore_case("Hello World", "WORLD"), 6U);
    EXPECT_EQ(find_ignore_case("Hello", "xyz"), std::string_view::npos);
    EXPECT_EQ(find_ignore_case("Hello", ""), 0U);
    EXPECT_EQ(find_ignore_case("abc", "abcd"), std::string_view::npos);
}

TEST(Ascii, Split_keeps_empty_pieces) {
    const auto pieces = split("a,,b,", ',');
    ASSERT_EQ(pieces.size(), 4U);
    EXPECT_EQ(pieces[1], "");
    EXPECT_EQ(pieces[3], "");
}

}  // namespace
}  // namespace godwit
