#include "wire/imap/reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace godwit::imap {
namespace {

enum class Answer { Accept, Refuse };

struct Script {
    ReaderLimits limits = ReaderLimits::after_login(1000);
    Answer answer = Answer::Accept;
};

struct Describe {
    std::string operator()(const NeedMore&) const { return ""; }
    std::string operator()(const Command& c) const {
        return "command " + c.tag + " " + (c.uid ? "UID " : "") + c.name + " <" +
               c.text.substr(c.arguments) + ">";
    }
    std::string operator()(const Continue&) const { return "continue"; }
    std::string operator()(const LiteralOffer& o) const {
        return "offer " + o.command.tag + " " + std::to_string(o.size) +
               (o.binary ? " binary" : "") + (o.synchronizing ? " sync" : " plus") + " #" +
               std::to_string(o.number);
    }
    std::string operator()(const LiteralChunkView& chunk) const {
        return "chunk " + std::string(chunk.bytes);
    }
    std::string operator()(const LiteralEnd&) const { return "end"; }
    std::string operator()(const ContinuationLine& line) const { return "line " + line.text; }
    std::string operator()(const Rejected& r) const {
        return "rejected " + r.tag + " [" + r.code + "] " + r.text;
    }
    std::string operator()(const Fatal& f) const {
        return "fatal " + f.tag + " [" + f.code + "] " + f.text;
    }
};

// Feeds `input` in pieces of `piece` octets; chunks of one literal are joined into one event.
std::vector<std::string> run(std::string_view input, std::size_t piece, const Script& script = {}) {
    CommandReader reader(script.limits);
    std::vector<std::string> events;
    for (std::size_t at = 0; at < input.size(); at += piece) {
        reader.feed(input.substr(at, piece));
        for (;;) {
            const ReaderEvent event = reader.next();
            if (std::holds_alternative<NeedMore>(event)) {
                break;
            }
            std::string text = std::visit(Describe{}, event);
            if (text.starts_with("chunk ") && !events.empty() &&
                events.back().starts_with("chunk ")) {
                events.back() += text.substr(6);
            } else {
                events.push_back(std::move(text));
            }
            if (std::holds_alternative<LiteralOffer>(event)) {
                script.answer == Answer::Accept ? reader.accept_literal() : reader.refuse_literal();
            }
        }
    }
    return events;
}

using Events = std::vector<std::string>;

void expect_events(std::string_view input, const Events& expected, const Script& script = {}) {
    for (const std::size_t piece :
         {input.size(), std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}}) {
        EXPECT_EQ(run(input, std::max<std::size_t>(piece, 1), script), expected)
            << "pieces of " << piece;
    }
}

TEST(Reader, Plain_commands_come_one_by_one) {
    expect_events("a1 noop\r\na2 UID fetch 1:* (FLAGS)\r\n",
                  {"command a1 NOOP <>", "command a2 UID FETCH < 1:* (FLAGS)>"});
}

TEST(Reader, Uid_alone_is_a_name) {
    expect_events("a UID\r\nb UID \r\n", {"command a UID <>", "command b UID < >"});
}

TEST(Reader, Literal_asks_for_continuation) {
    expect_events("a LOGIN {3}\r\nbob {5}\r\nse\r\nx\r\n",
                  {"continue", "continue", "command a LOGIN < {3}\r\nbob {5}\r\nse\r\nx>"});
}

TEST(Reader, Rfc7888_non_synchronizing_literal_asks_for_nothing) {
    expect_events("A001 LOGIN {11+}\r\nFRED FOOBAR {7+}\r\nfat man\r\n",
                  {"command A001 LOGIN < {11+}\r\nFRED FOOBAR {7+}\r\nfat man>"});
}

TEST(Reader, Empty_literal) {
    expect_events("a LOGIN {0+}\r\n {0}\r\n\r\n",
                  {"continue", "command a LOGIN < {0+}\r\n {0}\r\n>"});
}

TEST(Reader, Append_message_is_streamed) {
    expect_events("a APPEND INBOX (\\Seen) {5}\r\nhello\r\nb NOOP\r\n",
                  {"offer a 5 sync #0", "continue", "chunk hello", "end",
                   "command a APPEND < INBOX (\\Seen) {5}\r\n>", "command b NOOP <>"});
}

TEST(Reader, Append_mailbox_literal_is_held_and_message_streamed) {
    expect_events(
        "a APPEND {5+}\r\nINBOX {3+}\r\nabc\r\n",
        {"offer a 3 plus #0", "chunk abc", "end", "command a APPEND < {5+}\r\nINBOX {3+}\r\n>"});
}

TEST(Reader, Append_of_several_messages_offers_each) {
    expect_events("a APPEND x {2+}\r\nab (\\Seen) ~{1+}\r\nc\r\n",
                  {"offer a 2 plus #0", "chunk ab", "end", "offer a 1 binary plus #1", "chunk c",
                   "end", "command a APPEND < x {2+}\r\n (\\Seen) ~{1+}\r\n>"});
}

TEST(Reader, Append_refused_while_client_waits_takes_the_next_command) {
    expect_events("a APPEND x {2}\r\nb NOOP\r\n", {"offer a 2 sync #0", "command b NOOP <>"},
                  {.answer = Answer::Refuse});
}

TEST(Reader, Q44_append_refused_literal_plus_is_drained) {
    expect_events("a APPEND x {9+}\r\nb NOOP\r\n\r\r\nb NOOP\r\n",
                  {"offer a 9 plus #0", "command b NOOP <>"}, {.answer = Answer::Refuse});
}

TEST(Reader, Q44_append_refused_drains_further_literals_too) {
    expect_events("a APPEND x {2+}\r\nab {3+}\r\n\r\n.\r\nb NOOP\r\n",
                  {"offer a 2 plus #0", "command b NOOP <>"}, {.answer = Answer::Refuse});
}

TEST(Reader, Append_refused_in_the_middle_is_drained) {
    CommandReader reader(ReaderLimits::after_login(1000));
    reader.feed("a APPEND x {6}\r\n");
    ASSERT_TRUE(std::holds_alternative<LiteralOffer>(reader.next()));
    reader.accept_literal();
    ASSERT_TRUE(std::holds_alternative<Continue>(reader.next()));
    reader.feed("abc");
    ASSERT_TRUE(std::holds_alternative<LiteralChunkView>(reader.next()));
    reader.refuse_literal();
    reader.feed("def\r\nb NOOP\r\n");
    EXPECT_EQ(std::visit(Describe{}, reader.next()), "command b NOOP <>");
}

TEST(Reader, Append_message_at_and_over_its_limit) {
    for (const std::size_t size : {999U, 1000U}) {
        const std::string input = "a APPEND x {" + std::to_string(size) + "}\r\n";
        EXPECT_EQ(run(input, 5).front(), "offer a " + std::to_string(size) + " sync #0");
    }
    expect_events("a APPEND x {1001}\r\nb NOOP\r\n",
                  {"rejected a [TOOBIG] Message is too large", "command b NOOP <>"});
    const std::string drained(1001, 'x');
    expect_events("a APPEND x {1001+}\r\n" + drained + "\r\nb NOOP\r\n",
                  {"rejected a [TOOBIG] Message is too large", "command b NOOP <>"});
}

TEST(Reader, T77_huge_literal_plus_is_discarded_to_the_bound_then_fatal) {
    Script script;
    script.limits.discard_max = 100;
    const std::string input = "a APPEND x {1073741824+}\r\n" + std::string(5000, 'x');
    expect_events(input, {"fatal a [TOOBIG] Message is too large"}, script);
}

TEST(Reader, T77_discard_bound_at_minus_one_zero_plus_one) {
    Script script;
    script.limits.literal_size_max = 10;
    script.limits.discard_max = 102;  // the literal and a CRLF
    const auto input = [](std::size_t n) {
        return "a LOGIN {" + std::to_string(n) + "+}\r\n" + std::string(n, 'x') + "\r\n";
    };
    expect_events(input(99), {"rejected a [TOOBIG] Literal is too large"}, script);
    expect_events(input(100), {"rejected a [TOOBIG] Literal is too large"}, script);
    expect_events(input(101), {"fatal a [TOOBIG] Literal is too large"}, script);
}

TEST(Reader, Literal_size_at_minus_one_zero_plus_one) {
    Script script;
    script.limits.literal_size_max = 10;
    expect_events("a X {9}\r\n", {"continue"}, script);
    expect_events("a X {10}\r\n", {"continue"}, script);
    expect_events("a X {11}\r\n", {"rejected a [TOOBIG] Literal is too large"}, script);
    expect_events("a X {99999999999999999999}\r\n", {"rejected a [TOOBIG] Literal is too large"},
                  script);
}

TEST(Reader, T76_many_literals) {
    Script script;
    script.limits.literals_max = 3;
    std::string input = "a X";
    for (int i = 0; i < 3; ++i) {
        input += " {1+}\r\nx";
    }
    EXPECT_EQ(run(input + "\r\n", 4, script).size(), 1U);
    expect_events(input + " {1+}\r\nx {1+}\r\nx\r\nb NOOP\r\n",
                  {"rejected a [TOOBIG] Too many literals in one command", "command b NOOP <>"},
                  script);
}

TEST(Reader, T76_total_of_literals) {
    Script script;
    script.limits.command_size_max = 40;
    script.limits.literal_size_max = 30;
    expect_events("a X {30+}\r\n" + std::string(30, 'x') + " {30+}\r\n" + std::string(30, 'x') +
                      "\r\nb NOOP\r\n",
                  {"rejected a [TOOBIG] Command is too large", "command b NOOP <>"}, script);
}

TEST(Reader, T75_before_login_a_huge_literal_ends_the_connection) {
    expect_events("A LOGIN {2147483647}\r\n", {"fatal A [TOOBIG] Literal is too large"},
                  {.limits = ReaderLimits::before_login()});
}

TEST(Reader, T75_before_login_only_login_and_authenticate_have_literals) {
    const Script script{.limits = ReaderLimits::before_login()};
    expect_events("A LOGIN {1024}\r\n", {"continue"}, script);
    expect_events("A LOGIN {1025}\r\n", {"fatal A [TOOBIG] Literal is too large"}, script);
    expect_events("A AUTHENTICATE {5}\r\n", {"continue"}, script);
    expect_events("A APPEND x {5}\r\n", {"fatal A [] No literals in this command before login"},
                  script);
    expect_events("A SELECT {5+}\r\nINBOX\r\n",
                  {"fatal A [] No literals in this command before login"}, script);
    EXPECT_TRUE(
        run("A LOGIN {1+}\r\na {1+}\r\nb {1+}\r\n", 3, script).back().starts_with("fatal A"));
}

TEST(Reader, T75_before_login_line_at_minus_one_zero_plus_one) {
    const Script script{.limits = ReaderLimits::before_login()};
    const auto line = [](std::size_t size) { return "A X " + std::string(size - 4, 'y') + "\r\n"; };
    const std::size_t max = limits::imap_preauth_line_size_max;
    EXPECT_EQ(run(line(max - 1), 4096, script).at(0).substr(0, 11), "command A X");
    EXPECT_EQ(run(line(max), 4096, script).at(0).substr(0, 11), "command A X");
    expect_events(line(max + 100), {"fatal A [TOOBIG] Command line is too long"}, script);
    expect_events(line(max + 1), {"fatal A [TOOBIG] Command line is too long"}, script);
}

TEST(Reader, Q43_line_of_64_kib_at_minus_one_zero_plus_one) {
    const auto line = [](std::size_t size) {
        return "A X " + std::string(size - 4, 'y') + "\r\nB NOOP\r\n";
    };
    const std::size_t max = limits::imap_line_size_max;
    for (const std::size_t piece : {std::size_t{1000}, std::size_t{1} << 20}) {
        EXPECT_EQ(run(line(max - 1), piece).at(0).substr(0, 11), "command A X");
        EXPECT_EQ(run(line(max), piece).at(0).substr(0, 11), "command A X");
        for (const std::size_t over : {1U, 2U, 3U, 4U, 60000U}) {
            EXPECT_EQ(
                run(line(max + over), piece),
                (Events{"rejected A [TOOBIG] Command line is too long", "command B NOOP <>"}));
        }
        EXPECT_EQ(run(line(max + limits::imap_discard_max + 10), piece),
                  (Events{"fatal A [TOOBIG] Command line is too long"}));
    }
}

TEST(Reader, Overlong_line_with_literal_plus_skips_the_literal) {
    Script script;
    script.limits.line_size_max = 20;
    expect_events("a X yyyyyyyyyyyyyyyyyyyyyyyyyyy {10+}\r\nb NOOP\r\n.. zz\r\nc NOOP\r\n",
                  {"rejected a [TOOBIG] Command line is too long", "command c NOOP <>"}, script);
}

TEST(Reader, Missing_tag_or_name_is_rejected) {
    expect_events("\r\n+x NOOP\r\nabc\r\na1 \r\n* NOOP\r\na (\r\n",
                  {"rejected * [] Expected a tag, SP and a command",
                   "rejected * [] Expected a tag, SP and a command",
                   "rejected abc [] Expected a tag, SP and a command",
                   "rejected a1 [] Expected a tag, SP and a command",
                   "rejected * [] Expected a tag, SP and a command",
                   "rejected a [] Expected a tag, SP and a command"});
}

TEST(Reader, Bare_lf_cr_and_nul_are_rejected) {
    using std::string_literals::operator""s;
    expect_events(
        "a NOOP\nb NO\rOP\r\nc N\0P\r\nd NOOP\r\n"s,
        {"rejected a [] A line must end with CRLF",
         "rejected b [] NUL and bare CR are not allowed in a command",
         "rejected c [] NUL and bare CR are not allowed in a command", "command d NOOP <>"});
}

TEST(Reader, Literal_octets_may_be_anything) {
    using std::string_literals::operator""s;
    expect_events("a X {6+}\r\n\0\r\n{9+\r\n"s, {"command a X < {6+}\r\n\0\r\n{9+>"s});
}

TEST(Reader, Expected_line_is_no_command) {
    CommandReader reader(ReaderLimits::after_login(10));
    reader.feed("a IDLE\r\nDONE\r\nb NOOP\r\n");
    EXPECT_EQ(std::visit(Describe{}, reader.next()), "command a IDLE <>");
    reader.expect_line(10);
    EXPECT_EQ(std::visit(Describe{}, reader.next()), "line DONE");
    EXPECT_EQ(std::visit(Describe{}, reader.next()), "command b NOOP <>");
}

TEST(Reader, Expected_line_at_minus_one_zero_plus_one) {
    for (const std::size_t size : {9U, 10U, 11U, 12U, 13U}) {
        CommandReader reader(ReaderLimits::after_login(10));
        reader.expect_line(10);
        reader.feed(std::string(size, 'x') + "\r\n");
        EXPECT_EQ(std::holds_alternative<ContinuationLine>(reader.next()), size <= 10) << size;
    }
}

TEST(Reader, T11_unread_octets_are_seen_at_starttls) {
    CommandReader reader;
    reader.feed("a STARTTLS\r\n");
    (void)std::visit(Describe{}, reader.next());
    EXPECT_FALSE(reader.has_unread());
    reader.feed("b STARTTLS\r\nc");
    (void)std::visit(Describe{}, reader.next());
    EXPECT_TRUE(reader.has_unread());
}

TEST(Reader, Dead_reader_says_nothing_more) {
    CommandReader reader;
    reader.feed("A X {5+}\r\n");
    EXPECT_TRUE(std::holds_alternative<Fatal>(reader.next()));
    reader.feed("B NOOP\r\n");
    EXPECT_TRUE(std::holds_alternative<NeedMore>(reader.next()));
}

}  // namespace
}  // namespace godwit::imap
