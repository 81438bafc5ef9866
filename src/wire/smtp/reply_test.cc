#include "wire/smtp/reply.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace godwit::smtp {
namespace {

std::string written(const Reply& reply) {
    std::string out;
    write_reply(reply, out);
    return out;
}
struct Parsed {
    ReplyParser::Status status;
    Reply reply;
    std::size_t consumed;
};
Parsed parse(std::string_view bytes, bool bytewise = false) {
    ReplyParser parser;
    std::size_t at = 0;
    ReplyParser::Progress progress;
    while (at < bytes.size()) {
        progress = parser.feed(bytes.substr(at, bytewise ? 1 : bytes.size()));
        at += progress.consumed;
        if (progress.status != ReplyParser::Status::More) {
            break;
        }
    }
    return {progress.status,
            progress.status == ReplyParser::Status::Complete ? parser.take() : Reply{}, at};
}

TEST(Reply, is_written_with_both_codes_on_every_line) {
    EXPECT_EQ(written(make_reply(250, {2, 1, 0}, "Ok")), "250 2.1.0 Ok\r\n");
    EXPECT_EQ(written(make_reply(550, {5, 7, 1}, "a\nb")), "550-5.7.1 a\r\n550 5.7.1 b\r\n");
    EXPECT_EQ(written({.code = 220, .enhanced = {}, .text = "mx ESMTP"}), "220 mx ESMTP\r\n");
    EXPECT_EQ(written({.code = 334, .enhanced = {}, .text = ""}), "334 \r\n");
}
TEST(Reply, text_cannot_forge_a_line) {
    EXPECT_EQ(written(make_reply(550, {5, 0, 0}, std::string("a\r250 b\0c", 9))),
              "550 5.0.0 a 250 b c\r\n");
}
TEST(Reply, forms_that_servers_send) {
    for (const bool bytewise : {false, true}) {
        EXPECT_EQ(parse("250 Ok\r\n", bytewise).reply, (Reply{250, {}, "Ok"}));
        EXPECT_EQ(parse("250\r\n", bytewise).reply, (Reply{250, {}, ""}));
        EXPECT_EQ(parse("250 \r\n", bytewise).reply, (Reply{250, {}, ""}));
        EXPECT_EQ(parse("550 5.1.1 No\r\n", bytewise).reply, make_reply(550, {5, 1, 1}, "No"));
        EXPECT_EQ(parse("250-a\r\n250-b\r\n250 c\r\n", bytewise).reply.text, "a\nb\nc");
        EXPECT_EQ(parse("550-5.7.1 a\r\n550 5.7.1 b\r\n", bytewise).reply,
                  make_reply(550, {5, 7, 1}, "a\nb"));
    }
}
TEST(Reply, C7_lf_alone_ends_a_line) {
    EXPECT_EQ(parse("250-a\n250 b\n").reply.text, "a\nb");
}
TEST(Reply, E12_an_enhanced_code_of_another_class_is_text) {
    const Parsed got = parse("550 4.2.2 Full\r\n");
    EXPECT_FALSE(got.reply.enhanced);
    EXPECT_EQ(got.reply.text, "4.2.2 Full");
}
TEST(Reply, E13_the_last_code_counts_and_text_is_cleaned) {
    EXPECT_EQ(parse("250-a\r\n550 b\r\n").reply.code, 550);
    EXPECT_EQ(parse("550 a\x01\xFFz\r\n").reply.text, "a ?z");
    EXPECT_EQ(parse("550 a\xC2\x9B"
                    "2J\xC2\x80\xC2\xA0\r\n")
                  .reply.text,
              "a 2J \xC2\xA0");
}
TEST(Reply, E11_nonsense_is_refused) {
    for (const std::string_view bad : {"\r\n", "25\r\n", "abc\r\n", "150 x\r\n", "600 x\r\n",
                                       "099 x\r\n", "250x\r\n", "220********\r\n", "2500\r\n"}) {
        EXPECT_EQ(parse(bad).status, ReplyParser::Status::Failed) << bad;
    }
}
TEST(Reply, stops_behind_one_reply) {
    EXPECT_EQ(parse("250 a\r\n250 b\r\n").consumed, 7U);
}
TEST(Reply, B3_line_size_limit) {
    const auto line = [](std::size_t size) { return "250 " + std::string(size - 5, 'x') + "\r\n"; };
    // The size counts up to the LF.
    EXPECT_EQ(parse(line(limits::smtp_reply_line_size_max)).status, ReplyParser::Status::Complete);
    EXPECT_EQ(parse(line(limits::smtp_reply_line_size_max + 1)).status,
              ReplyParser::Status::Failed);
    EXPECT_EQ(parse(std::string(limits::smtp_reply_line_size_max + 1, 'x')).status,
              ReplyParser::Status::Failed);
}
TEST(Reply, B3_lines_and_size_limit) {
    const auto lines = [](std::size_t count, std::string_view text) {
        std::string all;
        for (std::size_t i = 1; i < count; ++i) {
            all += "250-" + std::string(text) + "\r\n";
        }
        return all + "250 " + std::string(text) + "\r\n";
    };
    EXPECT_EQ(parse(lines(limits::smtp_reply_lines_max - 1, "x")).status,
              ReplyParser::Status::Complete);
    EXPECT_EQ(parse(lines(limits::smtp_reply_lines_max, "x")).status,
              ReplyParser::Status::Complete);
    EXPECT_EQ(parse(lines(limits::smtp_reply_lines_max + 1, "x")).status,
              ReplyParser::Status::Failed);
    EXPECT_EQ(parse(lines(20, std::string(2000, 'x'))).status, ReplyParser::Status::Failed);
}
TEST(Reply, after_a_failure_nothing_is_read) {
    ReplyParser parser;
    EXPECT_EQ(parser.feed("nonsense\r\n").status, ReplyParser::Status::Failed);
    EXPECT_EQ(parser.feed("250 Ok\r\n").status, ReplyParser::Status::Failed);
    EXPECT_EQ(parser.feed("250 Ok\r\n").consumed, 0U);
}

}  // namespace
}  // namespace godwit::smtp
