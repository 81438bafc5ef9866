#include "wire/smtp/unitext.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "base/ascii.h"

namespace godwit::smtp {
namespace {

TEST(Unitext, Rfc6533_3_what_may_not_stand_as_it_is) {
    const std::string address = "a+b=c\\d \xC3\xBC\xE2\x82\xAC\xF0\x9F\x90\xA6@far.example";
    EXPECT_EQ(unitext_encode(address, false),
              "a\\x{2B}b\\x{3D}c\\x{5C}d\\x{20}\\x{FC}\\x{20AC}\\x{1F426}@far.example");
    EXPECT_EQ(unitext_encode(address, true),
              "a\\x{2B}b\\x{3D}c\\x{5C}d\\x{20}\xC3\xBC\xE2\x82\xAC\xF0\x9F\x90\xA6@far.example");
    EXPECT_EQ(unitext_decode(unitext_encode(address, false)), address);
    EXPECT_EQ(unitext_decode(unitext_encode(address, true)), address);
}
TEST(Unitext, every_character_comes_back) {
    for (std::uint32_t point = 0; point <= 0x10FFFF; point += point < 0x900 ? 1 : 0xFF) {
        if (point >= 0xD800 && point < 0xE000) {
            continue;
        }
        char digits[8];
        (void)std::snprintf(digits, sizeof digits, "%02x", point);
        const auto character = unitext_decode("\\x{" + std::string(digits) + "}");
        ASSERT_TRUE(character && is_utf8(*character)) << point;
        EXPECT_EQ(unitext_decode(unitext_encode(*character, false)), character) << point;
        EXPECT_EQ(unitext_decode(unitext_encode(*character, true)), character) << point;
    }
}
TEST(Unitext, malformed) {
    for (const char* bad :
         {"\\", "\\x", "\\x{", "\\x{}", "\\x{1}", "\\x{FC", "\\x{1FFFFFF}", "\\x{110000}",
          "\\x{D800}", "\\x{DFFF}", "\\x{FG}", "\\n", "a\\\\b", "\\X{FC}", "\\x(FC)"}) {
        EXPECT_FALSE(unitext_decode(bad)) << bad;
    }
    EXPECT_EQ(unitext_decode("\\x{10FFFF}"), "\xF4\x8F\xBF\xBF");
    EXPECT_EQ(unitext_decode(""), "");
}

}  // namespace
}  // namespace godwit::smtp
