#include "mail/text/transfer_decoder.h"

#include <gtest/gtest.h>

#include <random>

namespace godwit::mail {
namespace {

constexpr TransferEncoding kEncodings[] = {TransferEncoding::SevenBit, TransferEncoding::Base64,
                                           TransferEncoding::QuotedPrintable,
                                           TransferEncoding::Other};

std::string decode_in_pieces(std::string_view text, TransferEncoding encoding, std::mt19937& draw,
                             std::size_t piece_max) {
    TransferDecoder decoder(encoding);
    std::string out;
    while (!text.empty()) {
        const std::size_t size = 1 + draw() % std::min(text.size(), piece_max);
        out += decoder.feed(text.substr(0, size));
        text.remove_prefix(size);
    }
    return out + decoder.finish();
}

TEST(TransferDecoder, pieces_give_what_the_whole_does) {
    std::mt19937 draw(1);
    constexpr std::string_view kLetters = "=  \t\r\n=ABCDEFabcdef0123456789+/=é.";
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        for (std::size_t size = draw() % 40; size > 0; --size) {
            text.push_back(kLetters[draw() % kLetters.size()]);
        }
        for (const TransferEncoding encoding : kEncodings) {
            EXPECT_EQ(decode_in_pieces(text, encoding, draw, 1 + draw() % 8),
                      decode_transfer(text, encoding))
                << text;
        }
    }
}

TEST(TransferDecoder, what_was_encoded_comes_back) {
    std::mt19937 draw(2);
    std::string octets;
    for (int i = 0; i < 100'000; ++i) {
        octets.push_back(static_cast<char>(draw()));
    }
    EXPECT_EQ(decode_in_pieces(encode_base64(octets), TransferEncoding::Base64, draw, 5'000),
              octets);
    EXPECT_EQ(decode_in_pieces(encode_quoted_printable(octets, LineBreaks::Binary),
                               TransferEncoding::QuotedPrintable, draw, 5'000),
              octets);
}

}  // namespace
}  // namespace godwit::mail
