#include "wire/imap/response.h"

#include <gtest/gtest.h>

namespace godwit::imap {
namespace {

using Kind = ResponseToken::Kind;

/// "a:* s:x ( ) t:text l:5 o:... le e" of the tokens; "error" at the end for one.
std::string read(std::string_view input, std::size_t piece) {
    ResponseReader reader;
    std::string out;
    std::string octets;
    for (;;) {
        const auto token = reader.next();
        if (!token) {
            return out + "error";
        }
        if (!*token) {
            if (input.empty()) {
                return out;
            }
            reader.feed(input.substr(0, piece));
            input.remove_prefix(std::min(piece, input.size()));
            continue;
        }
        const ResponseToken& one = **token;
        switch (one.kind) {
            case Kind::Atom: out += "a:" + one.text + " "; break;
            case Kind::String: out += "s:" + one.text + " "; break;
            case Kind::Open: out += "( "; break;
            case Kind::Close: out += ") "; break;
            case Kind::Text: out += "t:" + one.text + " "; break;
            case Kind::LiteralBegin:
                out += "l" + std::to_string(one.size) + ":";
                octets.clear();
                break;
            case Kind::Octets: octets += one.text; break;
            case Kind::LiteralEnd: out += octets + " "; break;
            case Kind::End: out += "e\n"; break;
        }
    }
}

void expect_tokens(std::string_view input, std::string_view wanted) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{10000}}) {
        EXPECT_EQ(read(input, piece), wanted) << input;
    }
}

TEST(Response, Tokens_are_the_same_however_it_comes) {
    expect_tokens("* OK [CAPABILITY IMAP4rev1 (x] Ready \"{5}\r\n",
                  "a:* a:OK t:[CAPABILITY IMAP4rev1 (x] Ready \"{5} e\n");
    expect_tokens("* LIST (\\HasNoChildren \\Sent) \"/\" \"Se\\\"nt\"\r\n",
                  "a:* a:LIST ( a:\\HasNoChildren a:\\Sent ) s:/ s:Se\"nt e\n");
    expect_tokens(
        "* 12 FETCH (UID 5 FLAGS (\\Seen $X) BODY[] {4}\r\na\r\n) UID 9)\r\na1 OK done\r\n",
        "a:* a:12 a:FETCH ( a:UID a:5 a:FLAGS ( a:\\Seen a:$X ) a:BODY[] l4:a\r\n) a:UID "
        "a:9 ) e\na:a1 a:OK t:done e\n");
    expect_tokens("* 1 FETCH (BODY[HEADER.FIELDS (TO CC)] ~{0}\r\n X NIL)\n",
                  "a:* a:1 a:FETCH ( a:BODY[HEADER.FIELDS (TO CC)] l0: a:X a:NIL ) e\n");
    expect_tokens("+ go {3}\r\n+\r\n", "a:+ t:go {3} e\na:+ t: e\n");
    expect_tokens("* LIST () NIL {2}\r\nOK\r\n", "a:* a:LIST ( ) a:NIL l2:OK e\n");
    expect_tokens("* SEARCH\r\n\r\n", "a:* a:SEARCH e\ne\n");
    // An OK that is no state: the name of a folder.
    expect_tokens("* STATUS OK (MESSAGES 1)\r\n", "a:* a:STATUS a:OK ( a:MESSAGES a:1 ) e\n");
}

TEST(Response, What_makes_no_sense_is_an_error) {
    expect_tokens("* NOOP\r\n* LIST () \"/\" \"x\r\n", "a:* a:NOOP e\nerror");
}

TEST(Response, Literal_and_line_have_bounds) {
    const auto literal = [](std::uint64_t size) {
        return read("* x {" + std::to_string(size) + "}\r\n", 100);
    };
    EXPECT_EQ(literal(response_literal_max - 1).find("error"), std::string::npos);
    EXPECT_EQ(literal(response_literal_max).find("error"), std::string::npos);
    EXPECT_NE(literal(response_literal_max + 1).find("error"), std::string::npos);
    for (const std::size_t size :
         {response_line_max - 1, response_line_max, response_line_max + 1}) {
        // The line's CR is one of its octets.
        const std::string line = "* " + std::string(size - 3, 'x') + "\r\n";
        const bool is_error = read(line, 100'000).ends_with("error");
        EXPECT_EQ(is_error, size > response_line_max) << size;
    }
}

TEST(Response, Lines_of_one_response_are_bounded_together) {
    std::string text = "* x";
    for (std::size_t i = 0; i < response_line_max / 1000 + 10; ++i) {
        text += " " + std::string(1000, 'y') + " {1}\r\nz";
    }
    EXPECT_TRUE(read(text, 100'000).ends_with("error"));
}

}  // namespace
}  // namespace godwit::imap
