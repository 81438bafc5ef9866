#include "mail/message/builder.h"

#include <gtest/gtest.h>

#include "base/ascii.h"
#include "mail/message/parser.h"
#include "mail/text/encoded_word.h"
#include "mail/text/transfer_encoding.h"

namespace godwit::mail {
namespace {

NamedAddress named(std::string name, std::string_view address) {
    return {std::move(name), parse_address(address).value()};
}

Draft draft() {
    Draft out;
    out.from = {named("J\xC3\xBCrgen, Dr.", "j@example.org")};
    out.to = {named("", "bob@example.org"), named("A, B \"C\"", "\"a b\"@example.org")};
    out.subject =
        "Gr\xC3\xBC\xC3\x9F"
        "e";
    out.date = 1795313706;
    out.message_id = "<1@example.org>";
    out.text = "Hello\nWorld \xE2\x82\xAC\n";
    out.boundary_seed = "Seed1";
    return out;
}

std::string decoded_body(std::string_view message, const Part& part) {
    return decode_transfer(message.substr(part.body_offset, part.body_size), part.encoding);
}

TEST(Builder, Text_message_reads_back) {
    const std::string text = build_message(draft()).value();
    EXPECT_TRUE(is_ascii(text));
    const ParsedMessage message = parse_message(text);
    EXPECT_EQ(decode_header_text(*message.index.value(message.header, "subject")),
              "Gr\xC3\xBC\xC3\x9F"
              "e");
    EXPECT_EQ(message.index.value(message.header, "to"),
              "bob@example.org, \"A, B \\\"C\\\"\" <\"a b\"@example.org>");
    EXPECT_EQ(message.index.value(message.header, "date"), "Sun, 22 Nov 2026 02:15:06 +0000");
    EXPECT_EQ(decoded_body(text, message.parts[0]), "Hello\r\nWorld \xE2\x82\xAC\r\n");
}

TEST(Builder, Alternative_and_attachments) {
    Draft with = draft();
    with.html = "<p>x</p>";
    with.attachments = {{"\xC3\xBC.bin", "", std::string("\0\xFF", 2)},
                        {"a.eml", "message/rfc822", "Subject: x\r\n\r\ny\r\n"}};
    const std::string text = build_message(with).value();
    const ParsedMessage message = parse_message(text);
    ASSERT_EQ(message.parts.size(), 7U);
    EXPECT_EQ(message.parts[1].subtype, "alternative");
    EXPECT_EQ(message.parts[4].file_name(), "\xC3\xBC.bin");
    EXPECT_EQ(decoded_body(text, message.parts[4]), std::string("\0\xFF", 2));
    EXPECT_EQ(message.parts[5].envelope->subject, "x");
}

// T23.
TEST(Builder, Injection_is_refused) {
    for (const std::string& bad : {std::string("a\r\nBcc: x@y"), std::string("a\nb"),
                                   std::string("a\rb"), std::string("a\0b", 3)}) {
        Draft subject = draft();
        subject.subject = bad;
        EXPECT_FALSE(build_message(subject));
        Draft name = draft();
        name.from[0].name = bad;
        EXPECT_FALSE(build_message(name));
        Draft extra = draft();
        extra.extra = {{"X-Y", bad}};
        EXPECT_FALSE(build_message(extra));
        Draft extra_name = draft();
        extra_name.extra = {{bad, "x"}};
        EXPECT_FALSE(build_message(extra_name));
        Draft file = draft();
        file.attachments = {{bad, "", "x"}};
        EXPECT_FALSE(build_message(file));
        Draft id = draft();
        id.message_id = bad;
        EXPECT_FALSE(build_message(id));
    }
}

TEST(Builder, Long_fields_fold_and_unfold_to_the_same) {
    std::string value;
    for (int i = 0; i < 100; ++i) {
        value += "word" + std::to_string(i) + (i % 7 == 0 ? "   " : " ");
    }
    value.pop_back();
    HeaderWriter writer;
    ASSERT_TRUE(writer.text("Subject", value));
    const std::string block(writer.view());
    for (const std::string_view line : split(block, '\n')) {
        EXPECT_LE(line.size(), 79U);
    }
    EXPECT_EQ(split_header(block).value(block, "subject"), std::string(trim(value)));
    HeaderWriter second;
    ASSERT_TRUE(second.text("Subject", std::string(5000, 'x')));
    EXPECT_EQ(
        decode_header_text(split_header(second.view()).value(second.view(), "subject").value()),
        std::string(5000, 'x'));
}

TEST(Builder, Utf8_addresses_make_utf8_headers) {
    Draft utf8 = draft();
    utf8.to = {named("\xC3\xBC", "\xC3\xBC@example.org")};
    const std::string text = build_message(utf8).value();
    EXPECT_NE(text.find("<\xC3\xBC@example.org>"), std::string::npos);
}

TEST(Builder, Crlf) {
    EXPECT_EQ(with_crlf("a\nb\rc\r\nd"), "a\r\nb\r\nc\r\nd");
}

}  // namespace
}  // namespace godwit::mail
