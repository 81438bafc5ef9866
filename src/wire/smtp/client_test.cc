// The client engine against scripted peers, and against our own server: the session.
#include <gtest/gtest.h>

#include "base/random.h"
#include "wire/smtp/client_driver.h"
#include "wire/smtp/scripted_caller.h"

namespace godwit::smtp {
namespace {

namespace ev = client_event;

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
TEST(Client, a_mail_without_recipients_is_done_at_once) {
    Driver driver = ready();
    driver.engine.send(mail_to({}));
    EXPECT_EQ(driver.says(), "");
    EXPECT_EQ(driver.transactions, 1);
    EXPECT_EQ(driver.ready, 2);
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
