#include "mail/message/trace.h"

#include <gtest/gtest.h>

#include "mail/message/header.h"
#include "mail/message/submission_header.h"

namespace godwit::mail {
namespace {

ReceivedField received() {
    ReceivedField field;
    field.helo = "client.example";
    field.client_name = "mail.client.example";
    field.client_address = "2001:db8::1";
    field.by = "mx.example.org";
    field.with = {.tls = true, .authenticated = true};
    field.tls = "TLS1.3 TLS_AES_256_GCM_SHA384";
    field.id = "ABC";
    field.recipient = parse_address("bob@example.org").value();
    field.time = 1795313706;
    return field;
}

TEST(Trace, Received) {
    EXPECT_EQ(write_received(received()),
              "Received: from client.example (mail.client.example [IPv6:2001:db8::1])\r\n\tby "
              "mx.example.org with ESMTPSA\r\n"
              "\t(TLS1.3 TLS_AES_256_GCM_SHA384)\r\n\tid ABC\r\n\tfor <bob@example.org>;\r\n\tSun, "
              "22 Nov 2026 02:15:06 +0000\r\n");
    EXPECT_EQ(count_received(write_received(received())), 1U);
}

TEST(Trace, Nothing_breaks_out_of_received) {
    ReceivedField field = received();
    field.helo = "x\r\nBcc: y) (z;<a>" + std::string(2000, 'h');
    field.tls = "a)\r\nb(";
    field.client_name = "\xFF\n";
    const std::string text = write_received(field);
    EXPECT_EQ(split_header(text).fields.size(), 1U);
    std::size_t begin = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos;
         end = text.find('\n', begin)) {
        EXPECT_LT(end - begin, 998U);
        begin = end + 1;
    }
}

TEST(Trace, Keywords) {
    EXPECT_EQ(transmission_keyword({.extended = false}), "SMTP");
    EXPECT_EQ(transmission_keyword({}), "ESMTP");
    EXPECT_EQ(transmission_keyword({.lmtp = true}), "LMTP");
    EXPECT_EQ(transmission_keyword({.tls = true, .smtputf8 = true}), "UTF8SMTPS");
}

TEST(Trace, Delivery_lines) {
    EXPECT_EQ(write_return_path(std::nullopt), "Return-Path: <>\r\n");
    const Address bob = parse_address("Bob@example.org").value();
    EXPECT_EQ(write_delivered_to(bob), "Delivered-To: Bob@example.org\r\n");
    EXPECT_TRUE(was_delivered_to("Delivered-To: bob@Example.org\r\n\r\n", bob));
    EXPECT_FALSE(was_delivered_to(
        "Delivered-To: x@example.org\r\n\r\nDelivered-To: bob@example.org\r\n", bob));
}

SubmissionDefaults defaults() {
    return {.now = 1795313706, .message_id = "<new@host>", .from = ""};
}

TEST(Submission, Adds_what_is_missing_and_takes_bcc_out) {
    const SubmissionHeader header = prepare_submission(
        "From: a@b.org\r\nbcc: x@y,\r\n z@y\r\nSubject: s\r\n\r\nbody", defaults());
    EXPECT_EQ(header.block,
              "From: a@b.org\r\nSubject: s\r\nDate: Sun, 22 Nov 2026 02:15:06 +0000\r\nMessage-ID: "
              "<new@host>\r\n\r\n");
    EXPECT_EQ(header.message_id, "<new@host>");
    EXPECT_EQ(header.from.at(0).to_string(), "a@b.org");
    EXPECT_FALSE(header.authors_malformed);
}

TEST(Submission, J7_a_return_path_is_set_at_final_delivery_only) {
    const SubmissionHeader header = prepare_submission(
        "return-path: <x@y.org>\r\nDate: x\r\nMessage-ID: <a@b>\r\nFrom: A <a@b.org>\r\n\r\n",
        defaults());
    EXPECT_EQ(header.block, "Date: x\r\nMessage-ID: <a@b>\r\nFrom: A <a@b.org>\r\n\r\n");
}

TEST(Submission, Leaves_a_whole_header_alone) {
    const std::string_view text = "Date: x\r\nMessage-ID: <a@b>\r\nFrom: A <a@b.org>\r\n\r\n";
    const SubmissionHeader header = prepare_submission(text, defaults());
    EXPECT_EQ(header.block, text);
    EXPECT_EQ(header.original_size, text.size());
    EXPECT_EQ(header.message_id, "<a@b>");
}

TEST(Submission, Broken_headers_get_their_blank_line) {
    const SubmissionHeader header = prepare_submission("From: a@b.org\r\nno field\r\n", defaults());
    EXPECT_EQ(header.original_size, 15U);
    EXPECT_TRUE(header.block.ends_with("\r\n\r\n"));
    EXPECT_EQ(prepare_submission("hello", defaults()).original_size, 0U);
    EXPECT_EQ(prepare_submission("From x\r\nA: b\r\n\r\n", defaults()).block.substr(0, 6),
              "A: b\r\n");
}

// T47.
TEST(Submission, Says_who_wrote_it) {
    const SubmissionHeader header = prepare_submission(
        "From: a@b.org, c@d.org\r\nFrom: e@f.org\r\nSender: g@h.org\r\nResent-From: "
        "i@j.org\r\n\r\n",
        defaults());
    EXPECT_EQ(header.from_fields, 2U);
    EXPECT_EQ(header.from.size(), 3U);
    EXPECT_EQ(header.sender.size(), 1U);
    EXPECT_EQ(header.resent.size(), 1U);
    EXPECT_TRUE(prepare_submission("From: somebody\r\n\r\n", defaults()).authors_malformed);
    EXPECT_TRUE(prepare_submission("From: a@b.org <c@d.org\r\n\r\n", defaults()).authors_malformed);
    EXPECT_TRUE(prepare_submission("From:\r\n\r\n", defaults()).authors_malformed);
    SubmissionDefaults with_from = defaults();
    with_from.from = "me@b.org";
    EXPECT_EQ(prepare_submission("\r\n", with_from).from.at(0).to_string(), "me@b.org");
}

}  // namespace
}  // namespace godwit::mail
