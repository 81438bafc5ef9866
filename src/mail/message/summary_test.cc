#include "mail/message/summary.h"

#include <gtest/gtest.h>

#include "base/ascii.h"
#include "base/limits.h"

namespace godwit::mail {
namespace {

constexpr std::string_view kMessage =
    "Return-Path: <a@b>\r\nReceived: from x by y; Sun, 22 Nov 2026 02:15:06 +0000\r\n"
    "Date: Sun, 22 Nov 2026 03:15:06 +0100\r\nFrom: Alice <alice@example.org>\r\nTo: "
    "bob@example.org\r\n"
    "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@example.org>\r\nReferences: <x@y>\r\n "
    "<z@y>\r\n"
    "In-Reply-To: <z@y>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n"
    "--q\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: "
    "quoted-printable\r\n\r\n"
    "Gr=FC=DFe   aus\r\nBerlin\r\n--q\r\nContent-Type: application/pdf; name=a.pdf\r\n"
    "Content-Disposition: attachment; filename=a.pdf\r\nContent-Transfer-Encoding: "
    "base64\r\n\r\nAAAA\r\n--q--\r\n";

void expect_same(const MessageSummary& a, const MessageSummary& b) {
    EXPECT_EQ(a.size, b.size);
    EXPECT_EQ(a.header_size, b.header_size);
    EXPECT_EQ(a.sent, b.sent);
    EXPECT_EQ(a.headers, b.headers);
    EXPECT_EQ(a.preview, b.preview);
    EXPECT_EQ(a.has_attachment, b.has_attachment);
    EXPECT_EQ(a.parts, b.parts);
}

TEST(Summary, Holds_what_lists_need) {
    const MessageSummary summary = summarize(parse_message(kMessage));
    EXPECT_EQ(summary.size, kMessage.size());
    EXPECT_EQ(summary.preview,
              "Gr\xC3\xBC\xC3\x9F"
              "e aus Berlin");
    EXPECT_EQ(summary.sent, (DateTime{1795313706, 60}));
    EXPECT_TRUE(summary.has_attachment);
    EXPECT_EQ(summary.message_id(), "<1@example.org>");
    EXPECT_EQ(summary.references(), (std::vector<std::string>{"<x@y>", "<z@y>"}));
    EXPECT_EQ(summary.envelope().from, "Alice <alice@example.org>");
    EXPECT_EQ(summary.envelope().cc, std::nullopt);
    EXPECT_EQ(find_ignore_case(summary.headers, "Received"), std::string::npos);
    EXPECT_EQ(summary.parts.size(), 3U);
}

TEST(Summary, Record_comes_back) {
    const MessageSummary summary = summarize(parse_message(kMessage));
    const std::string record = summary.encode();
    EXPECT_LT(record.size(), 700U);
    expect_same(MessageSummary::decode(record).value(), summary);
    EXPECT_EQ(MessageSummary::decode(record).value().encode(), record);
}

TEST(Summary, Record_with_message_inside_comes_back) {
    const MessageSummary summary = summarize(
        parse_message("Content-Type: message/rfc822; x=y\r\nContent-Language: de, "
                      "en\r\nContent-MD5: Q\r\nContent-Location: l\r\n"
                      "Content-Transfer-Encoding: x-odd\r\nContent-ID: <i>\r\nContent-Description: "
                      "d\r\n\r\nSubject: s\r\nTo:\r\n\r\nx\r\n"));
    ASSERT_EQ(summary.parts.size(), 2U);
    EXPECT_EQ(summary.parts[0].envelope->to, "");
    EXPECT_EQ(summary.parts[0].languages, (std::vector<std::string>{"de", "en"}));
    EXPECT_EQ(summary.parts[0].encoding_name, "x-odd");
    expect_same(MessageSummary::decode(summary.encode()).value(), summary);
}

TEST(Summary, Damaged_records_are_errors) {
    const std::string record = summarize(parse_message(kMessage)).encode();
    for (std::size_t size = 0; size < record.size(); ++size) {
        EXPECT_FALSE(MessageSummary::decode(record.substr(0, size)));
    }
    EXPECT_FALSE(MessageSummary::decode(record + "x"));
    for (std::size_t at = 0; at < record.size(); ++at) {
        std::string changed = record;
        changed[at] = static_cast<char>(changed[at] ^ 0x5A);
        (void)MessageSummary::decode(changed);
    }
}

TEST(Summary, Html_preview) {
    const MessageSummary summary = summarize(parse_message(
        "Content-Type: text/html; "
        "charset=utf-8\r\n\r\n<html><head><style>p{}</style><title>no</title></head>"
        "<body><p>Hello&nbsp;<b>wor</b>ld &amp; all</p><!-- x -->\r\n<br>bye</body></html>"));
    EXPECT_EQ(summary.preview, "Hello world & all bye");
}

std::string preview_of(const std::string& body) {
    return summarize(parse_message("Subject: Re: lunch\r\n\r\n" + body)).preview;
}

TEST(Summary, Preview_passes_over_what_is_quoted) {
    EXPECT_EQ(preview_of("Alice wrote:\r\n> Lunch?\r\n >> Where?\r\n\r\nYes > no.\r\n> x"),
              "Alice wrote: Yes > no.");
    EXPECT_EQ(preview_of("> Lunch?\n> Now?\nYes"), "Yes");
}

TEST(Summary, Preview_of_nothing_but_quotes_is_the_quotes) {
    EXPECT_EQ(preview_of("> Lunch?\r\n>\r\n \r\n"), "> Lunch? >");
    EXPECT_EQ(preview_of(">"), ">");
    EXPECT_EQ(preview_of("\n"), "");
}

TEST(Summary, Preview_is_bounded_in_characters) {
    std::string text = "Content-Type: text/plain; charset=utf-8\r\n\r\n";
    for (int i = 0; i < 30000; ++i) {
        text += "\xC3\xBC";
    }
    const MessageSummary summary = summarize(parse_message(text));
    EXPECT_EQ(summary.preview.size(), 2 * limits::preview_size_max);
    EXPECT_TRUE(is_utf8(summary.preview));
}

TEST(Summary, Hot_headers_are_bounded) {
    std::string text;
    for (int i = 0; i < 3000; ++i) {
        text += "To: " + std::string(200, 'a') + "@b.org\r\n";
    }
    const MessageSummary summary = summarize(parse_message(text + "\r\n"));
    EXPECT_TRUE(summary.headers_truncated);
    EXPECT_LE(summary.headers.size(), limits::summary_headers_size_max);
    expect_same(MessageSummary::decode(summary.encode()).value(), summary);
}

}  // namespace
}  // namespace godwit::mail
