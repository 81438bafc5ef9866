#include "wire/pop3/server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace godwit::pop3 {
namespace {

ServerOptions open_options() {
    return {.greeting = "ready",
            .implementation = "Godwit",
            .stls_offered = false,
            .passwords_allowed = true,
            .sasl_mechanisms = "SCRAM-SHA-256 PLAIN"};
}
Maildrop two_messages() {
    return {{.size = 120, .unique_id = "aa.1", .requires_utf8 = false},
            {.size = 200, .unique_id = "aa.2", .requires_utf8 = true}};
}
const char* const kMessages[] = {"Subject: a\r\n\r\none\r\n.two\r\nthree\r\n",
                                 "Subject: b\r\n\r\n"};

// Plays a caller that knows bob with the password "se cret" and two messages.
struct Desk {
    explicit Desk(ServerOptions options = open_options()) : server(std::move(options)) {}

    void act(const ServerEvent& event) {
        if (const auto* login = std::get_if<PasswordLogin>(&event)) {
            log += "login " + login->user + "/" + login->password + "\n";
            login->password == "se cret" ? server.granted(two_messages())
                                         : server.denied(LoginFailure::Credentials);
        } else if (const auto* start = std::get_if<AuthStart>(&event)) {
            log += "auth " + start->mechanism + " " + start->initial.value_or("-") + "\n";
            start->initial ? server.granted(two_messages()) : server.challenge("hello");
        } else if (const auto* answer = std::get_if<AuthResponse>(&event)) {
            log += "answer " + answer->bytes.value_or("cancelled") + "\n";
            answer->bytes ? server.granted(two_messages())
                          : server.denied(LoginFailure::Credentials);
        } else if (const auto* retrieve = std::get_if<Retrieve>(&event)) {
            const std::string_view message = kMessages[retrieve->index];
            server.begin_message(message.size(), 14);
            for (const char c : message) {
                if (!server.add_message({&c, 1})) {
                    break;
                }
            }
            server.end_message();
        } else if (const auto* commit = std::get_if<Commit>(&event)) {
            for (const std::size_t index : commit->deleted) {
                log += "delete " + std::to_string(index) + "\n";
            }
            server.committed(commit_works);
        } else if (std::holds_alternative<StartTls>(event)) {
            log += "tls\n";
            output += server.take_output();
            server.tls_started(open_options());
        } else if (std::holds_alternative<Close>(event)) {
            closed = true;
        }
    }

    void say(std::string_view input, std::size_t piece = 4096) {
        for (std::size_t at = 0; at < input.size() && !closed; at += piece) {
            server.feed(input.substr(at, piece));
            for (;;) {
                const ServerEvent event = server.next();
                output += server.take_output();
                act(event);
                output += server.take_output();
                if (std::holds_alternative<NeedMore>(event) || closed) {
                    break;
                }
            }
        }
    }
    std::string reply(std::string_view input) {
        output.clear();
        say(input);
        return output;
    }
    void log_in() { say("USER bob\r\nPASS se cret\r\n"); }

    Server server;
    std::string output;
    std::string log;
    bool closed = false;
    bool commit_works = true;
};

TEST(Pop3, Whole_session_at_any_split) {
    const std::string input =
        "CAPA\r\nUSER bob\r\nPASS se cret\r\nSTAT\r\nLIST\r\nLIST 2\r\nUIDL\r\nUIDL 1\r\nRETR "
        "1\r\nTOP 1 1\r\nDELE 1\r\n"
        "STAT\r\nRSET\r\nDELE 1\r\nNOOP\r\nQUIT\r\n";
    const std::string expected =
        "+OK ready\r\n"
        "+OK Capabilities follow\r\nUSER\r\nSASL SCRAM-SHA-256 "
        "PLAIN\r\nLANG\r\nTOP\r\nUIDL\r\nUTF8 USER\r\nRESP-CODES\r\n"
        "AUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\nIMPLEMENTATION Godwit\r\n.\r\n"
        "+OK Now PASS\r\n+OK Maildrop has 2 messages\r\n+OK 2 320\r\n"
        "+OK 2 messages\r\n1 120\r\n2 200\r\n.\r\n+OK 2 200\r\n"
        "+OK 2 messages\r\n1 aa.1\r\n2 aa.2\r\n.\r\n+OK 1 aa.1\r\n"
        "+OK 32 octets\r\nSubject: a\r\n\r\none\r\n..two\r\nthree\r\n.\r\n"
        "+OK Top follows\r\nSubject: a\r\n\r\none\r\n.\r\n"
        "+OK Message 1 will be removed\r\n+OK 1 200\r\n+OK Maildrop has 2 messages\r\n"
        "+OK Message 1 will be removed\r\n+OK\r\n+OK Goodbye\r\n";
    for (const std::size_t piece : {std::size_t{4096}, std::size_t{1}, std::size_t{3}}) {
        Desk desk;
        desk.say(input, piece);
        EXPECT_EQ(desk.output, expected);
        EXPECT_EQ(desk.log, "login bob/se cret\ndelete 0\n");
        EXPECT_TRUE(desk.closed);
    }
}

TEST(Pop3, Login_failures) {
    Desk desk;
    EXPECT_EQ(desk.reply("PASS x\r\n"), "+OK ready\r\n-ERR USER comes first\r\n");
    EXPECT_EQ(desk.reply("USER bob\r\nNOOP\r\nPASS se cret\r\n"),
              "+OK Now PASS\r\n-ERR Not before login\r\n-ERR USER comes first\r\n");
    EXPECT_EQ(desk.reply("USER bob\r\nPASS wrong\r\n"),
              "+OK Now PASS\r\n-ERR [AUTH] Name or password is wrong\r\n");
    EXPECT_EQ(desk.reply("PASS se cret\r\n"), "-ERR USER comes first\r\n");
    EXPECT_EQ(desk.reply("APOP bob c4c9334bac560ecc979e58001b3e22fb\r\n"),
              "-ERR APOP is not offered\r\n");
    EXPECT_EQ(desk.reply("STAT\r\n"), "-ERR Not before login\r\n");
    EXPECT_EQ(desk.reply("USER \xFF\r\n"), "-ERR Expected USER name\r\n");
}

TEST(Pop3, Failure_codes) {
    for (const auto& [failure, reply] : std::vector<std::pair<LoginFailure, std::string>>{
             {LoginFailure::Temporary, "-ERR [SYS/TEMP] Try again later\r\n"},
             {LoginFailure::TooSoon,
              "-ERR [LOGIN-DELAY] You were here a moment ago, come back later\r\n"},
             {LoginFailure::InUse, "-ERR [IN-USE] The maildrop is in use\r\n"},
             {LoginFailure::Permanent, "-ERR [SYS/PERM] This account cannot be used\r\n"}}) {
        Server server(open_options());
        server.feed("USER a\r\nPASS b\r\n");
        EXPECT_TRUE(std::holds_alternative<PasswordLogin>(server.next()));
        (void)server.take_output();
        server.denied(failure);
        EXPECT_EQ(server.take_output(), reply);
    }
}

TEST(Pop3, No_passwords_in_clear) {
    ServerOptions options{.greeting = "ready",
                          .stls_offered = true,
                          .passwords_allowed = false,
                          .sasl_mechanisms = {}};
    Desk desk(options);
    EXPECT_EQ(desk.reply("USER bob\r\n"), "+OK ready\r\n-ERR [AUTH] Start TLS first\r\n");
    EXPECT_EQ(desk.reply("AUTH PLAIN\r\n"), "-ERR [AUTH] Mechanism is not offered\r\n");
    const std::string capa = desk.reply("CAPA\r\n");
    EXPECT_EQ(capa.find("\r\nUSER\r\n"), std::string::npos);
    EXPECT_EQ(capa.find("SASL"), std::string::npos);
    EXPECT_NE(capa.find("\r\nSTLS\r\n"), std::string::npos);
    EXPECT_EQ(desk.reply("STLS\r\n"), "+OK Begin TLS\r\n");
    EXPECT_EQ(desk.log, "tls\n");
    EXPECT_EQ(desk.reply("USER bob\r\n"), "+OK Now PASS\r\n");
    EXPECT_EQ(desk.reply("STLS\r\n"), "-ERR TLS is not to be had here\r\n");
}

TEST(Pop3, T11_nothing_may_follow_stls) {
    for (const char* input : {"STLS\r\nUSER bob\r\n", "STLS\r\n\r\n", "STLS\r\nx"}) {
        Desk desk({.greeting = "ready", .stls_offered = true, .sasl_mechanisms = {}});
        EXPECT_EQ(desk.reply(input), "+OK ready\r\n-ERR Nothing may follow STLS\r\n");
        EXPECT_TRUE(desk.closed);
        EXPECT_EQ(desk.log, "");
    }
}

TEST(Pop3, T11_name_said_in_clear_is_forgotten) {
    Desk desk({.greeting = "ready",
               .stls_offered = true,
               .passwords_allowed = true,
               .sasl_mechanisms = {}});
    desk.say("USER bob\r\n");
    desk.say("STLS\r\n");
    EXPECT_EQ(desk.reply("PASS se cret\r\n"), "-ERR USER comes first\r\n");
}

TEST(Pop3, Sasl_exchange) {
    Desk desk;
    EXPECT_EQ(desk.reply("AUTH PLAIN\r\n"), "+OK ready\r\n+ aGVsbG8=\r\n");
    EXPECT_EQ(desk.reply("*\r\n"), "-ERR [AUTH] Name or password is wrong\r\n");
    desk.say("AUTH scram-sha-256\r\n");
    EXPECT_EQ(desk.reply("!!\r\n"), "-ERR [AUTH] Name or password is wrong\r\n");
    desk.say("AUTH PLAIN\r\n");
    EXPECT_EQ(desk.reply("YWJj\r\n"), "+OK Maildrop has 2 messages\r\n");
    EXPECT_EQ(desk.log,
              "auth PLAIN -\nanswer cancelled\nauth SCRAM-SHA-256 -\nanswer cancelled\nauth PLAIN "
              "-\nanswer abc\n");
    EXPECT_EQ(desk.reply("AUTH PLAIN\r\n"), "-ERR Not after login\r\n");
}

TEST(Pop3, Sasl_initial_response) {
    Desk desk;
    EXPECT_EQ(desk.reply("AUTH PLAIN a!\r\n"),
              "+OK ready\r\n-ERR Initial response is not base64\r\n");
    desk.say("AUTH PLAIN =\r\n");
    EXPECT_EQ(desk.log, "auth PLAIN \n");
    Desk other;
    other.say("AUTH PLAIN YWJj\r\n");
    EXPECT_EQ(other.log, "auth PLAIN abc\n");
    Desk lister;
    EXPECT_EQ(lister.reply("AUTH\r\nAUTH LOGIN\r\n"),
              "+OK ready\r\n+OK Mechanisms follow\r\nSCRAM-SHA-256\r\nPLAIN\r\n.\r\n-ERR Mechanism "
              "is not offered\r\n");
}

TEST(Pop3, Message_numbers) {
    Desk desk;
    desk.log_in();
    for (const char* command : {"RETR 0\r\n", "RETR\r\n", "RETR x\r\n", "DELE -1\r\n",
                                "DELE 1 2\r\n", "RETR 99999999999999999999\r\n"}) {
        EXPECT_EQ(desk.reply(command), "-ERR Expected a message number\r\n") << command;
    }
    EXPECT_EQ(desk.reply("RETR 3\r\n"), "-ERR No such message\r\n");
    EXPECT_EQ(desk.reply("TOP 1\r\n"), "-ERR Expected TOP message lines\r\n");
    EXPECT_EQ(desk.reply("TOP 1 x\r\n"), "-ERR Expected TOP message lines\r\n");
    desk.say("DELE 1\r\n");
    for (const char* command :
         {"RETR 1\r\n", "DELE 1\r\n", "LIST 1\r\n", "UIDL 1\r\n", "TOP 1 0\r\n"}) {
        EXPECT_EQ(desk.reply(command), "-ERR Message is deleted\r\n") << command;
    }
    EXPECT_EQ(desk.reply("UIDL\r\n"), "+OK 1 messages\r\n2 aa.2\r\n.\r\n");
}

TEST(Pop3, Utf8_messages_need_utf8_mode) {
    Desk desk;
    desk.log_in();
    EXPECT_EQ(desk.reply("RETR 2\r\n"), "-ERR [UTF8] Message needs UTF8 mode\r\n");
    EXPECT_EQ(desk.reply("TOP 2 0\r\n"), "-ERR [UTF8] Message needs UTF8 mode\r\n");
    EXPECT_EQ(desk.reply("UTF8\r\n"), "-ERR Not after login\r\n");
    Desk other;
    EXPECT_EQ(other.reply("UTF8\r\n"), "+OK ready\r\n+OK UTF-8 it is\r\n");
    other.log_in();
    EXPECT_EQ(other.reply("RETR 2\r\n"), "+OK 14 octets\r\nSubject: b\r\n\r\n.\r\n");
}

TEST(Pop3, Languages) {
    Desk desk;
    EXPECT_EQ(desk.reply("LANG\r\n"), "+OK ready\r\n+OK Languages follow\r\nen English\r\n.\r\n");
    EXPECT_EQ(desk.reply("LANG *\r\nLANG EN\r\nLANG uga\r\n"),
              "+OK en English it is\r\n+OK en English it is\r\n-ERR Only English is spoken\r\n");
}

TEST(Pop3, Quit_before_login_and_failed_removal) {
    Desk desk;
    EXPECT_EQ(desk.reply("QUIT\r\n"), "+OK ready\r\n+OK Goodbye\r\n");
    EXPECT_TRUE(desk.closed);
    EXPECT_EQ(desk.log, "");
    Desk failing;
    failing.commit_works = false;
    failing.log_in();
    EXPECT_EQ(failing.reply("DELE 2\r\nQUIT\r\n").substr(31),
              "-ERR [SYS/TEMP] Some deleted messages are not removed\r\n");
    EXPECT_TRUE(failing.closed);
}

TEST(Pop3, Refused_message) {
    Server server(open_options());
    server.feed("USER a\r\nPASS b\r\nRETR 1\r\nNOOP\r\n");
    (void)server.next();
    server.granted(two_messages());
    EXPECT_TRUE(std::holds_alternative<Retrieve>(server.next()));
    (void)server.take_output();
    server.refuse(LoginFailure::Temporary, "Cannot read it now");
    (void)server.next();
    EXPECT_EQ(server.take_output(), "-ERR [SYS/TEMP] Cannot read it now\r\n+OK\r\n");
}

TEST(Pop3, Line_size_at_minus_one_zero_plus_one) {
    const auto line = [](std::string word, std::size_t size) {
        return word.append(size - word.size(), 'x') + "\r\n";
    };
    const std::size_t max = limits::pop3_line_size_max;
    Desk desk;
    desk.say("");
    EXPECT_NE(desk.reply(line("USER ", max - 1)).find("+OK Now PASS"), std::string::npos);
    EXPECT_EQ(desk.reply(line("USER ", max)), "+OK Now PASS\r\n");
    EXPECT_EQ(desk.reply(line("USER ", max + 1)), "-ERR Line is too long\r\n");
    const std::size_t long_max = limits::pop3_auth_line_size_max;
    for (const std::size_t piece : {std::size_t{1000}, std::size_t{1} << 16}) {
        for (const std::size_t size : {long_max - 1, long_max, long_max + 1, long_max + 2}) {
            Desk other;
            other.say(line("AUTH FOO ", size), piece);
            EXPECT_EQ(other.closed, size > long_max) << size;
        }
        Desk endless;
        endless.say(std::string(long_max + 2, 'x'), piece);
        EXPECT_TRUE(endless.closed);
    }
}

TEST(Pop3, Bad_commands_at_their_limit) {
    Desk desk;
    for (std::size_t i = 1; i < limits::pop3_bad_commands_max; ++i) {
        desk.say("FOO\r\n");
    }
    EXPECT_FALSE(desk.closed);
    EXPECT_EQ(desk.reply("FOO\r\n"), "-ERR Too many bad commands\r\n");
    EXPECT_TRUE(desk.closed);
}

TEST(Pop3, Bare_lf_cr_and_nul_are_refused) {
    using std::string_literals::operator""s;
    Desk desk;
    EXPECT_EQ(
        desk.reply("CAPA\nNO\rOP\r\nNO\0OP\r\n"s),
        "+OK ready\r\n-ERR A line must end with CRLF\r\n-ERR NUL and bare CR are not allowed\r\n"
        "-ERR NUL and bare CR are not allowed\r\n");
}

TEST(Pop3, T87_long_listings_drain_in_steps) {
    Server server(open_options());
    server.feed("USER a\r\nPASS b\r\nUIDL\r\n");
    (void)server.next();
    Maildrop drop(20000, {.size = 1, .unique_id = "0123456789", .requires_utf8 = false});
    server.granted(std::move(drop));
    std::size_t lines = 0;
    std::size_t drains = 0;
    for (;;) {
        const ServerEvent event = server.next();
        EXPECT_LT(server.output_size(), limits::stream_write_buffer_max + 200);
        const std::string output = server.take_output();
        lines += static_cast<std::size_t>(std::ranges::count(output, '\n'));
        if (!std::holds_alternative<Drain>(event)) {
            break;
        }
        ++drains;
    }
    EXPECT_EQ(lines, 20000U + 5);
    EXPECT_GE(drains, 4U);
}

std::string stuffed(std::string_view message, std::size_t piece, std::optional<TopLimit> top = {}) {
    MessageStuffer stuffer = top ? MessageStuffer(*top) : MessageStuffer();
    std::string out;
    for (std::size_t at = 0; at < message.size(); at += piece) {
        if (!stuffer.add(message.substr(at, piece), out)) {
            break;
        }
    }
    stuffer.finish(out);
    return out;
}

TEST(Stuffing, Dots_and_ends_at_any_split) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", ".\r\n"},
        {"a\r\n", "a\r\n.\r\n"},
        {"a", "a\r\n.\r\n"},
        {".", "..\r\n.\r\n"},
        {".\r\n", "..\r\n.\r\n"},
        {"a\r\n.\r\n.b\r\n", "a\r\n..\r\n..b\r\n.\r\n"},
        {"a\n.\nb\n", "a\n..\nb\n\r\n.\r\n"},
        {"a\r", "a\r\r\n.\r\n"},
        {"\n", "\n\r\n.\r\n"},
        {"\r\n", "\r\n.\r\n"},
        {"a\r\n\r\n", "a\r\n\r\n.\r\n"},
    };
    for (const auto& [message, expected] : cases) {
        for (const std::size_t piece : {1U, 2U, 3U, 100U}) {
            EXPECT_EQ(stuffed(message, piece), expected);
        }
    }
}

TEST(Stuffing, Top_counts_lines_of_the_body) {
    const std::string message = "A: b\r\n\r\none\r\ntwo\nthree";
    for (const std::size_t piece : {1U, 2U, 5U, 100U}) {
        EXPECT_EQ(stuffed(message, piece, TopLimit{8, 0}), "A: b\r\n\r\n.\r\n");
        EXPECT_EQ(stuffed(message, piece, TopLimit{8, 1}), "A: b\r\n\r\none\r\n.\r\n");
        EXPECT_EQ(stuffed(message, piece, TopLimit{8, 2}), "A: b\r\n\r\none\r\ntwo\n\r\n.\r\n");
        EXPECT_EQ(stuffed(message, piece, TopLimit{8, 99}), message + "\r\n.\r\n");
    }
}

}  // namespace
}  // namespace godwit::pop3
