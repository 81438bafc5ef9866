#include "wire/imap/quota.h"

#include <gtest/gtest.h>

namespace godwit::imap {
namespace {

bool is_set_quota(std::string_view text) {
    Lexer lexer(text);
    return check_set_quota(lexer).has_value();
}

TEST(ImapQuotaTest, Root_is_one_astring) {
    Lexer atom(" alice@example.test");
    EXPECT_EQ(parse_quota_root(atom).value_or("?"), "alice@example.test");
    Lexer empty(" \"\"");
    EXPECT_EQ(parse_quota_root(empty).value_or("?"), "");
    for (const char* text : {"", " ", " a b", " (a)"}) {
        Lexer lexer{std::string_view(text)};
        EXPECT_FALSE(parse_quota_root(lexer)) << text;
    }
}

TEST(ImapQuotaTest, Set_takes_a_list_of_limits) {
    EXPECT_TRUE(is_set_quota(" \"\" ()"));
    EXPECT_TRUE(is_set_quota(" root (STORAGE 512)"));
    EXPECT_TRUE(is_set_quota(" root (STORAGE 512 MESSAGE 0)"));
    EXPECT_FALSE(is_set_quota(" root"));
    EXPECT_FALSE(is_set_quota(" root STORAGE 512"));
    EXPECT_FALSE(is_set_quota(" root (STORAGE)"));
    EXPECT_FALSE(is_set_quota(" root (STORAGE 512"));
    EXPECT_FALSE(is_set_quota(" root (STORAGE -1)"));
}

TEST(ImapQuotaTest, Set_takes_16_limits_at_most) {
    const auto list = [](std::size_t count) {
        std::string text = " root (A 1";
        for (std::size_t i = 1; i < count; ++i) {
            text += " A 1";
        }
        return text + ")";
    };
    EXPECT_TRUE(is_set_quota(list(quota_resources_max - 1)));
    EXPECT_TRUE(is_set_quota(list(quota_resources_max)));
    EXPECT_FALSE(is_set_quota(list(quota_resources_max + 1)));
}

}  // namespace
}  // namespace godwit::imap
