#include "mail/report/dsn.h"

#include <gtest/gtest.h>

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/message/parser.h"

namespace godwit::mail {
namespace {

DsnReport report() {
    DsnReport out;
    out.reporting_host = "mx.example.org";
    out.envelope_id = "Env 1";
    out.arrived = 1795313706;
    out.now = 1795313806;
    out.sender = parse_address("alice@example.org").value();
    out.message_id = "<d1@mx.example.org>";
    out.boundary_seed = "S";
    out.original = "Subject: Lunch\r\nMessage-ID: <o@x>\r\n\r\nHello\r\n";
    out.return_full = true;
    DsnRecipient recipient;
    recipient.final_recipient = parse_address("bob@far.example").value();
    recipient.original_recipient = "rfc822;robert@far.example";
    recipient.status = {5, 1, 1};
    recipient.remote_host = "mx.far.example";
    recipient.remote_reply = "550 5.1.1 No such user\r\nBcc: evil@x";
    recipient.last_attempt = 1795313800;
    out.recipients = {recipient};
    return out;
}

std::string part_text(std::string_view text, const Part& part) {
    return std::string(text.substr(part.body_offset, part.body_size));
}

TEST(Dsn, Failure) {
    const std::string text = build_dsn(report()).value();
    const ParsedMessage message = parse_message(text);
    ASSERT_EQ(message.parts.size(), 5U);
    EXPECT_TRUE(message.parts[0].is("multipart", "report"));
    EXPECT_EQ(message.index.value(message.header, "to"), "alice@example.org");
    EXPECT_EQ(message.index.value(message.header, "auto-submitted"), "auto-replied");
    EXPECT_EQ(message.index.value(message.header, "references"), "<o@x>");
    EXPECT_EQ(message.index.count(message.header, "bcc"), 0U);
    EXPECT_NE(part_text(text, message.parts[1]).find("There is no such address"),
              std::string::npos);
    EXPECT_EQ(part_text(text, message.parts[2]),
              "Original-Envelope-Id: Env 1\r\nReporting-MTA: dns; mx.example.org\r\nArrival-Date: "
              "Sun, 22 Nov 2026 02:15:06 +0000\r\n\r\n"
              "Original-Recipient: rfc822;robert@far.example\r\nFinal-Recipient: rfc822; "
              "bob@far.example\r\nAction: failed\r\n"
              "Status: 5.1.1\r\nRemote-MTA: dns; mx.far.example\r\nDiagnostic-Code: smtp; 550 "
              "5.1.1 No such user Bcc: evil@x\r\n"
              "Last-Attempt-Date: Sun, 22 Nov 2026 02:16:40 +0000");
    EXPECT_TRUE(message.parts[3].is("message", "rfc822"));
    EXPECT_EQ(part_text(text, message.parts[3]),
              "Subject: Lunch\r\nMessage-ID: <o@x>\r\n\r\nHello");
}

TEST(Dsn, Long_or_unwanted_bodies_are_not_returned) {
    DsnReport long_one = report();
    long_one.original += std::string(limits::dsn_returned_body_size_max + 1, 'x');
    const ParsedMessage message = parse_message(build_dsn(long_one).value());
    EXPECT_TRUE(message.parts[3].is("text", "rfc822-headers"));
    DsnReport headers = report();
    headers.return_full = false;
    EXPECT_TRUE(parse_message(build_dsn(headers).value()).parts[3].is("text", "rfc822-headers"));
}

TEST(Dsn, Delay) {
    DsnReport delay = report();
    delay.recipients[0].action = DsnAction::Delayed;
    delay.recipients[0].status = {4, 4, 1};
    delay.recipients[0].remote_reply.clear();
    delay.recipients[0].will_retry_until = 1795400000;
    const std::string text = build_dsn(delay).value();
    EXPECT_NE(text.find("Subject: Your message is delayed"), std::string::npos);
    EXPECT_NE(text.find("Will-Retry-Until: "), std::string::npos);
    EXPECT_NE(text.find("need not send the message again"), std::string::npos);
}

TEST(Dsn, Utf8_addresses_use_the_global_types) {
    DsnReport utf8 = report();
    utf8.recipients[0].final_recipient = parse_address("\xC3\xBC@far.example").value();
    utf8.original = "Subject: \xC3\xBC\r\n\r\nx\r\n";
    const std::string text = build_dsn(utf8).value();
    const ParsedMessage message = parse_message(text);
    EXPECT_TRUE(message.parts[2].is("message", "global-delivery-status"));
    EXPECT_NE(text.find("Final-Recipient: utf-8; \xC3\xBC@far.example"), std::string::npos);
    EXPECT_TRUE(message.parts[3].is("message", "global"));
}

TEST(Dsn, Hostile_replies_stay_in_their_place) {
    DsnReport hostile = report();
    hostile.recipients[0].remote_reply = std::string(5000, '\xFF') + "\r\n.\r\n--=_S--\r\n";
    hostile.recipients[0].remote_host = "a\r\nb";
    hostile.envelope_id = "x\r\nAction: delivered";
    const ParsedMessage message = parse_message(build_dsn(hostile).value());
    EXPECT_EQ(message.parts.size(), 5U);
    hostile.recipients.clear();
    EXPECT_FALSE(build_dsn(hostile));
}

TEST(EnhancedStatus, Parsing) {
    EXPECT_EQ(parse_enhanced_status("5.1.10"), (EnhancedStatus{5, 1, 10}));
    EXPECT_EQ(take_enhanced_status("4.7.1 later")->size, 5U);
    for (const char* bad :
         {"", "3.1.1", "5.1", "5.1.1x", "5.01.1", "5.1.1000", "5..1", "250 ok", "5.1.1."}) {
        EXPECT_FALSE(take_enhanced_status(bad)) << bad;
    }
    EXPECT_EQ((EnhancedStatus{4, 0, 0}).to_string(), "4.0.0");
    EXPECT_FALSE(explain_status({5, 999, 999}).empty());
}

}  // namespace
}  // namespace godwit::mail
