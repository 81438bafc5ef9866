#include "mail/text/keyed_hash.h"

#include <gtest/gtest.h>

#include <string>

namespace godwit::mail {
namespace {

TEST(KeyedHash, The_example_of_its_paper) {
    // Appendix A: key 00..0f, text 00..0e.
    std::string text;
    for (char c = 0; c < 15; ++c) {
        text += c;
    }
    const HashKey key{.first = 0x0706050403020100U, .second = 0x0f0e0d0c0b0a0908U};
    EXPECT_EQ(keyed_hash(key, text), 0xa129ca6149be45e5U);
    EXPECT_EQ(keyed_hash(key, ""), 0x726fdb47dd0e0e31U);
    EXPECT_EQ(keyed_hash(key, std::string(1, '\0')), 0x74f839c593dc67fdU);
    EXPECT_NE(keyed_hash({.first = 1, .second = 2}, text), keyed_hash(key, text));
}

}  // namespace
}  // namespace godwit::mail
