#include "wire/imap/compression.h"

#include <gtest/gtest.h>

#include <string>

namespace godwit::imap {
namespace {

std::string expand_all(Compression& from) {
    std::string all;
    while (from.has_pending()) {
        const Result<std::string> piece = from.expand();
        EXPECT_TRUE(piece);
        if (!piece || piece->empty()) {
            break;
        }
        all += *piece;
    }
    return all;
}

TEST(Compression, Q40_each_batch_can_be_expanded_when_it_comes) {
    Compression here;
    Compression there;
    for (const std::string& text : {std::string("* OK ready\r\n"), std::string("* OK ready\r\n"),
                                    std::string(100'000, 'x'), std::string("a OK done\r\n")}) {
        there.feed(here.compress(text));
        EXPECT_EQ(expand_all(there), text);
    }
}

TEST(Compression, Split_anywhere) {
    Compression here;
    Compression there;
    std::string text;
    for (int i = 0; i < 2000; ++i) {
        text += "* " + std::to_string(i) + " FETCH (FLAGS ())\r\n";
    }
    std::string got;
    for (const char octet : here.compress(text)) {
        there.feed(std::string_view(&octet, 1));
        got += expand_all(there);
    }
    EXPECT_EQ(got, text);
}

TEST(Compression, Little_that_becomes_much_comes_in_pieces) {
    Compression here;
    Compression there;
    const std::string bomb(40 * 1024 * 1024, '\0');
    const std::string sent = here.compress(bomb);
    EXPECT_LT(sent.size(), bomb.size() / 200);
    there.feed(sent);
    std::size_t size = 0;
    while (there.has_pending()) {
        const Result<std::string> piece = there.expand();
        ASSERT_TRUE(piece);
        EXPECT_LE(piece->size(), compression_piece_max);
        size += piece->size();
        if (piece->empty()) {
            break;
        }
    }
    EXPECT_EQ(size, bomb.size());
}

TEST(Compression, Rfc8437_what_follows_the_last_flush_is_clear_text) {
    Compression here;
    const std::string sent = here.compress("a UNAUTHENTICATE\r\n") + "b NOOP\r\n";
    for (std::size_t cut = 0; cut <= sent.size(); ++cut) {
        Compression there;
        Compression again;
        // A new stream each: the first one's state is spent.
        const std::string text = again.compress("a UNAUTHENTICATE\r\n") + "b NOOP\r\n";
        std::string got;
        bool is_drained = false;
        for (const std::string& part : {text.substr(0, cut), text.substr(cut)}) {
            there.feed(part);
            while (got.size() < 18 && there.has_pending()) {
                const Result<std::string> piece = there.expand();
                ASSERT_TRUE(piece) << cut;
                if (piece->empty()) {
                    break;
                }
                got += *piece;
            }
            is_drained = got.size() >= 18 && there.drain();
        }
        EXPECT_EQ(got, "a UNAUTHENTICATE\r\n") << cut;
        EXPECT_TRUE(is_drained) << cut;
        EXPECT_EQ(there.take_rest(), "b NOOP\r\n") << cut;
    }
}

TEST(Compression, What_is_no_deflate_is_an_error) {
    Compression plain;
    plain.feed("a NOOP\r\na NOOP\r\na NOOP\r\n");
    bool failed = false;
    while (plain.has_pending() && !failed) {
        const Result<std::string> piece = plain.expand();
        failed = !piece;
        if (piece && piece->empty()) {
            break;
        }
    }
    EXPECT_TRUE(failed);
    // A last block: the peer's stream is over, and nothing may follow.
    Compression ended;
    ended.feed(std::string_view("\x03\x00", 2));
    EXPECT_EQ(*ended.expand(), "");
    ended.feed("x");
    EXPECT_FALSE(ended.expand());
}

}  // namespace
}  // namespace godwit::imap
