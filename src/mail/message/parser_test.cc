#include "mail/message/parser.h"

#include <gtest/gtest.h>

#include <random>

#include "base/limits.h"

namespace godwit::mail {
namespace {

std::string_view body_of(std::string_view message, const Part& part) {
    return message.substr(part.body_offset, part.body_size);
}

ParsedMessage parse_in_steps(std::string_view bytes, std::size_t step) {
    MessageParser parser;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        parser.feed(bytes.substr(at, step));
    }
    return parser.finish();
}

void expect_same(const ParsedMessage& a, const ParsedMessage& b) {
    EXPECT_EQ(a.size, b.size);
    EXPECT_EQ(a.header_size, b.header_size);
    EXPECT_EQ(a.header, b.header);
    EXPECT_EQ(a.index.fields, b.index.fields);
    EXPECT_EQ(a.parts, b.parts);
    EXPECT_EQ(a.plain_sample, b.plain_sample);
    EXPECT_EQ(a.html_sample, b.html_sample);
    EXPECT_EQ(a.truncated, b.truncated);
}

TEST(Parser, Plain_message) {
    const std::string_view text = "Subject: x\r\n\r\none\r\ntwo\r\n";
    const ParsedMessage message = parse_message(text);
    ASSERT_EQ(message.parts.size(), 1U);
    EXPECT_EQ(message.header_size, 14U);
    EXPECT_EQ(message.parts[0].lines, 2U);
    EXPECT_EQ(body_of(text, message.parts[0]), "one\r\ntwo\r\n");
    EXPECT_EQ(message.parts[0].parameters, (std::vector<Parameter>{{"charset", "us-ascii"}}));
}

TEST(Parser, Empty_message) {
    const ParsedMessage message = parse_message("");
    ASSERT_EQ(message.parts.size(), 1U);
    EXPECT_EQ(message.parts[0].body_size, 0U);
}

constexpr std::string_view kNested =
    "Content-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n"
    "--a\r\nContent-Type: multipart/alternative; boundary=\"ab\"\r\n\r\n"
    "--ab\r\n\r\nplain\r\n--ab\r\nContent-Type: "
    "text/html\r\n\r\n<b>html</b>\r\n--ab--\r\nepilogue\r\n"
    "--a\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: inner\r\nFrom: x@y\r\n\r\ninner body\r\n--not\r\n"
    "--a--\r\nend\r\n";

TEST(Parser, Nested_parts_and_prefix_collision) {
    const ParsedMessage message = parse_message(kNested);
    ASSERT_EQ(message.parts.size(), 6U);
    EXPECT_EQ(message.parts[1].kind, Part::Kind::Multipart);
    EXPECT_EQ(body_of(kNested, message.parts[2]), "plain");
    EXPECT_EQ(body_of(kNested, message.parts[3]), "<b>html</b>");
    EXPECT_EQ(message.parts[3].parent, 1U);
    EXPECT_EQ(message.parts[4].kind, Part::Kind::Message);
    EXPECT_EQ(message.parts[4].parent, 0U);
    EXPECT_EQ(message.parts[4].envelope->subject, "inner");
    EXPECT_EQ(message.parts[4].lines, 4U);
    EXPECT_EQ(message.parts[5].header_offset, message.parts[4].body_offset);
    EXPECT_EQ(body_of(kNested, message.parts[5]), "inner body\r\n--not");
    EXPECT_TRUE(body_of(kNested, message.parts[1]).ends_with("epilogue"));
    EXPECT_TRUE(body_of(kNested, message.parts[0]).ends_with("end\r\n"));
    EXPECT_EQ(find_section(message.parts, {1, 2}), 3U);
    EXPECT_EQ(find_section(message.parts, {2}), 4U);
    EXPECT_EQ(find_section(message.parts, {2, 1}), 5U);
    EXPECT_EQ(find_section(message.parts, {2, 2}), std::nullopt);
    EXPECT_EQ(find_section(message.parts, {3}), std::nullopt);
}

TEST(Parser, Missing_close_delimiters) {
    const std::string_view text =
        "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; "
        "boundary=b\n\n--b\n\nx\n--a\n\ny\n";
    const ParsedMessage message = parse_message(text);
    ASSERT_EQ(message.parts.size(), 4U);
    EXPECT_EQ(body_of(text, message.parts[2]), "x");
    EXPECT_EQ(body_of(text, message.parts[3]), "y\n");
    EXPECT_EQ(message.parts[3].parent, 0U);
}

TEST(Parser, Multipart_without_parts_is_a_leaf) {
    EXPECT_EQ(parse_message("Content-Type: multipart/mixed; boundary=a\r\n\r\nx\r\n").parts[0].kind,
              Part::Kind::Leaf);
    EXPECT_EQ(parse_message("Content-Type: multipart/mixed\r\n\r\n--\r\n").parts[0].kind,
              Part::Kind::Leaf);
}

TEST(Parser, Digest_parts_are_messages) {
    const ParsedMessage message = parse_message(
        "Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: "
        "s\r\n\r\nx\r\n--a--\r\n");
    ASSERT_EQ(message.parts.size(), 3U);
    EXPECT_EQ(message.parts[1].kind, Part::Kind::Message);
    EXPECT_EQ(message.parts[1].envelope->subject, "s");
}

TEST(Parser, Header_ended_by_a_delimiter) {
    const std::string_view text =
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: "
        "message/rfc822\r\n--a\r\nA: b\r\n--a--\r\n";
    const ParsedMessage message = parse_message(text);
    ASSERT_EQ(message.parts.size(), 4U);
    EXPECT_EQ(message.parts[1].kind, Part::Kind::Message);
    EXPECT_EQ(message.parts[3].body_size, 0U);
}

TEST(Parser, Splitting_changes_nothing) {
    const ParsedMessage whole = parse_message(kNested);
    for (const std::size_t step : {1U, 2U, 3U, 5U, 7U, 11U, 64U}) {
        expect_same(whole, parse_in_steps(kNested, step));
    }
}

TEST(Parser, Depth_is_bounded) {
    std::string text;
    for (int i = 0; i < 100000; ++i) {
        text += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\r\n\r\n--b" +
                std::to_string(i) + "\r\n";
    }
    const ParsedMessage message = parse_message(text);
    EXPECT_TRUE(message.truncated);
    EXPECT_LE(message.parts.size(), limits::mime_depth_max);
    std::string messages;
    for (int i = 0; i < 100000; ++i) {
        messages += "Content-Type: message/rfc822\r\n\r\n";
    }
    EXPECT_LE(parse_message(messages).parts.size(), limits::mime_depth_max);
}

TEST(Parser, Parts_are_bounded) {
    std::string text = "Content-Type: multipart/mixed; boundary=a\r\n\r\n";
    for (int i = 0; i < 100000; ++i) {
        text += "--a\r\n\r\n";
    }
    const ParsedMessage message = parse_message(text);
    EXPECT_TRUE(message.truncated);
    EXPECT_EQ(message.parts.size(), limits::mime_parts_max);
}

TEST(Parser, Long_header_lines_are_dropped_the_same_way_however_split) {
    const std::string text = "A: b\r\nLong: " + std::string(limits::header_block_size_max, 'x') +
                             "\r\nC: d\r\n\r\nbody\r\n";
    const ParsedMessage whole = parse_message(text);
    EXPECT_TRUE(whole.truncated);
    EXPECT_EQ(whole.header.substr(0, 6), "A: b\r\n");
    EXPECT_EQ(body_of(text, whole.parts[0]), "body\r\n");
    expect_same(whole, parse_in_steps(text, 1000));
    expect_same(whole, parse_in_steps(text, 65536));
}

// Random soup of the tokens that matter, split at random.
TEST(Parser, Random_messages_split_at_random) {
    const std::vector<std::string> tokens = {"--a",
                                             "--b",
                                             "--a--",
                                             "--b--",
                                             "\r\n",
                                             "\r\n",
                                             "\n",
                                             "\r",
                                             "x",
                                             "--",
                                             "-",
                                             "Content-Type: multipart/mixed; boundary=a",
                                             "Content-Type: message/rfc822",
                                             "Content-Type: multipart/digest; boundary=b",
                                             "A: b",
                                             " ",
                                             ":",
                                             "\r\n\r\n"};
    std::mt19937 random(7);
    for (int round = 0; round < 2000; ++round) {
        std::string text = "Content-Type: multipart/mixed; boundary=a\r\n\r\n";
        for (int i = 0; i < 60; ++i) {
            text += tokens[random() % tokens.size()];
        }
        const ParsedMessage whole = parse_message(text);
        MessageParser parser;
        std::string_view rest = text;
        while (!rest.empty()) {
            const std::size_t step = 1 + random() % 20;
            parser.feed(rest.substr(0, step));
            rest.remove_prefix(std::min(step, rest.size()));
        }
        expect_same(whole, parser.finish());
        for (const Part& part : whole.parts) {
            ASSERT_LE(part.body_offset + part.body_size, text.size());
            if (part.parent != kNoParent) {
                const Part& parent = whole.parts[part.parent];
                ASSERT_GE(part.header_offset, parent.body_offset);
            }
        }
        if (HasFailure()) {
            FAIL() << text;
        }
    }
}

}  // namespace
}  // namespace godwit::mail
