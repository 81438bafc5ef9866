// What the client says of a message to which peer, and what it makes of several answers.
#include <gtest/gtest.h>

#include "wire/smtp/client_driver.h"

namespace godwit::smtp {
namespace {

namespace ev = client_event;

TEST(Client, H8_a_probe_ends_before_the_content) {
    for (const std::string_view ehlo :
         {kPipelining, std::string_view("250-mx\r\n250 CHUNKING\r\n")}) {
        const bool is_pipelining = ehlo == kPipelining;
        Driver driver = ready(ehlo);
        OutgoingMail mail = mail_to({"b@example.org", "c@example.org"});
        mail.sender.reset();
        mail.is_probe = true;
        driver.engine.send(std::move(mail));
        const std::string both = "RCPT TO:<b@example.org>\r\nRCPT TO:<c@example.org>\r\n";
        if (is_pipelining) {
            EXPECT_EQ(driver.says(), "MAIL FROM:<>\r\n" + both);
            EXPECT_EQ(driver.hears("250 ok\r\n250 2.1.5 welcome\r\n"), "");
        } else {
            EXPECT_EQ(driver.says(), "MAIL FROM:<>\r\n");
            EXPECT_EQ(driver.hears("250 ok\r\n"), "RCPT TO:<b@example.org>\r\n");
            EXPECT_EQ(driver.hears("250 2.1.5 welcome\r\n"), "RCPT TO:<c@example.org>\r\n");
        }
        EXPECT_EQ(driver.transactions, 0);
        EXPECT_EQ(driver.hears("550 5.1.1 nobody\r\n"), "RSET\r\n");
        ASSERT_EQ(driver.outcomes.size(), 2U);
        EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Delivered);
        EXPECT_EQ(driver.outcomes[0].stage, Stage::Rcpt);
        EXPECT_EQ(driver.outcomes[0].reply.text, "welcome");
        EXPECT_EQ(driver.outcomes[1].kind, OutcomeKind::Permanent);
        EXPECT_EQ(driver.supplied, 0U);
        EXPECT_EQ(driver.hears("250 reset\r\n"), "");
        EXPECT_EQ(driver.ready, 2);
    }
}
TEST(Client, H8_a_probe_that_all_is_refused_to) {
    Driver driver = ready();
    OutgoingMail mail = mail_to({"b@example.org"});
    mail.is_probe = true;
    driver.engine.send(std::move(mail));
    EXPECT_EQ(driver.says(), "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n");
    EXPECT_EQ(driver.hears("451 4.7.1 not now\r\n503 no mail\r\n"), "RSET\r\n");
    ASSERT_EQ(driver.outcomes.size(), 1U);
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Temporary);
    EXPECT_EQ(driver.outcomes[0].stage, Stage::Mail);
}
TEST(Client, B5_D8_refused_here_where_the_peer_cannot) {
    Driver driver = ready();
    driver.engine.send(mail_to({"b@example.org"}, 1001));
    EXPECT_EQ(driver.says(), "");
    EXPECT_EQ(driver.outcomes[0].reply.code, 552);
    EXPECT_TRUE(driver.outcomes[0].is_local);
    OutgoingMail utf8 = mail_to({"j\xC3\xBCrgen@example.org"});
    driver.engine.send(std::move(utf8));
    EXPECT_EQ(driver.says(), "");
    EXPECT_EQ(driver.outcomes[0].reply.enhanced, (EnhancedStatus{5, 6, 7}));
    EXPECT_EQ(driver.ready, 3);
    driver.engine.send(mail_to({"b@example.org"}, 1000));
    EXPECT_NE(driver.says(), "");
}
TEST(Client, Rfc8689_requiretls_only_within_tls_and_where_it_is_offered) {
    const auto secret = [] {
        OutgoingMail mail = mail_to({"b@example.org"});
        mail.require_tls = true;
        return mail;
    };
    Driver clear = ready("250-mx\r\n250 REQUIRETLS\r\n");
    clear.engine.send(secret());
    EXPECT_EQ(clear.says(), "");
    EXPECT_EQ(clear.outcomes[0].reply.enhanced, (EnhancedStatus{5, 7, 30}));
    EXPECT_EQ(clear.outcomes[0].kind, OutcomeKind::Permanent);
    EXPECT_EQ(clear.outcomes[0].scope, FaultScope::Host);
    EXPECT_EQ(clear.ready, 2);
    Driver lacking({.tls_active = true});
    (void)lacking.hears("220 mx\r\n");
    (void)lacking.hears("250 mx\r\n");
    lacking.engine.send(secret());
    EXPECT_EQ(lacking.says(), "");
    EXPECT_EQ(lacking.outcomes[0].reply.enhanced, (EnhancedStatus{5, 7, 30}));
    OutgoingMail report = secret();
    report.sender.reset();
    lacking.engine.send(std::move(report));
    EXPECT_EQ(lacking.says(), "MAIL FROM:<>\r\n");  // RFC 8689 5: reports go on without.
    Driver offered({.tls_active = true});
    (void)offered.hears("220 mx\r\n");
    (void)offered.hears("250-mx\r\n250 REQUIRETLS\r\n");
    offered.engine.send(secret());
    EXPECT_EQ(offered.says(), "MAIL FROM:<a@example.net> REQUIRETLS\r\n");
}
TEST(Client, Rfc2852_Rfc6710_times_and_priorities_are_handed_on_only_where_offered) {
    const auto mail = [](ByTime::Mode mode, std::int64_t seconds) {
        OutgoingMail asked = mail_to({"b@example.org"});
        asked.by = ByTime{.seconds = seconds, .mode = mode, .is_traced = true};
        asked.priority = -3;
        return asked;
    };
    Driver plain = ready("250 mx\r\n");
    plain.engine.send(mail(ByTime::Mode::Return, 60));
    EXPECT_EQ(plain.says(), "");
    EXPECT_EQ(plain.outcomes[0].reply.enhanced, (EnhancedStatus{5, 3, 3}));
    plain.engine.send(mail(ByTime::Mode::Notify, -60));
    EXPECT_EQ(plain.says(), "MAIL FROM:<a@example.net>\r\n");
    Driver slow = ready("250-mx\r\n250 DELIVERBY 60\r\n");
    slow.engine.send(mail(ByTime::Mode::Return, 59));
    EXPECT_EQ(slow.says(), "");
    EXPECT_EQ(slow.outcomes[0].reply.enhanced, (EnhancedStatus{5, 4, 7}));
    slow.engine.send(mail(ByTime::Mode::Return, 60));
    EXPECT_EQ(slow.says(), "MAIL FROM:<a@example.net> BY=60;RT\r\n");
    Driver able = ready("250-mx\r\n250-DELIVERBY\r\n250 MT-PRIORITY\r\n");
    able.engine.send(mail(ByTime::Mode::Notify, -60));
    EXPECT_EQ(able.says(), "MAIL FROM:<a@example.net> BY=-60;NT MT-PRIORITY=-3\r\n");
}
TEST(Client, D10_binary_goes_by_chunks_and_octet_for_octet) {
    const std::string body("a\0b\nc\rd", 7);
    Driver driver({}, body);
    (void)driver.hears("220 mx\r\n");
    (void)driver.hears("250-mx\r\n250-CHUNKING\r\n250 BINARYMIME\r\n");
    OutgoingMail mail = mail_to({"b@example.org"}, body.size());
    mail.is_binary = true;
    driver.engine.send(mail);
    EXPECT_EQ(driver.says(), "MAIL FROM:<a@example.net> BODY=BINARYMIME\r\n");
    (void)driver.hears("250 ok\r\n");
    EXPECT_EQ(driver.hears("250 ok\r\n"), "BDAT 7 LAST\r\n" + body);
    (void)driver.hears("250 ok\r\n");
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Delivered);
    for (const std::string_view lacking :
         {"250-mx\r\n250 CHUNKING\r\n", "250-mx\r\n250 BINARYMIME\r\n"}) {
        Driver other = ready(lacking);
        other.engine.send(mail);
        EXPECT_EQ(other.says(), "");
        EXPECT_EQ(other.outcomes[0].reply.enhanced, (EnhancedStatus{5, 6, 1}));
    }
}
TEST(Client, B6_too_many_recipients_put_the_rest_off) {
    Driver driver = ready("250 mx\r\n");
    driver.engine.send(mail_to({"b@example.org", "c@example.org", "d@example.org"}));
    (void)driver.says();
    (void)driver.hears("250 ok\r\n");
    (void)driver.hears("250 ok\r\n");
    EXPECT_EQ(driver.hears("552 too many\r\n"), "DATA\r\n");
    (void)driver.hears("354 go\r\n");
    (void)driver.hears("250 ok\r\n");
    EXPECT_TRUE(driver.too_many);
    EXPECT_FALSE(driver.outcomes[0].is_for_number);
    EXPECT_TRUE(driver.outcomes[1].is_for_number);
    EXPECT_TRUE(driver.outcomes[2].is_for_number);
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Delivered);
    EXPECT_EQ(driver.outcomes[1].kind, OutcomeKind::Temporary);
    EXPECT_EQ(driver.outcomes[2].kind, OutcomeKind::Temporary);
}
TEST(Client, D12_dsn_parameters_are_handed_on_only_where_offered) {
    for (const bool is_offered : {false, true}) {
        Driver driver = ready(is_offered ? "250-mx\r\n250 DSN\r\n" : "250 mx\r\n");
        OutgoingMail mail = mail_to({"b@example.org"});
        mail.ret = DsnReturn::Headers;
        mail.envid = "a+b c";
        mail.recipients[0].parameters.notify = {.is_stated = true, .success = true, .delay = true};
        mail.recipients[0].parameters.orcpt = OriginalRecipient{"rfc822", "x+y@z.example"};
        driver.engine.send(std::move(mail));
        EXPECT_EQ(driver.says(), is_offered
                                     ? "MAIL FROM:<a@example.net> RET=HDRS ENVID=a+2Bb+20c\r\n"
                                     : "MAIL FROM:<a@example.net>\r\n");
        EXPECT_EQ(
            driver.hears("250 ok\r\n"),
            is_offered
                ? "RCPT TO:<b@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@z.example\r\n"
                : "RCPT TO:<b@example.org>\r\n");
    }
}
TEST(Client, D12_original_recipients_in_utf8_as_the_peer_takes_them) {
    for (const bool is_taken : {true, false}) {
        Driver driver =
            ready(is_taken ? "250-mx\r\n250-SMTPUTF8\r\n250 DSN\r\n" : "250-mx\r\n250 DSN\r\n");
        auto mail = mail_to({"b@example.org"});
        mail.recipients[0].parameters.orcpt = OriginalRecipient{"utf-8", "\xC3\xBC+x@z.example"};
        driver.engine.send(std::move(mail));
        (void)driver.says();
        EXPECT_EQ(driver.hears("250 ok\r\n"),
                  is_taken ? "RCPT TO:<b@example.org> ORCPT=utf-8;\xC3\xBC\\x{2B}x@z.example\r\n"
                           : "RCPT TO:<b@example.org> ORCPT=utf-8;\\x{FC}\\x{2B}x@z.example\r\n");
    }
}
TEST(Client, LMTP_one_outcome_each) {
    Driver driver(ClientOptions{.is_lmtp = true});
    EXPECT_EQ(driver.hears("220 mx LMTP\r\n"), "LHLO localhost\r\n");
    (void)driver.hears(kPipelining);
    driver.engine.send(mail_to({"b@example.org", "c@example.org", "d@example.org"}));
    (void)driver.says();
    (void)driver.hears("250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n");
    (void)driver.hears("250 ok\r\n");
    EXPECT_EQ(driver.transactions, 0);
    (void)driver.hears("452 4.2.2 full\r\n");
    ASSERT_EQ(driver.outcomes.size(), 3U);
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Delivered);
    EXPECT_EQ(driver.outcomes[1].kind, OutcomeKind::Permanent);
    EXPECT_EQ(driver.outcomes[2].kind, OutcomeKind::Temporary);
    EXPECT_EQ(driver.outcomes[2].scope, FaultScope::Recipient);
}
constexpr std::string_view kPrdr = "250-mx\r\n250-PIPELINING\r\n250 PRDR\r\n";

TEST(Client, PRDR_gives_each_recipient_an_outcome) {
    Driver driver = ready(kPrdr);
    driver.engine.send(mail_to({"b@example.org", "c@example.org", "d@example.org"}));
    EXPECT_TRUE(driver.says().starts_with("MAIL FROM:<a@example.net> PRDR\r\n"));
    (void)driver.hears("250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n");
    EXPECT_EQ(driver.hears("353-wait\r\n353 here they are\r\n250 ok\r\n"), "");
    (void)driver.hears("452 4.2.2 full\r\n");
    EXPECT_EQ(driver.transactions, 0);
    EXPECT_EQ(driver.hears("250 2.0.0 taken\r\n"), "");
    ASSERT_EQ(driver.outcomes.size(), 3U);
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Delivered);
    EXPECT_EQ(driver.outcomes[1].kind, OutcomeKind::Permanent);
    EXPECT_EQ(driver.outcomes[2].kind, OutcomeKind::Temporary);
    EXPECT_EQ(driver.outcomes[2].scope, FaultScope::Recipient);
    EXPECT_EQ(driver.outcomes[2].reply.code, 452);
    EXPECT_EQ(driver.ready, 2);
}
TEST(Client, PRDR_counts_only_when_the_whole_is_taken) {
    Driver driver = ready(kPrdr);
    driver.engine.send(mail_to({"b@example.org", "c@example.org"}));
    (void)driver.says();
    (void)driver.hears("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    (void)driver.hears("353 here they are\r\n250 ok\r\n550 5.7.1 not for me\r\n451 4.3.0 no\r\n");
    ASSERT_EQ(driver.outcomes.size(), 2U);
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Temporary);
    EXPECT_EQ(driver.outcomes[0].reply.code, 451);
    EXPECT_EQ(driver.outcomes[1].kind, OutcomeKind::Permanent);
}
TEST(Client, PRDR_without_a_block_is_one_reply_for_all) {
    Driver driver = ready(kPrdr);
    driver.engine.send(mail_to({"b@example.org", "c@example.org"}));
    (void)driver.says();
    (void)driver.hears("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    (void)driver.hears("250 taken\r\n");
    ASSERT_EQ(driver.outcomes.size(), 2U);
    EXPECT_EQ(driver.outcomes[1].kind, OutcomeKind::Delivered);
    // For one recipient it is not asked for, and a heading that nobody asked for is nonsense.
    driver.engine.send(mail_to({"b@example.org"}));
    EXPECT_FALSE(driver.says().contains("PRDR"));
    (void)driver.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    (void)driver.hears("353 here they are\r\n");
    ASSERT_EQ(driver.outcomes.size(), 1U);
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Temporary);
    EXPECT_TRUE(driver.failed.has_value());
}
TEST(Client, E4_PRDR_lost_in_the_block_is_ambiguous) {
    Driver driver = ready(kPrdr);
    driver.engine.send(mail_to({"b@example.org", "c@example.org"}));
    (void)driver.says();
    (void)driver.hears("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    (void)driver.hears("353 here\r\n250 ok\r\n");
    driver.engine.on_disconnect("gone");
    (void)driver.says();
    ASSERT_EQ(driver.outcomes.size(), 2U);
    EXPECT_TRUE(driver.outcomes[0].is_ambiguous);
    EXPECT_TRUE(driver.outcomes[1].is_ambiguous);
}
TEST(Client, Rfc7293_who_must_be_checked_goes_only_where_it_can_be) {
    OutgoingMail mail = mail_to({"b@example.org", "c@example.org", "d@example.org"});
    mail.recipients[0].parameters.valid_since = ValidSince{.at = 0, .must_be_checked = true};
    mail.recipients[1].parameters.valid_since = ValidSince{.at = 0, .must_be_checked = false};
    Driver driver = ready();
    driver.engine.send(mail);
    const std::string said = driver.says();
    EXPECT_FALSE(said.contains("RRVS"));
    EXPECT_FALSE(said.contains("b@example.org"));
    (void)driver.hears("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    (void)driver.hears("250 taken\r\n");
    ASSERT_EQ(driver.outcomes.size(), 3U);
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Permanent);
    EXPECT_EQ(driver.outcomes[0].reply.enhanced, (EnhancedStatus{5, 3, 3}));
    EXPECT_TRUE(driver.outcomes[0].is_local);
    EXPECT_EQ(driver.outcomes[1].kind, OutcomeKind::Delivered);
    EXPECT_EQ(driver.outcomes[2].kind, OutcomeKind::Delivered);

    mail.recipients.resize(1);
    driver.engine.send(mail);
    EXPECT_EQ(driver.says(), "");
    EXPECT_EQ(driver.ready, 3);

    Driver able = ready("250-mx\r\n250-PIPELINING\r\n250 RRVS\r\n");
    mail.recipients[0].parameters.valid_since->must_be_checked = false;
    able.engine.send(mail);
    EXPECT_TRUE(able.says().contains("RCPT TO:<b@example.org> RRVS=1970-01-01T00:00:00Z;C\r\n"));
}
TEST(Client, Rfc3865_SOLICIT_is_handed_on_where_it_is_offered) {
    OutgoingMail mail = mail_to({"b@example.org"});
    mail.solicit = "net.example:ADV";
    Driver able = ready("250-mx\r\n250 NO-SOLICITING org.example:ADV\r\n");
    able.engine.send(mail);
    EXPECT_EQ(able.says(), "MAIL FROM:<a@example.net> SOLICIT=net.example:ADV\r\n");
    Driver unable = ready();
    unable.engine.send(mail);
    EXPECT_FALSE(unable.says().contains("SOLICIT"));
}

}  // namespace
}  // namespace godwit::smtp
