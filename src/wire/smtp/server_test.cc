// The server engine where a dialogue is too long or too random to be written down.
#include "wire/smtp/server.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "wire/smtp/scripted_caller.h"

namespace godwit::smtp {
namespace {

using namespace std::string_view_literals;

ServerOptions options(Service service = Service::Mx) {
    ServerOptions result;
    result.service = service;
    result.hostname = "mx.example.org";
    result.nonce_seed = "seed";
    return result;
}
std::string talk(ScriptedCaller& caller, std::string_view bytes) {
    caller.feed(bytes);
    return caller.take_output();
}
ScriptedCaller started(ServerOptions chosen = options()) {
    ScriptedCaller caller(std::move(chosen));
    caller.engine.greet();
    (void)talk(caller, "EHLO c\r\n");
    return caller;
}
void open_data(ScriptedCaller& caller) {
    (void)talk(caller, "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n");
    ASSERT_TRUE(talk(caller, "DATA\r\n").starts_with("354 "));
}

// T1: every string of up to six of these in the middle of a body, followed by a forged transaction.
TEST(Server, T1_no_string_smuggles_a_command) {
    static constexpr std::string_view kAlphabet = "\r\n.\0x"sv;
    std::size_t runs = 0;
    for (std::size_t length = 0; length <= 7; ++length) {
        std::size_t total = 1;
        for (std::size_t i = 0; i < length; ++i) {
            total *= kAlphabet.size();
        }
        for (std::size_t number = 0; number < total; ++number, ++runs) {
            std::string infix;
            for (std::size_t i = 0, rest = number; i < length; ++i, rest /= kAlphabet.size()) {
                infix += kAlphabet[rest % kAlphabet.size()];
            }
            ScriptedCaller caller(options());
            caller.engine.greet();
            caller.feed("HELO c\r\n");
            open_data(caller);
            const std::string wire =
                "a" + infix +
                "MAIL FROM:<forged@example.net>\r\nRCPT TO:<b@example.org>\r\nRSET\r\n.\r\n";
            caller.feed(wire);
            // The five octets, and nothing else, end the first message.
            const std::string raw = "a" + infix;
            const bool ends_early = raw.find("\r\n.\r\n") != std::string::npos;
            const bool forged =
                std::ranges::find(caller.log, "mail <forged@example.net>") != caller.log.end();
            const bool may_run = ends_early && raw.find("\r\r\n.\r\n") == std::string::npos;
            ASSERT_TRUE(may_run || !forged) << number << " of length " << length;
            ASSERT_LE(caller.mails.size(), 1U);
            for (const TakenMail& mail : caller.mails) {
                // What is taken can be sent on by anyone: canonical, no NUL.
                ASSERT_EQ(mail.body.find('\0'), std::string::npos);
                for (std::size_t i = 0; i < mail.body.size(); ++i) {
                    ASSERT_TRUE(mail.body[i] != '\n' || (i > 0 && mail.body[i - 1] == '\r'));
                    ASSERT_TRUE(mail.body[i] != '\r' || mail.body[i + 1] == '\n');
                }
            }
        }
    }
    EXPECT_EQ(runs, 97656U);
}

TEST(Server, A9_T6_bytes_before_the_greeting_end_it) {
    ScriptedCaller caller(options());
    EXPECT_TRUE(talk(caller, "EHLO early\r\n").starts_with("554 5.5.0"));
    EXPECT_TRUE(caller.closed);
}
TEST(Server, A9_a_local_pipe_may_write_its_script_in_one_go) {
    constexpr std::string_view kScript =
        "EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n";
    ServerOptions stranger = options();
    ScriptedCaller refused(stranger);
    refused.engine.greet();
    EXPECT_NE(talk(refused, kScript).find("554 5.5.0"), std::string::npos);
    stranger.takes_early_input = true;
    ScriptedCaller taken(stranger);
    taken.engine.greet();
    EXPECT_TRUE(talk(taken, kScript).ends_with("221 2.0.0 mx.example.org closing connection\r\n"));
    EXPECT_EQ(taken.mails.size(), 1U);
}
TEST(Server, a_554_greeting_waits_for_quit) {
    ScriptedCaller caller(options());
    caller.engine.refuse({554, {}, "mx.example.org no service"});
    EXPECT_EQ(talk(caller, "EHLO c\r\n"),
              "554 mx.example.org no service\r\n503 5.5.1 No service here; say QUIT\r\n");
    EXPECT_TRUE(talk(caller, "QUIT\r\n").starts_with("221"));
    ScriptedCaller busy(options());
    busy.engine.refuse(make_reply(421, {4, 7, 0}, "busy"));
    busy.drain();
    EXPECT_TRUE(busy.closed);
}
TEST(Server, T7_command_line_limit) {
    for (const auto& [size, fits] : {std::pair{limits::smtp_command_line_size_max - 1, true},
                                     std::pair{limits::smtp_command_line_size_max, true},
                                     std::pair{limits::smtp_command_line_size_max + 1, false}}) {
        ScriptedCaller caller = started();
        const std::string line = "NOOP " + std::string(size - 7, 'x') + "\r\n";
        EXPECT_TRUE(talk(caller, line).starts_with(fits ? "250" : "500 5.5.2"));
        EXPECT_EQ(caller.closed, !fits);
    }
}
TEST(Server, T7_a_line_without_an_end_is_dropped_at_the_limit) {
    ScriptedCaller caller = started();
    (void)caller.take_output();
    for (std::size_t i = 0; i < limits::smtp_command_line_size_max; ++i) {
        ASSERT_FALSE(caller.closed) << i;
        caller.feed("x");
    }
    EXPECT_TRUE(caller.closed);
    EXPECT_TRUE(caller.take_output().starts_with("500 5.5.2"));
}
TEST(Server, AUTH_line_limit) {
    ServerOptions chosen = options(Service::Submission);
    chosen.auth_available = chosen.tls_active = true;
    for (const auto& [size, fits] : {std::pair{limits::smtp_auth_line_size_max, true},
                                     std::pair{limits::smtp_auth_line_size_max + 1, false}}) {
        ScriptedCaller caller = started(chosen);
        (void)caller.take_output();
        const std::string line = "AUTH PLAIN " + std::string(size - 13, 'A') + "\r\n";
        EXPECT_TRUE(talk(caller, line).starts_with(fits ? "501" : "500 5.5.2"));
        EXPECT_EQ(caller.closed, !fits);
    }
}
TEST(Server, D15_junk_limit) {
    ScriptedCaller caller = started();  // EHLO was the first.
    for (std::size_t i = 1; i < limits::smtp_junk_commands_max; ++i) {
        ASSERT_TRUE(talk(caller, "RSET\r\n").ends_with("250 2.0.0 Ok\r\n")) << i;
    }
    EXPECT_TRUE(talk(caller, "NOOP\r\n").starts_with("421 4.7.0"));
    EXPECT_TRUE(caller.closed);
}
TEST(Server, mail_resets_the_junk_count) {
    ScriptedCaller caller = started();
    for (int round = 0; round < 5; ++round) {
        for (std::size_t i = 0; i < limits::smtp_junk_commands_max - 2; ++i) {
            (void)talk(caller, "NOOP\r\n");
        }
        open_data(caller);
        EXPECT_TRUE(talk(caller, ".\r\n").starts_with("250"));
    }
    EXPECT_FALSE(caller.closed);
}
TEST(Server, SIZE_limit_of_content) {
    ServerOptions chosen = options();
    chosen.message_size_max = 100;
    for (const auto& [size, fits] :
         {std::pair{99U, true}, std::pair{100U, true}, std::pair{101U, false}}) {
        ScriptedCaller caller = started(chosen);
        open_data(caller);
        EXPECT_TRUE(talk(caller, std::string(size - 2, 'x') + "\r\n.\r\n")
                        .starts_with(fits ? "250" : "552 5.3.4"));
        EXPECT_FALSE(caller.closed);
        EXPECT_EQ(caller.engine.transaction(), nullptr);
        (void)talk(caller, "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n");
        EXPECT_TRUE(
            talk(caller, "BDAT " + std::to_string(size) + " LAST\r\n" + std::string(size, 'x'))
                .starts_with(fits ? "250" : "552 5.3.4"));
    }
}
TEST(Server, T7_endless_refused_content_ends_the_connection) {
    ServerOptions chosen = options();
    chosen.message_size_max = 100;
    ScriptedCaller caller = started(chosen);
    open_data(caller);
    const std::string block = std::string(1024 * 1024 - 2, 'x') + "\r\n";
    std::size_t sent = 0;
    while (!caller.closed && sent < 2 * limits::smtp_discard_size_max) {
        caller.feed(block);
        sent += block.size();
    }
    EXPECT_TRUE(caller.closed);
    EXPECT_LE(sent, limits::smtp_discard_size_max + 2 * block.size());
    ScriptedCaller other = started(chosen);
    (void)talk(other, "BDAT 18446744073709551615 LAST\r\n");
    EXPECT_TRUE(other.closed);
}
TEST(Server, T8_chunk_count_limit) {
    ScriptedCaller caller = started();
    (void)talk(caller, "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n");
    for (std::size_t i = 0; i < limits::smtp_bdat_chunks_max; ++i) {
        ASSERT_TRUE(talk(caller, "BDAT 1\r\nx").starts_with("250"));
    }
    EXPECT_TRUE(talk(caller, "BDAT 1\r\nx").starts_with("552 5.3.4"));
    EXPECT_EQ(caller.engine.transaction(), nullptr);
    // A refused chunk is dropped at the pace that a wanted one may have.
    (void)talk(caller, "BDAT 3\r\nxy");
    EXPECT_TRUE(caller.engine.is_receiving_data());
    (void)talk(caller, "z");
    EXPECT_FALSE(caller.engine.is_receiving_data());
}
TEST(Server, a_body_is_never_kept) {
    // 8 MiB in 64 KiB reads: each piece comes out before the next goes in.
    ScriptedCaller caller = started();
    open_data(caller);
    const std::string block = std::string(64 * 1024 - 2, 'x') + "\r\n";
    for (int i = 0; i < 128; ++i) {
        ASSERT_TRUE(caller.engine.wants_input());
        caller.engine.feed(block);
        std::size_t got = 0;
        while (auto next = caller.engine.next_event()) {
            got += std::get<event::BodyBytes>(*next).bytes.size();
        }
        ASSERT_EQ(got, block.size());
    }
}
TEST(Server, E5_a_peer_that_left_before_the_reply_harms_nothing) {
    ServerEngine engine(options());
    engine.greet();
    engine.feed("HELO c\r\n");
    while (engine.next_event()) {
    }
    const auto expect_and_answer = [&](Reply reply) {
        ASSERT_TRUE(engine.next_event());
        engine.answer(std::move(reply));
    };
    engine.feed("MAIL FROM:<>\r\n");
    expect_and_answer(make_reply(250, {2, 1, 0}, ""));
    engine.feed("RCPT TO:<b@example.org>\r\n");
    expect_and_answer(make_reply(250, {2, 1, 5}, ""));
    engine.feed("DATA\r\n");
    expect_and_answer({354, {}, ""});
    engine.feed(".\r\n");
    ASSERT_TRUE(std::holds_alternative<event::EndOfMail>(*engine.next_event()));
    engine.begin_shutdown();  // I5: never between the dot and its reply.
    engine.on_timeout();
    EXPECT_FALSE(engine.is_closed());
    engine.on_disconnect();
    engine.answer(make_reply(250, {2, 0, 0}, "Ok"));
    EXPECT_TRUE(engine.is_closed());
}
TEST(Server, input_waits_while_an_answer_is_due) {
    ServerEngine engine(options());
    engine.greet();
    engine.feed("HELO c\r\n");
    while (engine.next_event()) {
    }
    engine.feed("MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\n");
    ASSERT_TRUE(std::holds_alternative<event::MailFrom>(*engine.next_event()));
    EXPECT_FALSE(engine.wants_input());
    EXPECT_FALSE(engine.next_event());
    engine.answer(make_reply(451, {4, 3, 0}, "no"));
    EXPECT_FALSE(engine.next_event());
    EXPECT_TRUE(engine.take_output().ends_with("451 4.3.0 no\r\n503 5.5.1 Need MAIL first\r\n"));
}
TEST(Server, protocol_names_for_received) {
    ScriptedCaller caller = started();
    EXPECT_EQ(caller.engine.protocol_name(false), "ESMTP");
    EXPECT_EQ(caller.engine.protocol_name(true), "UTF8SMTP");
    ServerOptions chosen = options(Service::Lmtp);
    chosen.tls_active = true;
    ScriptedCaller lmtp(chosen);
    lmtp.engine.greet();
    (void)talk(lmtp, "LHLO c\r\n");
    EXPECT_EQ(lmtp.engine.protocol_name(false), "LMTPS");
}

}  // namespace
}  // namespace godwit::smtp
