#include "wire/smtp/data.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace godwit::smtp {
namespace {

using namespace std::string_view_literals;

struct Received {
    std::string content;
    ContentFault fault = ContentFault::None;
    bool is_ended = false;
    bool is_repaired = false;
    bool is_suspicious = false;
    std::size_t consumed = 0;
    bool operator==(const Received&) const = default;
};

/// Feeds in pieces cut at `cuts` (ascending).
Received receive(std::string_view wire, const std::vector<std::size_t>& cuts,
                 BareNewlines mode = BareNewlines::Repair) {
    DataReceiver receiver(mode);
    Received got;
    std::size_t from = 0;
    for (std::size_t i = 0; i <= cuts.size() && !got.is_ended; ++i) {
        const std::size_t to = i < cuts.size() ? cuts[i] : wire.size();
        const auto progress = receiver.feed(wire.substr(from, to - from), got.content);
        got.consumed = from + progress.consumed;
        got.is_ended = progress.is_ended;
        from = to;
    }
    got.fault = receiver.fault();
    got.is_repaired = receiver.is_repaired();
    got.is_suspicious = receiver.is_end_suspicious();
    if (got.fault != ContentFault::None) {
        got.content.clear();
    }
    return got;
}
Received receive(std::string_view wire, BareNewlines mode = BareNewlines::Repair) {
    return receive(wire, {}, mode);
}
std::vector<std::size_t> every_byte(std::size_t size) {
    std::vector<std::size_t> cuts;
    for (std::size_t i = 1; i < size; ++i) {
        cuts.push_back(i);
    }
    return cuts;
}

TEST(Data, A1_only_crlf_dot_crlf_ends) {
    for (const std::string_view end :
         {"\n.\n"sv, "\n.\r\n"sv, "\r\n.\n"sv, "\r\n.\r"sv, "\n.\r"sv, "\r.\r\n"sv, "\r.\r"sv,
          "\r.\n"sv, "\r\n\0.\r\n"sv, "\r\n.\0\r\n"sv, "\r\n.\r\r\n"sv, "\r\r\n.\r\r\n"sv,
          "\n\n.\n\n"sv, "\r\n\x0b.\r\n"sv, "\r\n. \r\n"sv, "\n\r.\r\n"sv}) {
        const Received got = receive("text" + std::string(end) + "MAIL FROM:<a@b>\r\n");
        EXPECT_FALSE(got.is_ended);
    }
    EXPECT_TRUE(receive("text\r\n.\r\n").is_ended);
    EXPECT_TRUE(receive(".\r\n").is_ended);
}
TEST(Data, A1_cr_cr_lf_before_the_end_is_suspicious) {
    const Received got = receive("text\r\r\n.\r\nMAIL");
    EXPECT_TRUE(got.is_ended);
    EXPECT_TRUE(got.is_suspicious);
    EXPECT_EQ(got.fault, ContentFault::BareCr);
    EXPECT_FALSE(receive("te\r\r\nxt\r\n.\r\n").is_suspicious);
}
TEST(Data, A2_bare_lf_is_repaired) {
    const Received got = receive("a\nb\r\n\nc\n\r\n.\r\n");
    EXPECT_EQ(got.content, "a\r\nb\r\n\r\nc\r\n\r\n");
    EXPECT_EQ(got.fault, ContentFault::None);
    EXPECT_TRUE(got.is_repaired);
}
TEST(Data, A2_bare_lf_at_a_dot_refuses_the_whole) {
    for (const std::string_view text : {"a\n.\nb"sv, "a\n.\r\nb"sv, "a\r\n.\nb"sv, ".\nb"sv}) {
        const Received got = receive(std::string(text) + "\r\n.\r\n");
        EXPECT_TRUE(got.is_ended);
        EXPECT_EQ(got.fault, ContentFault::BareLfAtDot) << text;
    }
    EXPECT_EQ(receive("a\n.b\n\r\n.\r\n").fault, ContentFault::None);
}
TEST(Data, A2_reject_mode_refuses_any_bare_lf) {
    EXPECT_EQ(receive("a\nb\r\n.\r\n", BareNewlines::Reject).fault, ContentFault::BareLf);
    EXPECT_EQ(receive("a\r\nb\r\n.\r\n", BareNewlines::Reject).fault, ContentFault::None);
}
TEST(Data, A3_A4_bare_cr_and_nul_refuse_the_whole) {
    EXPECT_EQ(receive("a\rb\r\n.\r\n").fault, ContentFault::BareCr);
    EXPECT_EQ(receive("a\r\r\n.\r\n").fault, ContentFault::BareCr);
    EXPECT_EQ(receive("a\0b\r\n.\r\n"sv).fault, ContentFault::Nul);
}
TEST(Data, A7_one_dot_goes_from_every_line_that_starts_with_one) {
    EXPECT_EQ(receive("..\r\n.x\r\n...\r\nx.\r\n.\r\n").content, ".\r\nx\r\n..\r\nx.\r\n");
}
TEST(Data, stops_behind_the_final_dot) {
    const Received got = receive("x\r\n.\r\nQUIT\r\n");
    EXPECT_TRUE(got.is_ended);
    EXPECT_EQ(got.consumed, 6U);
}
TEST(Data, T4_every_split_gives_the_same) {
    SeededRandom random(4);
    const std::string_view alphabet = "\r\n\r\n..x\0"sv;
    for (int round = 0; round < 3000; ++round) {
        std::string wire;
        const std::size_t size = random.below(24);
        for (std::size_t i = 0; i < size; ++i) {
            wire += alphabet[random.below(alphabet.size() - (round % 2 == 0 ? 0U : 1U))];
        }
        wire += "\r\n.\r\n";
        const Received whole = receive(wire);
        EXPECT_EQ(receive(wire, every_byte(wire.size())), whole);
        for (std::size_t cut = 1; cut < wire.size(); ++cut) {
            EXPECT_EQ(receive(wire, {cut}), whole);
        }
    }
}
TEST(Data, T3_chunks_follow_the_same_rule_without_dots) {
    const auto chunk = [](std::string_view bytes, bool bytewise) {
        ChunkReceiver receiver(BareNewlines::Repair);
        std::string out;
        for (std::size_t i = 0; i < bytes.size(); i += bytewise ? 1 : bytes.size()) {
            receiver.feed(bytes.substr(i, bytewise ? 1 : bytes.size()), out);
        }
        receiver.end();
        return std::pair(receiver.fault(),
                         receiver.fault() == ContentFault::None ? out : std::string());
    };
    for (const bool bytewise : {false, true}) {
        EXPECT_EQ(chunk("a\r\n.\r\n..\r\n", bytewise).second, "a\r\n.\r\n..\r\n");
        EXPECT_EQ(chunk("a\nb", bytewise).second, "a\r\nb");
        EXPECT_EQ(chunk("a\n.\r\n", bytewise).first, ContentFault::BareLfAtDot);
        EXPECT_EQ(chunk(".\n", bytewise).first, ContentFault::BareLfAtDot);
        EXPECT_EQ(chunk("a\n.", bytewise).first, ContentFault::BareLfAtDot);
        EXPECT_EQ(chunk("a\rb", bytewise).first, ContentFault::BareCr);
        EXPECT_EQ(chunk("a\r", bytewise).first, ContentFault::BareCr);
        EXPECT_EQ(chunk("a\0b"sv, bytewise).first, ContentFault::Nul);
    }
}
TEST(Data, A8_sender_adds_the_missing_line_end) {
    const auto sent = [](std::string_view content) {
        ContentSender sender(ContentSender::Framing::Dots);
        std::string out;
        sender.feed(content, out);
        sender.finish(out);
        return out;
    };
    EXPECT_EQ(sent(""), ".\r\n");
    EXPECT_EQ(sent("a"), "a\r\n.\r\n");
    EXPECT_EQ(sent("a\r\n"), "a\r\n.\r\n");
    EXPECT_EQ(sent(".\r\n..a"), "..\r\n...a\r\n.\r\n");
    EXPECT_EQ(sent("a\r"), "a \r\n.\r\n");
}
TEST(Data, A3_sender_never_lets_a_bare_newline_out_and_keeps_counts) {
    SeededRandom random(3);
    for (int round = 0; round < 3000; ++round) {
        std::string content;
        const std::size_t size = random.below(20);
        for (std::size_t i = 0; i < size; ++i) {
            content += "\r\n.x"[random.below(4)];
        }
        for (const auto framing : {ContentSender::Framing::Dots, ContentSender::Framing::Counted}) {
            std::string whole;
            std::string split;
            ContentSender one(framing);
            one.feed(content, whole);
            one.finish(whole);
            ContentSender other(framing);
            for (const char c : content) {
                other.feed(std::string_view(&c, 1), split);
            }
            other.finish(split);
            EXPECT_EQ(whole, split);
            for (std::size_t i = 0; i < whole.size(); ++i) {
                EXPECT_TRUE(whole[i] != '\n' || (i > 0 && whole[i - 1] == '\r'));
                EXPECT_TRUE(whole[i] != '\r' || (i + 1 < whole.size() && whole[i + 1] == '\n'));
            }
            if (framing == ContentSender::Framing::Counted) {
                EXPECT_EQ(whole.size(), content.size());
                continue;
            }
            // What leaves by DATA arrives as it was, but for what was replaced.
            const Received got = receive(whole);
            EXPECT_TRUE(got.is_ended);
            EXPECT_EQ(got.consumed, whole.size());
            EXPECT_EQ(got.fault, ContentFault::None);
            if (!one.is_altered()) {
                EXPECT_TRUE(got.content == content || got.content == content + "\r\n");
            }
        }
    }
}

}  // namespace
}  // namespace godwit::smtp
