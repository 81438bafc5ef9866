// The client engine against scripted peers, and against our own server.
#include "wire/smtp/client.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "wire/smtp/scripted_caller.h"

namespace godwit::smtp {
namespace {

namespace ev = client_event;

mail::Address address(std::string_view text) {
    return *mail::parse_address(text);
}

OutgoingMail mail_to(std::vector<std::string> recipients, std::size_t size = 3) {
    OutgoingMail mail;
    mail.sender = address("a@example.net");
    for (const std::string& recipient : recipients) {
        mail.recipients.push_back({address(recipient), {}});
    }
    mail.size = size;
    return mail;
}

/// Drives the client; the test plays the peer.
struct Driver {
    explicit Driver(ClientOptions options = {}, std::string body_bytes = "x\r\n")
        : engine(std::move(options)), body(std::move(body_bytes)) {}

    /// What the client says after the peer said `bytes`.
    std::string hears(std::string_view bytes, bool bytewise = false) {
        for (std::size_t i = 0; i < bytes.size(); i += bytewise ? 1 : bytes.size()) {
            engine.feed(bytes.substr(i, bytewise ? 1 : bytes.size()));
        }
        return says();
    }
    std::string says() {
        std::string out;
        bool goes_on = true;
        while (goes_on) {
            goes_on = false;
            while (auto next = engine.next_event()) {
                on(*next);
                goes_on = true;
            }
            const std::string piece_of_output = engine.take_output();
            goes_on = goes_on || !piece_of_output.empty();
            out += piece_of_output;
        }
        return out;
    }
    void on(ev::Event& next) {
        if (std::holds_alternative<ev::Ready>(next)) {
            ++ready;
        } else if (std::holds_alternative<ev::StartTls>(next)) {
            ++tls;
        } else if (std::holds_alternative<ev::NeedBody>(next)) {
            if (supplied < body.size()) {
                const std::size_t size = std::min<std::size_t>(piece, body.size() - supplied);
                engine.supply(std::string_view(body).substr(supplied, size));
                supplied += size;
            } else {
                engine.end_body();
                supplied = 0;
            }
        } else if (auto* done = std::get_if<ev::TransactionDone>(&next)) {
            outcomes = done->outcomes;
            too_many = done->too_many_recipients;
            ++transactions;
        } else if (auto* one = std::get_if<ev::Failed>(&next)) {
            failed = *one;
        } else {
            ++closed;
        }
    }
    ClientEngine engine;
    std::string body;
    std::size_t supplied = 0;
    std::size_t piece = 1000;
    int ready = 0;
    int tls = 0;
    int transactions = 0;
    int closed = 0;
    bool too_many = false;
    std::vector<Outcome> outcomes;
    std::optional<ev::Failed> failed;
};

constexpr std::string_view kPipelining = "250-mx\r\n250-PIPELINING\r\n250 SIZE 1000\r\n";

Driver ready(std::string_view ehlo = kPipelining, ClientOptions options = {}) {
    Driver driver(std::move(options));
    EXPECT_EQ(driver.hears("220 mx ESMTP\r\n"), "EHLO localhost\r\n");
    (void)driver.hears(ehlo);
    EXPECT_EQ(driver.ready, 1);
    return driver;
}

TEST(Client, C2_greeting_of_several_lines_then_a_pipelined_group) {
    Driver driver;
    EXPECT_EQ(driver.hears("220-mx teaser\r\n"), "");
    EXPECT_EQ(driver.engine.waiting_for(), WaitingFor::Greeting);
    EXPECT_EQ(driver.hears("220 mx\r\n"), "EHLO localhost\r\n");
    (void)driver.hears(kPipelining);
    driver.engine.send(mail_to({"b@example.org", "c@example.org"}));
    EXPECT_EQ(driver.says(),
              "MAIL FROM:<a@example.net> SIZE=3\r\nRCPT TO:<b@example.org>\r\nRCPT "
              "TO:<c@example.org>\r\nDATA\r\n");
    EXPECT_EQ(driver.hears("250 ok\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n"), "x\r\n.\r\n");
    EXPECT_EQ(driver.engine.waiting_for(), WaitingFor::DataDoneReply);
    EXPECT_EQ(driver.hears("250 2.0.0 queued\r\n"), "");
    ASSERT_EQ(driver.outcomes.size(), 2U);
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Delivered);
    EXPECT_EQ(driver.outcomes[1].kind, OutcomeKind::Permanent);
    EXPECT_EQ(driver.outcomes[1].scope, FaultScope::Recipient);
    EXPECT_EQ(driver.ready, 2);
    driver.engine.quit();
    EXPECT_EQ(driver.says(), "QUIT\r\n");
    (void)driver.hears("221 bye\r\n");
    EXPECT_EQ(driver.closed, 1);
    EXPECT_FALSE(driver.failed);
}
TEST(Client, without_pipelining_one_command_at_a_time) {
    Driver driver = ready("250 mx\r\n");
    driver.engine.send(mail_to({"b@example.org"}));
    EXPECT_EQ(driver.says(), "MAIL FROM:<a@example.net>\r\n");
    EXPECT_EQ(driver.hears("250 ok\r\n"), "RCPT TO:<b@example.org>\r\n");
    EXPECT_EQ(driver.hears("250 ok\r\n"), "DATA\r\n");
    EXPECT_EQ(driver.engine.waiting_for(), WaitingFor::DataInitReply);
    EXPECT_EQ(driver.hears("354 go\r\n"), "x\r\n.\r\n");
    (void)driver.hears("451 4.3.0 later\r\n");
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Temporary);
    EXPECT_EQ(driver.outcomes[0].scope, FaultScope::Message);
    EXPECT_EQ(driver.ready, 2);
}
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
TEST(Client, MAIL_refused_settles_all_and_keeps_step) {
    Driver driver = ready();
    driver.engine.send(mail_to({"b@example.org", "c@example.org"}));
    (void)driver.says();
    EXPECT_EQ(driver.hears("452 4.3.1 full\r\n503 a\r\n503 b\r\n503 c\r\n"), "RSET\r\n");
    for (const Outcome& outcome : driver.outcomes) {
        EXPECT_EQ(outcome.reply.code, 452);
        EXPECT_EQ(outcome.scope, FaultScope::Message);
    }
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
TEST(Client, C3_C4_refused_greetings) {
    for (const std::string_view greeting : {"554 no\r\n", "421 busy\r\n"}) {
        Driver driver;
        (void)driver.hears(greeting);
        ASSERT_TRUE(driver.failed);
        EXPECT_EQ(driver.failed->scope, FaultScope::Host);
        EXPECT_EQ(driver.failed->stage, Stage::Greeting);
        EXPECT_EQ(driver.closed, 1);
    }
}
TEST(Client, C5_EHLO_refused_then_HELO_without_extensions) {
    Driver driver;
    (void)driver.hears("220 mx\r\n");
    EXPECT_EQ(driver.hears("502 what\r\n"), "HELO localhost\r\n");
    (void)driver.hears("250-mx\r\n250 SIZE 10\r\n");
    driver.engine.send(mail_to({"b@example.org"}, 20));
    EXPECT_EQ(driver.says(), "MAIL FROM:<a@example.net>\r\n");
    EXPECT_TRUE(driver.engine.is_plain_smtp());
}
TEST(Client, C7_lf_only_replies_and_bytewise_input) {
    Driver driver;
    EXPECT_EQ(driver.hears("220 mx\n", true), "EHLO localhost\r\n");
    (void)driver.hears("250-mx\n250 PIPELINING\n", true);
    EXPECT_EQ(driver.ready, 1);
}
TEST(Client, C9_T12_starttls_forgets_and_aborts_on_bytes_behind_the_220) {
    Driver driver;
    (void)driver.hears("220 mx\r\n");
    EXPECT_EQ(driver.hears("250-mx\r\n250-CHUNKING\r\n250 STARTTLS\r\n"), "STARTTLS\r\n");
    (void)driver.hears("220 go\r\n");
    EXPECT_EQ(driver.tls, 1);
    driver.engine.tls_started({});
    EXPECT_EQ(driver.says(), "EHLO localhost\r\n");
    (void)driver.hears("250 mx\r\n");
    EXPECT_FALSE(driver.engine.peer().set.contains(Extension::Chunking));
    for (const std::string_view evil : {"220 go\r\n250 mx\r\n", "220 go\r\n2"}) {
        Driver victim;
        (void)victim.hears("220 mx\r\n");
        (void)victim.hears("250-mx\r\n250 STARTTLS\r\n");
        (void)victim.hears(evil);
        ASSERT_TRUE(victim.failed);
        EXPECT_EQ(victim.failed->stage, Stage::Tls);
    }
}
TEST(Client, C11_C12_tls_by_policy) {
    Driver refused;
    (void)refused.hears("220 mx\r\n");
    (void)refused.hears("250-mx\r\n250 STARTTLS\r\n");
    (void)refused.hears("454 no\r\n");
    EXPECT_EQ(refused.ready, 1);
    for (const std::string_view ehlo : {"250 mx\r\n", "250-mx\r\n250 STARTTLS\r\n"}) {
        Driver strict(ClientOptions{.tls = TlsUse::Required});
        (void)strict.hears("220 mx\r\n");
        if (strict.hears(ehlo) == "STARTTLS\r\n") {
            (void)strict.hears("454 no\r\n");
        }
        ASSERT_TRUE(strict.failed);
        EXPECT_FALSE(strict.failed->is_permanent);
    }
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
TEST(Client, E8_421_ends_the_session_anywhere) {
    Driver driver = ready();
    driver.engine.send(mail_to({"b@example.org"}));
    (void)driver.says();
    EXPECT_EQ(driver.hears("250 ok\r\n421 4.7.0 bye\r\n"), "");
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Temporary);
    EXPECT_EQ(driver.outcomes[0].reply.code, 421);
    EXPECT_TRUE(driver.failed);
    Driver idle = ready();
    (void)idle.hears("421 idle too long\r\n");
    EXPECT_EQ(idle.failed->stage, Stage::Idle);
}
TEST(Client, E8_a_421_right_behind_the_last_reply_takes_Ready_back) {
    Driver driver = ready();
    driver.engine.send(mail_to({"b@example.org"}));
    (void)driver.says();
    (void)driver.hears("250 ok\r\n250 ok\r\n354 go\r\n");
    (void)driver.hears("250 ok\r\n421 bye\r\n");
    EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Delivered);
    EXPECT_EQ(driver.ready, 1);
    driver.engine.send(mail_to({"b@example.org"}));
    (void)driver.says();
    EXPECT_EQ(driver.transactions, 2);
    EXPECT_EQ(driver.outcomes[0].scope, FaultScope::Host);
}
TEST(Client, E11_nonsense_is_a_host_fault) {
    for (const std::string_view nonsense : {"354 go\r\n", "999 x\r\n", "hello\r\n", "100 x\r\n"}) {
        Driver driver = ready();
        driver.engine.send(mail_to({"b@example.org"}));
        (void)driver.says();
        (void)driver.hears(nonsense);
        ASSERT_TRUE(driver.failed) << nonsense;
        EXPECT_EQ(driver.outcomes[0].kind, OutcomeKind::Temporary);
        EXPECT_EQ(driver.outcomes[0].scope, FaultScope::Host);
    }
    Driver driver = ready();
    driver.engine.send(mail_to({"b@example.org"}));
    (void)driver.says();
    (void)driver.hears("250 ok\r\n250 ok\r\n250 what\r\n");
    EXPECT_TRUE(driver.failed);
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
TEST(Client, a_mail_without_recipients_is_done_at_once) {
    Driver driver = ready();
    driver.engine.send(mail_to({}));
    EXPECT_EQ(driver.says(), "");
    EXPECT_EQ(driver.transactions, 1);
    EXPECT_EQ(driver.ready, 2);
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
TEST(Client, E15_groups_are_bounded) {
    Driver driver = ready();
    std::vector<std::string> recipients;
    for (int i = 0; i < 200; ++i) {
        recipients.push_back("r" + std::to_string(i) + "@example.org");
    }
    driver.engine.send(mail_to(recipients));
    const std::string group = driver.says();
    EXPECT_EQ(std::ranges::count(group, '\n'),
              static_cast<std::ptrdiff_t>(limits::smtp_client_group_max));
    std::string said = group;
    for (int i = 0; i < 202 && driver.transactions == 0; ++i) {
        said += driver.hears(i < 201 ? "250 ok\r\n" : "354 go\r\n");
    }
    (void)driver.hears("250 ok\r\n");
    EXPECT_EQ(driver.outcomes.size(), 200U);
    EXPECT_TRUE(said.ends_with("DATA\r\nx\r\n.\r\n"));
}

/// Both engines on one wire, cut at random, with TLS and AUTH.
void converse(ClientOptions options, ServerOptions server_options, std::uint64_t seed,
              std::string body) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    ScriptedCaller server(std::move(server_options));
    options.auth_nonce = "client-nonce-0123456789";
    options.credentials = sasl::Credentials{.name = "alice", .password = "pencil", .authzid = ""};
    Driver client(std::move(options), body);
    client.piece = 1 + random.below(40);
    server.engine.greet();
    server.drain();
    bool sent = false;
    for (int round = 0; round < 5000 && !client.engine.is_closed(); ++round) {
        std::string up = client.says();
        if (client.tls == 1 && !client.engine.is_tls() && server.engine.is_tls()) {
            client.engine.tls_started(
                {.tls_exporter = "exporter", .tls_server_end_point = "certificate"});
            up += client.says();
        }
        if (client.ready == 1 && !sent) {
            sent = true;
            OutgoingMail mail =
                mail_to({"b@example.org", "nobody@example.org", "c@example.org"}, body.size());
            client.engine.send(std::move(mail));
            up += client.says();
        } else if (client.ready == 2) {
            client.engine.quit();
            up += client.says();
        }
        for (std::string_view rest = up; !rest.empty();) {
            const std::size_t size = 1 + random.below(rest.size());
            server.feed(rest.substr(0, size));
            rest.remove_prefix(size);
        }
        const std::string down = server.take_output();
        client.engine.feed(down);
    }
    (void)client.says();
    EXPECT_FALSE(client.failed) << to_string(client.failed->reply);
    ASSERT_EQ(server.mails.size(), 1U);
    EXPECT_EQ(server.mails[0].body, body);
    ASSERT_EQ(client.outcomes.size(), 3U);
    EXPECT_EQ(client.outcomes[0].kind, OutcomeKind::Delivered);
    EXPECT_EQ(client.outcomes[1].kind, OutcomeKind::Permanent);
    EXPECT_EQ(client.outcomes[2].kind, OutcomeKind::Delivered);
    EXPECT_TRUE(client.engine.is_authenticated());
}

TEST(Client, talks_to_our_server_every_way) {
    const std::string body =
        "Subject: x\r\n\r\n.\r\n..\r\n" + std::string(500, 'y') + "\r\n.end\r\n";
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        for (const bool chunks : {false, true}) {
            for (const bool pipelines : {false, true}) {
                ServerOptions server;
                server.service = Service::Submission;
                server.tls_available = server.auth_available = true;
                server.tls_required = server.auth_required = true;
                server.nonce_seed = "seed";
                ClientOptions client;
                client.may_chunk = chunks;
                client.may_pipeline = pipelines;
                converse(std::move(client), std::move(server), seed, body);
            }
        }
    }
}

}  // namespace
}  // namespace godwit::smtp
