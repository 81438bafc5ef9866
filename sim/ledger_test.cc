#include "sim/ledger.h"

#include <gtest/gtest.h>

#include "base/crypto.h"
#include "base/encoding.h"

namespace godwit::sim {
namespace {

constexpr auto kText =
    "Subject: t000007 a letter\r\nMessage-ID: <t000007@sim.test>\r\n\r\nbody\r\n";

TEST(Ledger_tokens, rise) {
    Ledger ledger(nullptr);
    EXPECT_EQ(ledger.new_token(), "t000001");
    EXPECT_EQ(ledger.new_token(), "t000002");
}

TEST(Ledger_find_token, in_letters_and_what_returns_them) {
    EXPECT_EQ(find_token(kText), "t000007");
    EXPECT_EQ(find_token("Received: by x\r\nSubject: t000123 hello\r\n\r\n"), "t000123");
    EXPECT_EQ(find_token("References: <t000004@sim.test>\r\n"), "t000004");
    EXPECT_EQ(find_token("To: t000004@sim.test\r\nX-Subject: t000009\r\n"), "");
    EXPECT_EQ(find_token("Message-ID: <t00004@sim.test>\r\n"), "");
    EXPECT_EQ(find_token(""), "");
}

TEST(Ledger_message_hash, passes_over_trace_lines_on_top_alone) {
    const std::string plain = message_hash(kText);
    EXPECT_EQ(plain, hex_encode(sha256_bytes(kText)));
    EXPECT_EQ(
        message_hash("Return-Path: <a@b>\r\nDelivered-To: c@d\r\nReceived: from x\r\n\tby y;\r\n"
                     "\tnow\r\nReceived: by z\r\n" +
                     std::string(kText)),
        plain);
    EXPECT_NE(message_hash("X-Other: y\r\n" + std::string(kText)), plain);
    EXPECT_NE(message_hash(std::string(kText) + "Received: by z\r\n"), plain);
    EXPECT_EQ(message_hash("Received: by z"), message_hash(""));
}

TEST(Ledger_hops_of, names_who_put_the_lines_on_top) {
    EXPECT_EQ(hops_of("Return-Path: <a@b>\r\nReceived: from x by-way.test\r\n\tby Y.test;\r\n"
                      "\tnow\r\nReceived: by z.test with LMTP;\r\nReceived: odd\r\n" +
                      std::string(kText) + "Received: by below.test;\r\n"),
              (std::vector<std::string>{"y.test", "z.test", ""}));
    EXPECT_TRUE(hops_of(kText).empty());
}

TEST(Ledger_check, a_report_goes_to_the_sender_alone) {
    Ledger ledger(nullptr);
    ledger.wrote({.token = "t000001", .sender = "Ann+work@node1.test", .text = kText});
    ledger.reported("t000001", "x@peer1.test", "ann@node1.test", "failed");
    ledger.check();
    EXPECT_TRUE(ledger.findings().empty());
    ledger.reported("t000001", "x@peer1.test", "ben@node1.test", "failed");
    ledger.check();
    EXPECT_EQ(ledger.findings().size(), 1U);
}

TEST(Ledger_check, the_null_sender_is_told_nothing) {
    Ledger ledger(nullptr);
    ledger.wrote({.token = "t000001", .sender = "", .text = kText});
    ledger.reported("t000001", "x@peer1.test", "ann@node1.test", "failed");
    ledger.check();
    EXPECT_EQ(ledger.findings().size(), 1U);
}

TEST(Ledger_check, letters_that_nobody_wrote) {
    Ledger ledger(nullptr);
    ledger.taken_abroad("t000009", {.peer = "peer1.test",
                                    .recipient = "user0@peer1.test",
                                    .node = "mx.node1.test",
                                    .body_sha256 = "",
                                    .at = {}});
    ledger.reported("t000009", "x@peer1.test", "ann@node1.test", "failed");
    ledger.removed("t000009", "ann@node1.test");
    EXPECT_EQ(ledger.findings().size(), 3U);
}

}  // namespace
}  // namespace godwit::sim
