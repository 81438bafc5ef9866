// The message itself: who gets it, how it ends, and what is known when the connection is lost.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "wire/smtp/client_driver.h"

namespace godwit::smtp {
namespace {

namespace ev = client_event;

TEST(Client, E1_all_refused_but_354_gets_a_lone_dot) {
    Driver driver = ready();
    driver.engine.send(mail_to({"b@example.org"}));
    (void)driver.says();
    EXPECT_EQ(driver.hears("250 ok\r\n550 5.1.1 no\r\n354 go\r\n"), ".\r\n");
    EXPECT_EQ(driver.hears("250 ok\r\n"), "RSET\r\n");
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Permanent);
    (void)driver.hears("250 ok\r\n");
    EXPECT_EQ(driver.ready, 2);
}
TEST(Client, E1_all_refused_and_DATA_refused) {
    Driver driver = ready();
    driver.engine.send(mail_to({"b@example.org"}));
    (void)driver.says();
    EXPECT_EQ(driver.hears("250 ok\r\n550 5.1.1 no\r\n554 5.5.1 none\r\n"), "RSET\r\n");
    EXPECT_EQ(driver.outcomes[0].reply.code, 550);
}
TEST(Client, E3_E4_E6_lost_after_the_dot_is_ambiguous) {
    for (const bool by_timeout : {false, true}) {
        Driver driver = ready();
        driver.engine.send(mail_to({"b@example.org", "c@example.org"}));
        (void)driver.says();
        (void)driver.hears("250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n");
        by_timeout ? driver.engine.on_timeout() : driver.engine.on_disconnect("reset");
        (void)driver.says();
        EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Temporary);
        EXPECT_TRUE(driver.outcomes[0].is_ambiguous);
        EXPECT_EQ(driver.outcomes[0].scope, FaultScope::Message);
        EXPECT_EQ(driver.outcomes[1].kind, OutcomeKind::Permanent);
        EXPECT_EQ(driver.closed, 1);
    }
}
TEST(Client, E4_E7_what_was_not_written_whole_is_not_ambiguous) {
    for (const std::string_view ehlo : {"250 mx\r\n", "250-mx\r\n250 CHUNKING\r\n"}) {
        Driver driver = ready(ehlo);
        driver.engine.send(mail_to({"b@example.org"}));
        (void)driver.says();
        (void)driver.hears("250 ok\r\n");
        (void)driver.hears("250 ok\r\n");
        if (!ehlo.contains("CHUNKING")) {
            EXPECT_EQ(driver.hears("354 go\r\n"), "x\r\n.\r\n");
        }
        driver.engine.on_write_failed();
        driver.engine.on_disconnect("reset");
        (void)driver.says();
        ASSERT_EQ(driver.outcomes.size(), 1U);
        EXPECT_FALSE(driver.outcomes[0].is_ambiguous);
        EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Temporary);
        EXPECT_EQ(driver.outcomes[0].scope, FaultScope::Host);
        EXPECT_EQ(driver.outcomes[0].stage, Stage::Body);
    }
}
TEST(Client, E7_a_refusal_is_heard_after_a_failed_write) {
    Driver driver = ready("250 mx\r\n");
    driver.engine.send(mail_to({"b@example.org"}));
    (void)driver.says();
    (void)driver.hears("250 ok\r\n");
    (void)driver.hears("250 ok\r\n");
    (void)driver.hears("354 go\r\n");
    driver.engine.on_write_failed();
    (void)driver.hears("554 5.7.1 not here\r\n");
    driver.engine.on_disconnect("reset");
    (void)driver.says();
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Permanent);
    EXPECT_EQ(driver.outcomes[0].reply.code, 554);
}
TEST(Client, E4_E19_the_last_counted_octet_ends_the_message) {
    for (const std::size_t size : {0U, 3U}) {
        Driver driver = ready("250-mx\r\n250 CHUNKING\r\n");
        driver.engine.send(mail_to({"b@example.org"}, size));
        (void)driver.says();
        (void)driver.hears("250 ok\r\n");
        driver.engine.feed("250 ok\r\n");
        if (size > 0) {
            EXPECT_FALSE(driver.engine.is_message_complete());
            ASSERT_TRUE(std::holds_alternative<ev::NeedBody>(*driver.engine.next_event()));
            driver.engine.supply("x\r\n");
        }
        EXPECT_TRUE(driver.engine.is_message_complete());
        EXPECT_TRUE(driver.engine.take_output().starts_with("BDAT"));
        EXPECT_EQ(driver.engine.waiting_for(), WaitingFor::BodyWrite);
        driver.engine.on_disconnect("reset");
        (void)driver.says();
        EXPECT_TRUE(driver.outcomes[0].is_ambiguous) << size;
        EXPECT_EQ(driver.outcomes[0].scope, FaultScope::Message);
    }
}
TEST(Client, the_end_leaves_with_the_body) {
    Driver driver = ready("250 mx\r\n");
    driver.body = std::string(limits::stream_write_buffer_max - 1, 'x');
    driver.engine.send(mail_to({"b@example.org"}, driver.body.size()));
    (void)driver.says();
    (void)driver.hears("250 ok\r\n");
    (void)driver.hears("250 ok\r\n");
    driver.engine.feed("354 go\r\n");
    while (auto next = driver.engine.next_event()) {
        driver.on(*next);
    }
    EXPECT_EQ(driver.engine.take_output().size(), driver.body.size() + 5);
}
TEST(Client, E7_a_refusal_in_mid_body_stops_it_without_a_dot) {
    Driver driver = ready();
    driver.body = std::string(600, 'x');
    driver.engine.send(mail_to({"b@example.org"}, 600));
    (void)driver.says();
    driver.engine.feed("250 ok\r\n250 ok\r\n354 go\r\n");
    ASSERT_TRUE(std::holds_alternative<ev::NeedBody>(*driver.engine.next_event()));
    driver.engine.supply(std::string_view(driver.body).substr(0, 300));
    EXPECT_EQ(driver.hears("552 5.3.4 too big\r\n"), "");
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Permanent);
    EXPECT_TRUE(driver.engine.is_closed());
}
TEST(Client, E19_one_exact_chunk_and_only_when_wanted) {
    Driver driver = ready("250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    driver.body = ".\r\n.";
    driver.engine.send(mail_to({"b@example.org"}, 4));
    EXPECT_EQ(driver.says(), "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n");
    EXPECT_EQ(driver.hears("250 ok\r\n250 ok\r\n"), "BDAT 4 LAST\r\n.\r\n.");
    EXPECT_EQ(driver.hears("550 no\r\n"), "RSET\r\n");
    (void)driver.hears("250 ok\r\n");
    driver.engine.send(mail_to({"b@example.org"}, 4));
    (void)driver.says();
    EXPECT_EQ(driver.hears("250 ok\r\n550 no\r\n"), "RSET\r\n");
}
TEST(Client, the_body_waits_for_the_writer) {
    Driver driver = ready("250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    driver.engine.send(mail_to({"b@example.org"}, 10 * 1024 * 1024));
    (void)driver.says();
    driver.engine.feed("250 ok\r\n250 ok\r\n");
    const std::string piece(16 * 1024, 'x');
    std::size_t pieces = 0;
    while (driver.engine.next_event()) {
        driver.engine.supply(piece);
        ++pieces;
    }
    EXPECT_EQ(driver.engine.waiting_for(), WaitingFor::BodyWrite);
    EXPECT_LE(pieces * piece.size(), limits::stream_write_buffer_max);
    (void)driver.engine.take_output();
    EXPECT_TRUE(driver.engine.next_event());
}
TEST(Client, A3_the_body_leaves_canonical) {
    Driver driver = ready();
    driver.body = "a\nb\rc\r\n.\r\n";
    driver.piece = 1;
    driver.engine.send(mail_to({"b@example.org"}, driver.body.size()));
    (void)driver.says();
    EXPECT_EQ(driver.hears("250 ok\r\n250 ok\r\n354 go\r\n"), "a b c\r\n..\r\n.\r\n");
    EXPECT_TRUE(driver.engine.is_body_altered());
}
TEST(Client, a_short_body_is_cut_never_ended) {
    Driver driver = ready();
    driver.engine.send(mail_to({"b@example.org"}, 10));
    (void)driver.says();
    EXPECT_EQ(driver.hears("250 ok\r\n250 ok\r\n354 go\r\n"), "");
    EXPECT_TRUE(driver.engine.is_closed());
    EXPECT_TRUE(driver.outcomes[0].is_local);
}

}  // namespace
}  // namespace godwit::smtp
