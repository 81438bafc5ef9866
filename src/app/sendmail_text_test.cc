// The text that local programs hand in.
#include "app/sendmail_text.h"

#include <gtest/gtest.h>

namespace godwit::app {
namespace {

std::string completed(std::string message) {
    complete_header_addresses(message, "example.org");
    return message;
}

TEST(SendmailText, bare_names_get_the_domain) {
    EXPECT_EQ(
        completed("From: root (Cron Daemon)\r\nTo: bob, Carol <carol>\r\nSubject: s\r\n\r\nb"),
        "From: Cron Daemon <root@example.org>\r\n"
        "To: bob@example.org, Carol <carol@example.org>\r\nSubject: s\r\n\r\nb");
    EXPECT_EQ(completed("Resent-To: x\r\n\r\n"), "Resent-To: x@example.org\r\n\r\n");
}

TEST(SendmailText, what_is_complete_or_unreadable_stays_as_it_is) {
    for (const std::string message :
         {"From:  A  <a@b.test> (c)\r\nSubject: root\r\nX-To: root\r\n\r\nTo: root\r\n",
          "To: undisclosed recipients:;\r\nCc: team: a@b.test, root;\r\n\r\n",
          "To: somebody else\r\n\r\n", "no header at all\r\n", "", "From: \r\n\r\n"}) {
        EXPECT_EQ(completed(message), message);
    }
}

TEST(SendmailText, encoded_names_stay_readable) {
    EXPECT_EQ(completed("From: =?utf-8?Q?J=C3=B6rg?= <joerg>, x@y.test\r\n\r\n"),
              "From: =?utf-8?B?SsO2cmc=?= <joerg@example.org>, x@y.test\r\n\r\n");
}

TEST(SendmailText, an_author_is_added_where_there_is_none) {
    const mail::Address author = *mail::parse_address("a@b.test");
    std::string with_header = "Subject: s\r\n\r\nb\r\n";
    ASSERT_TRUE(add_author(with_header, author, "A B"));
    EXPECT_EQ(with_header, "From: A B <a@b.test>\r\nSubject: s\r\n\r\nb\r\n");
    std::string body_alone = "just text\r\n";
    ASSERT_TRUE(add_author(body_alone, author, ""));
    EXPECT_EQ(body_alone, "From: a@b.test\r\n\r\njust text\r\n");
    std::string has_one = "From: x@y.test\r\n\r\n";
    ASSERT_TRUE(add_author(has_one, author, ""));
    EXPECT_EQ(has_one, "From: x@y.test\r\n\r\n");
}

TEST(SendmailText, a_mailbox_line_is_dropped) {
    std::string text = "From root Sat Jan  1\nSubject: s\n";
    drop_mbox_line(text);
    EXPECT_EQ(text, "Subject: s\n");
    drop_mbox_line(text);
    EXPECT_EQ(text, "Subject: s\n");
}

}  // namespace
}  // namespace godwit::app
