#include "wire/imap/append.h"

#include <gtest/gtest.h>

#include "wire/imap/date_time.h"

namespace godwit::imap {
namespace {

// The events of a command whose text grows to each of `streamed` and then to its end, as words.
std::string events(std::string_view name, std::string_view text,
                   std::vector<std::size_t> streamed) {
    AppendReader reader(NameSpelling::Utf7);
    std::string out;
    std::vector<std::size_t> ends = streamed;
    ends.push_back(text.size());
    for (std::size_t i = 0; i < ends.size(); ++i) {
        const bool is_whole = i + 1 == ends.size();
        Command command;
        command.name = name;
        command.text = text.substr(0, ends[i]);
        command.streamed.assign(
            streamed.begin(),
            streamed.begin() + static_cast<std::ptrdiff_t>(is_whole ? streamed.size() : i + 1));
        for (;;) {
            const Result<AppendEvent> event = reader.next(command, is_whole);
            if (!event) {
                return out + "bad";
            }
            if (const auto* target = std::get_if<AppendTarget>(&*event)) {
                out += target->mailbox.name +
                       (target->replaced != 0 ? "#" + std::to_string(target->replaced) : "");
            } else if (const auto* begin = std::get_if<AppendBegin>(&*event)) {
                out += begin->is_catenated ? " {" : " [";
                out += begin->flags.has(SystemFlag::Seen) ? "seen " : "";
                out += begin->internal_date ? format_date_time(*begin->internal_date) + " " : "";
            } else if (const auto* octets = std::get_if<AppendOctets>(&*event)) {
                out += std::string(octets->is_utf8 ? "u" : "") +
                       (octets->literal.binary ? "b" : "") + std::to_string(octets->literal.size);
            } else if (const auto* url = std::get_if<AppendUrl>(&*event)) {
                out += "<" + url->url + ">";
            } else if (const auto* url_octets = std::get_if<AppendUrlOctets>(&*event)) {
                out += "<" + std::to_string(url_octets->literal.size) + ">";
            } else if (std::holds_alternative<AppendEnd>(*event)) {
                out += "]";
            } else {
                out += std::holds_alternative<AppendMore>(*event) ? "~" : ".";
                break;
            }
        }
    }
    return out;
}

// The same, with the streamed literals where `text` has a "^", which is taken out.
std::string read(std::string_view text, std::string_view name = "APPEND") {
    std::string plain;
    std::vector<std::size_t> streamed;
    for (const char c : text) {
        if (c == '^') {
            streamed.push_back(plain.size());
        } else {
            plain.push_back(c);
        }
    }
    return events(name, plain, streamed);
}

TEST(Append, One_message) {
    EXPECT_EQ(read(" inbox (\\Seen) \"22-Nov-2026 02:15:06 +0100\" {5}\r\n^"),
              "INBOX [seen 22-Nov-2026 01:15:06 +0000 5~].");
    EXPECT_EQ(read(" x {5}\r\n^  "), "x [5~].");
    EXPECT_EQ(read(" x ~{5+}\r\n^"), "x [b5~].");
    EXPECT_EQ(read(" {1}\r\nx {5}\r\n^"), "x [5~].");
}

TEST(Append, Several_messages) {
    EXPECT_EQ(read(" x {2+}\r\n^ (\\Seen) {3+}\r\n^ UTF8 (~{4}\r\n^)"), "x [2~] [seen 3~] [ub4~].");
    EXPECT_EQ(read(" x {2+}\r\n^ (\\Seen)"), "x [2~]bad");
    EXPECT_EQ(read(" x {2+}\r\n^{3+}\r\n^"), "x [2~]bad");
}

TEST(Append, Q14_utf8_form) {
    EXPECT_EQ(read(" x UTF8 (~{5+}\r\n^)"), "x [ub5~].");
    EXPECT_EQ(read(" x UTF8 (~{5+}\r\n^"), "x [ub5~bad");
    EXPECT_EQ(read(" x UTF8 (~{5+}\r\n^ )"), "x [ub5~bad");
    EXPECT_EQ(read(" x UTF8 ({5+}\r\n^)"), "x [bad");
}

TEST(Append, Catenated_pieces) {
    EXPECT_EQ(read(" x (\\Seen) CATENATE (URL \"/a/;UID=1\" TEXT {4}\r\n^ URL b)"),
              "x {seen </a/;UID=1>4~<b>].");
    EXPECT_EQ(read(" x catenate (text {4}\r\n^ utf8 (~{2}\r\n^) url {3}\r\n^) {9}\r\n^"),
              "x {4~ub2~<3>~] [9~].");
    EXPECT_EQ(read(" x CATENATE (URL a)"), "x {<a>].");
    for (const char* text : {" x CATENATE ()", " x CATENATE (", " x CATENATE (TEXT \"a\")",
                             " x CATENATE (URL)", " x CATENATE(URL a)", " x CATENATE (FOO a)"}) {
        EXPECT_TRUE(read(text).ends_with("bad")) << text;
    }
    EXPECT_EQ(read(" x CATENATE (URL a URL b"), "x {<a><b>bad");
    EXPECT_EQ(read(" x CATENATE (TEXT {4}\r\n^URL b)"), "x {4~bad");
}

TEST(Append, Replace_names_a_message) {
    EXPECT_EQ(read(" 4 Drafts (\\Seen) {5}\r\n^", "REPLACE"), "Drafts#4 [seen 5~].");
    EXPECT_EQ(read(" * Drafts {5}\r\n^", "REPLACE"), "Drafts [5~].");
    EXPECT_EQ(read(" 4:5 Drafts {5}\r\n^", "REPLACE"), "bad");
    EXPECT_EQ(read(" 0 Drafts {5}\r\n^", "REPLACE"), "bad");
    EXPECT_EQ(read(" Drafts {5}\r\n^", "REPLACE"), "bad");
}

TEST(Append, Without_a_message_is_an_error) {
    EXPECT_EQ(read(" x"), "x.");  // That there must be one is for who counts them.
    for (const char* text : {" x (\\Seen)", " x \"22-Nov-2026 02:15:06 +0000\"", "", " x \"hello\"",
                             " x {2}\r\nhi", " x (\\Bogus) {5}\r\n^"}) {
        EXPECT_TRUE(read(text).ends_with("bad")) << text;
    }
}

TEST(Append, A_long_command_is_read_once) {
    std::string text = " x";
    std::string expected = "x";
    for (int i = 0; i < 1000; ++i) {
        text += " {1+}\r\n^";
        expected += " [1~]";
    }
    EXPECT_EQ(read(text), expected + ".");
}

}  // namespace
}  // namespace godwit::imap
