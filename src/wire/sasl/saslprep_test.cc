#include "wire/sasl/saslprep.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace godwit::sasl {
namespace {

// RFC 4013 section 3, the table of examples.
TEST(Saslprep, examples_of_rfc4013) {
    EXPECT_EQ(*prepare("I\xC2\xADX", Preparation::Stored), "IX");
    EXPECT_EQ(*prepare("user", Preparation::Stored), "user");
    EXPECT_EQ(*prepare("USER", Preparation::Stored), "USER");
    EXPECT_EQ(*prepare("\xC2\xAA", Preparation::Stored), "a");
    EXPECT_EQ(*prepare("\xE2\x85\xA8", Preparation::Stored), "IX");
    EXPECT_FALSE(prepare("\x07", Preparation::Stored));
    EXPECT_FALSE(prepare("\xD8\xA7\x31", Preparation::Stored));
}
TEST(Saslprep, non_ascii_space_becomes_space) {
    EXPECT_EQ(*prepare("a\xC2\xA0"
                       "b",
                       Preparation::Query),
              "a b");
}
TEST(Saslprep, empty_and_what_becomes_empty_is_refused) {
    EXPECT_FALSE(prepare("", Preparation::Query));
    EXPECT_FALSE(prepare("\xC2\xAD", Preparation::Query));
}
TEST(Saslprep, unassigned_passes_only_in_queries) {
    const std::string_view unassigned = "\xC8\xA1";  // U+0221, not in Unicode 3.2.
    EXPECT_TRUE(prepare(unassigned, Preparation::Query));
    EXPECT_FALSE(prepare(unassigned, Preparation::Stored));
    EXPECT_EQ(*prepare_password(unassigned, Preparation::Stored), unassigned);
}
TEST(Saslprep, malformed_utf8_is_refused_in_passwords_too) {
    EXPECT_FALSE(prepare("\xFF", Preparation::Query));
    EXPECT_FALSE(prepare_password("\xFF", Preparation::Query));
    EXPECT_FALSE(prepare_password(std::string_view("a\0b", 3), Preparation::Query));
}
TEST(Saslprep, size_limit) {
    for (const std::size_t size : {limits::password_size_max - 1, limits::password_size_max}) {
        EXPECT_TRUE(prepare(std::string(size, 'x'), Preparation::Query));
    }
    EXPECT_FALSE(prepare(std::string(limits::password_size_max + 1, 'x'), Preparation::Query));
    // The character that grows most under NFKC, as often as fits.
    std::string grows;
    while (grows.size() + 3 <= limits::password_size_max) {
        grows += "\xEF\xB7\xBA";
    }
    EXPECT_TRUE(prepare(grows, Preparation::Query));
}

}  // namespace
}  // namespace godwit::sasl
