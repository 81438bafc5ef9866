#include "sim/peers/report.h"

#include <gtest/gtest.h>

#include "mail/report/dsn.h"

namespace godwit::sim {
namespace {

// What our nodes write, read by who has never seen their code.
TEST(SimReport, A_report_of_ours_is_read) {
    mail::DsnReport report;
    report.reporting_host = "mx.node1.test";
    report.message_id = "<r1@mx.node1.test>";
    report.sender = {.local = "user0", .domain = "peer1.test"};
    report.boundary_seed = "abcdef";
    report.return_full = true;
    report.original = "Message-ID: <t000001@sim.test>\r\nSubject: t000001 x\r\n\r\nbody\r\n";
    mail::DsnRecipient failed;
    failed.final_recipient = {.local = "target", .domain = "peer2.test"};
    failed.original_recipient = "rfc822;alias@node1.test";
    failed.action = mail::DsnAction::Failed;
    failed.status = {5, 1, 1};
    failed.remote_reply = "550 5.1.1 nobody\r\nof that name";
    mail::DsnRecipient delayed = failed;
    delayed.original_recipient.clear();
    delayed.action = mail::DsnAction::Delayed;
    report.recipients = {failed, delayed};
    const Result<std::string> text = mail::build_dsn(report);
    ASSERT_TRUE(text);
    const std::optional<Notification> read =
        read_notification("Received: by x\r\n\tfor y\r\n" + *text);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->message_id, "<r1@mx.node1.test>");
    ASSERT_EQ(read->parts.size(), 2U);
    EXPECT_EQ(read->parts[0].action, "failed");
    EXPECT_EQ(read->parts[0].recipient, "target@peer2.test");
    EXPECT_EQ(read->parts[0].original, "alias@node1.test");
    EXPECT_EQ(read->parts[0].status, "5.1.1");
    EXPECT_EQ(read->parts[1].action, "delayed");
    EXPECT_EQ(read->parts[1].original, "");
    EXPECT_EQ(read->returned, report.original.substr(0, report.original.size() - 2));
}

TEST(SimReport, A_letter_is_no_report) {
    EXPECT_FALSE(read_notification("Subject: x\r\n\r\nAction: failed\r\n"));
    EXPECT_FALSE(read_notification(
        "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--"));
}

}  // namespace
}  // namespace godwit::sim
