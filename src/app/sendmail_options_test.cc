// Options of sendmail(8) as programs write them.
#include "app/sendmail_options.h"

#include <gtest/gtest.h>

namespace godwit::app {
namespace {

SendmailOptions read(const std::vector<std::string>& words) {
    auto options = read_sendmail_options("sendmail", words);
    EXPECT_TRUE(options) << (options ? "" : options.error().text);
    return options.value_or(SendmailOptions{});
}

TEST(Sendmail, what_cron_and_php_write) {
    const SendmailOptions cron = read({"-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"});
    EXPECT_EQ(cron.full_name, "CronDaemon");
    EXPECT_TRUE(cron.dot_is_text);
    EXPECT_EQ(cron.recipients, std::vector<std::string>{"root"});
    const SendmailOptions php = read({"-t", "-i", "-f", "www@example.org"});
    EXPECT_TRUE(php.recipients_from_header);
    EXPECT_EQ(php.sender, "www@example.org");
}

TEST(Sendmail, what_mutt_and_git_write) {
    const SendmailOptions mutt = read({"-oem", "-oi", "-f", "a@b.c", "--", "x@y.z", "-odd@y.z"});
    EXPECT_TRUE(mutt.dot_is_text);
    EXPECT_EQ(mutt.recipients, (std::vector<std::string>{"x@y.z", "-odd@y.z"}));
    EXPECT_EQ(read({"-fa@b.c", "-ti"}).sender, "a@b.c");
}

TEST(Sendmail, null_sender_is_empty) {
    EXPECT_EQ(read({"-f", "<>", "x@y.z"}).sender, "");
    EXPECT_EQ(read({"-f", "", "x@y.z"}).sender, "");
    EXPECT_EQ(read({"x@y.z"}).sender, std::nullopt);
}

TEST(Sendmail, modes) {
    EXPECT_EQ(read({"-bp"}).mode, SendmailMode::PrintQueue);
    EXPECT_EQ(read({"-bs"}).mode, SendmailMode::Smtp);
    EXPECT_EQ(read({"-q"}).mode, SendmailMode::RunQueue);
    EXPECT_EQ(read({"-q15m"}).mode, SendmailMode::RunQueue);
    EXPECT_EQ(read({"-bm", "-odi", "x"}).mode, SendmailMode::Deliver);
    EXPECT_EQ(read_sendmail_options("mailq", {})->mode, SendmailMode::PrintQueue);
    EXPECT_EQ(read_sendmail_options("newaliases", {})->mode, SendmailMode::Nothing);
    EXPECT_FALSE(read_sendmail_options("sendmail", {"-bd"}));
}

TEST(Sendmail, dsn_options) {
    const SendmailOptions options =
        read({"-N", "success,delay", "-R", "hdrs", "-V", "id1", "x@y.z"});
    EXPECT_TRUE(options.notify.is_stated);
    EXPECT_TRUE(options.notify.success);
    EXPECT_FALSE(options.notify.failure);
    EXPECT_EQ(options.ret, smtp::DsnReturn::Headers);
    EXPECT_EQ(options.envid, "id1");
    EXPECT_FALSE(read_sendmail_options("sendmail", {"-N", "often"}));
}

TEST(Sendmail, place_options_may_stand_anywhere) {
    const SendmailOptions options =
        read({"-t", "--dir", "/tmp/x", "a@b.c", "--config=/etc/g.toml"});
    EXPECT_EQ(options.dir, "/tmp/x");
    EXPECT_EQ(options.config, "/etc/g.toml");
    EXPECT_EQ(options.recipients, std::vector<std::string>{"a@b.c"});
}

TEST(Sendmail, unknown_and_incomplete_options_are_errors) {
    EXPECT_FALSE(read_sendmail_options("sendmail", {"-Z"}));
    EXPECT_FALSE(read_sendmail_options("sendmail", {"-f"}));
    EXPECT_FALSE(read_sendmail_options("sendmail", {"--jsn"}));
}

TEST(Sendmail, a_dot_alone_ends_the_text_unless_told_not_to) {
    EXPECT_EQ(cut_at_dot("a\n.\nb\n", {}), "a\n");
    EXPECT_EQ(cut_at_dot("a\r\n.\r\nb\r\n", {}), "a\r\n");
    EXPECT_EQ(cut_at_dot("a\n..\n.b\n", {}), "a\n..\n.b\n");
    EXPECT_EQ(cut_at_dot("a\n.", {}), "a\n");
    EXPECT_EQ(cut_at_dot("a\n.\nb\n", read({"-i"})), "a\n.\nb\n");
}

}  // namespace
}  // namespace godwit::app
