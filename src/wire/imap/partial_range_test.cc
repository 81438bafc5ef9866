#include "wire/imap/partial_range.h"

#include <gtest/gtest.h>

namespace godwit::imap {
namespace {

using Span = PartialRange::Span;

PartialRange read(std::string_view text) {
    Lexer lexer(text);
    return read_partial_range(lexer).value();
}

TEST(PartialRange, From_the_start) {
    EXPECT_EQ(read("1:5").within(10), (Span{0, 5}));
    EXPECT_EQ(read("6:10").within(10), (Span{5, 10}));
    EXPECT_EQ(read("6:11").within(10), (Span{5, 10}));
    EXPECT_EQ(read("11:20").within(10), (Span{10, 10}));
    EXPECT_EQ(read("5:1").within(10), (Span{0, 5}));
    EXPECT_EQ(read("1:1").within(0), (Span{0, 0}));
    EXPECT_EQ(read("1:4294967295").within(3), (Span{0, 3}));
}

TEST(PartialRange, From_the_end) {
    EXPECT_EQ(read("-1:-3").within(10), (Span{7, 10}));
    EXPECT_EQ(read("-3:-1").within(10), (Span{7, 10}));
    EXPECT_EQ(read("-9:-12").within(10), (Span{0, 2}));
    EXPECT_EQ(read("-11:-12").within(10), (Span{0, 0}));
    EXPECT_EQ(read("-1:-1").within(0), (Span{0, 0}));
}

TEST(PartialRange, Is_written_as_it_was_read) {
    EXPECT_EQ(read("500:400").to_string(), "500:400");
    EXPECT_EQ(read("-1:-100").to_string(), "-1:-100");
}

TEST(PartialRange, Bad_syntax) {
    for (const std::string_view text :
         {"", "1", "1:", "0:1", "1:0", "-1:1", "1:-1", "*:1", "1:*", "1:4294967296", "--1:-2"}) {
        Lexer lexer(text);
        EXPECT_FALSE(read_partial_range(lexer)) << text;
    }
}

}  // namespace
}  // namespace godwit::imap
