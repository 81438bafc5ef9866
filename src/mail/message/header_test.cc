#include "mail/message/header.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace godwit::mail {
namespace {

TEST(Header, Fields_by_offset) {
    const std::string_view block = "Subject: a\r\n b\r\nTo : x\r\n\r\nbody";
    const HeaderIndex index = split_header(block);
    ASSERT_EQ(index.fields.size(), 2U);
    EXPECT_EQ(index.fields[0].raw(block), "Subject: a\r\n b\r\n");
    EXPECT_EQ(index.fields[1].name(block), "To");
    EXPECT_EQ(index.value(block, "SUBJECT"), "a b");
    EXPECT_EQ(index.value(block, "to"), "x");
    EXPECT_EQ(index.value(block, "cc"), std::nullopt);
    EXPECT_EQ(block.substr(index.size), "body");
    EXPECT_FALSE(index.separator_missing);
}

// SMTP-BEHAVIOUR J5.
TEST(Header, Line_without_colon_ends_the_header) {
    const std::string_view block = "A: b\r\nno field here\r\nB: c\r\n\r\n";
    const HeaderIndex index = split_header(block);
    EXPECT_EQ(index.fields.size(), 1U);
    EXPECT_EQ(block.substr(index.size), "no field here\r\nB: c\r\n\r\n");
    EXPECT_TRUE(index.separator_missing);
}
TEST(Header, Mbox_line_at_the_top_is_passed_over) {
    const std::string_view block = "From a@b Sun Nov 22\r\nA: b\r\n\r\n";
    const HeaderIndex index = split_header(block);
    EXPECT_EQ(index.value(block, "a"), "b");
    EXPECT_EQ(index.size, block.size());
    EXPECT_EQ(split_header("From a\r\nFrom b\r\n").size, 8U);
}
TEST(Header, Leading_blank_line_means_no_header) {
    const HeaderIndex index = split_header("\r\nA: b\r\n\r\n");
    EXPECT_TRUE(index.fields.empty());
    EXPECT_EQ(index.size, 2U);
}
TEST(Header, No_header_at_all) {
    EXPECT_EQ(split_header("hello\r\n").size, 0U);
    EXPECT_EQ(split_header("").size, 0U);
    EXPECT_EQ(split_header(" continued\r\nA: b\r\n").size, 0U);
}
TEST(Header, Lf_only_and_no_last_newline) {
    const std::string_view block = "A: b\n c\nB: d\n\nx";
    EXPECT_EQ(split_header(block).size, 14U);
    EXPECT_EQ(split_header("A: b").value("A: b", "a"), "b");
    EXPECT_TRUE(split_header("A: b").separator_missing);
}

TEST(Header, Too_many_fields_and_too_long_ones_are_not_indexed) {
    std::string block;
    for (std::size_t i = 0; i < limits::header_fields_max + 5; ++i) {
        block += "A: b\r\n c\r\n";
    }
    block += "\r\n";
    const HeaderIndex index = split_header(block);
    EXPECT_EQ(index.fields.size(), limits::header_fields_max);
    EXPECT_TRUE(index.truncated);
    EXPECT_EQ(index.size, block.size());

    const std::string huge =
        "A: " + std::string(limits::header_field_size_max, 'x') + "\r\nB: c\r\n\r\nbody";
    const HeaderIndex second = split_header(huge);
    EXPECT_TRUE(second.truncated);
    EXPECT_EQ(second.value(huge, "b"), "c");
    EXPECT_EQ(huge.substr(second.size), "body");
}

TEST(Header, End_is_found_as_soon_as_it_is_known) {
    EXPECT_EQ(find_header_end("A: b\r\n"), std::nullopt);
    EXPECT_EQ(find_header_end("A: b\r\n\r"), std::nullopt);
    EXPECT_EQ(find_header_end("A: b\r\n\r\nx"), 8U);
    EXPECT_EQ(find_header_end("A: b\r\nrubbish\r\n"), 6U);
    EXPECT_EQ(find_header_end("\r\n"), 2U);
}

TEST(Header, Message_ids) {
    EXPECT_EQ(parse_message_ids("<a@b> (x <no@no>) <c@d>"),
              (std::vector<std::string>{"<a@b>", "<c@d>"}));
    EXPECT_EQ(parse_message_ids("Your mail of today <a@b>"), (std::vector<std::string>{"<a@b>"}));
    EXPECT_EQ(parse_message_ids("<a\r\n @b> <> <<c@d> <open"),
              (std::vector<std::string>{"<a@b>", "<c@d>"}));
    std::string many;
    for (int i = 0; i < 300; ++i) {
        many += "<" + std::to_string(i) + "@x> ";
    }
    const auto ids = parse_message_ids(many);
    EXPECT_EQ(ids.size(), limits::references_max);
    EXPECT_EQ(ids.back(), "<299@x>");
}

}  // namespace
}  // namespace godwit::mail
