#include "sim/peers/content.h"

#include <gtest/gtest.h>

namespace godwit::sim {
namespace {

TEST(SimContent, Dots_come_off_and_a_lone_one_ends_it_at_any_split) {
    const std::string text = "a\r\n.\r\n..b\r\n.c\r\n\r\n";
    const std::string wire = stuffed(text) + "QUIT\r\n";
    for (std::size_t piece = 1; piece < wire.size(); ++piece) {
        Content content;
        std::string left = wire;
        std::string heard;
        bool is_ended = false;
        while (!is_ended) {
            heard += left.substr(0, piece);
            left.erase(0, std::min(piece, left.size()));
            const Content::Step step = content.data(heard);
            heard.erase(0, step.consumed);
            is_ended = step.is_ended;
        }
        EXPECT_EQ(content.text(), text);
        EXPECT_EQ(heard + left, "QUIT\r\n");
        EXPECT_FALSE(content.has_unstuffed_dot());
    }
}

TEST(SimContent, Only_crlf_dot_crlf_is_the_end) {
    Content content;
    const Content::Step step = content.data("a\n.\nb\r.\rc\n.\r\nd\r\n.\n");
    EXPECT_FALSE(step.is_ended);
    EXPECT_TRUE(content.data("\r\n.\r\n").is_ended);
}

TEST(SimContent, An_unstuffed_dot_is_seen) {
    Content content;
    content.data(".a\r\n.\r\n");
    EXPECT_TRUE(content.has_unstuffed_dot());
}

TEST(SimContent, Facts_are_seen) {
    EXPECT_TRUE(facts_of("a\rb\r\n").has_bare_cr);
    EXPECT_TRUE(facts_of("a\nb\r\n").has_bare_lf);
    EXPECT_TRUE(facts_of("a\r").has_bare_cr);
    const ContentFacts good = facts_of("a\xFC\r\nlonger\r\n");
    EXPECT_FALSE(good.has_bare_cr || good.has_bare_lf || good.has_nul);
    EXPECT_TRUE(good.has_eight_bit);
    EXPECT_EQ(good.longest_line, 8U);
}

}  // namespace
}  // namespace godwit::sim
