#include "wire/imap/search.h"

#include <gtest/gtest.h>

#include <string>

namespace godwit::imap {
namespace {

// The tree as nested lists, as a check on prefix order and `end`.
std::string show(const SearchProgram& program) {
    static constexpr const char* kNames[] = {
        "and",     "or",         "not",    "all",       "seq",    "uid",    "flag",
        "keyword", "recent",     "header", "body",      "text",   "before", "on",
        "since",   "sentbefore", "senton", "sentsince", "larger", "smaller"};
    std::string out;
    std::vector<std::uint32_t> ends;
    for (std::uint32_t i = 0; i < program.nodes.size(); ++i) {
        while (!ends.empty() && ends.back() == i) {
            out += ")";
            ends.pop_back();
        }
        const SearchNode& node = program.nodes[i];
        out += (out.empty() || out.ends_with('(')) ? "" : " ";
        out += kNames[static_cast<int>(node.op)];
        if (node.op <= SearchOp::Not) {
            out += "(";
            ends.push_back(node.end);
            continue;
        }
        out += node.wanted ? "" : "-";
        out += node.op == SearchOp::Flag ? std::to_string(static_cast<int>(node.flag)) : "";
        out += node.name.empty() ? "" : ":" + node.name;
        out += node.text.empty() ? "" : "=" + node.text;
        out += node.number != 0 ? std::to_string(node.number) : "";
        if (node.op == SearchOp::SequenceNumbers || node.op == SearchOp::Uids) {
            out += program.sets[node.set].resolve(100).to_string();
        }
        if (node.op >= SearchOp::Before && node.op <= SearchOp::SentSince) {
            out += std::to_string(node.day.time_since_epoch().count());
        }
    }
    return out + std::string(ends.size(), ')');
}

std::string parsed(std::string_view text) {
    Lexer lexer(text);
    const auto program = parse_search(lexer);
    return program                                          ? show(*program)
           : program.error().code == ErrorCode::Unsupported ? "badcharset"
                                                            : "error";
}

TEST(Search, Keys_of_rfc3501) {
    EXPECT_EQ(parsed(" ALL"), "and(all)");
    EXPECT_EQ(parsed(" FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\""),
              "and(flag4 since8797 not(header:From=Smith))");
    EXPECT_EQ(parsed(" unseen UNDELETED undraft unflagged unanswered"),
              "and(flag-1 flag-8 flag-16 flag-4 flag-2)");
    EXPECT_EQ(parsed(" NEW"), "and(and(recent flag-1))");
    EXPECT_EQ(parsed(" OLD RECENT"), "and(recent- recent)");
    EXPECT_EQ(parsed(" 1,3:5 UID 7:*"), "and(seq1,3:5 uid7:100)");
    EXPECT_EQ(parsed(" LARGER 1000 SMALLER 4294967295"), "and(larger1000 smaller4294967295)");
    EXPECT_EQ(parsed(" HEADER Message-ID {3}\r\n<a> SUBJECT x"),
              "and(header:Message-ID=<a> header:Subject=x)");
    EXPECT_EQ(parsed(" HEADER X-Spam \"\""), "and(header:X-Spam)");
    EXPECT_EQ(parsed(" KEYWORD $Forwarded UNKEYWORD Junk"),
              "and(keyword=$Forwarded keyword-=Junk)");
    EXPECT_EQ(parsed(" BCC a CC b TO c TEXT d BODY e"),
              "and(header:Bcc=a header:Cc=b header:To=c text=d body=e)");
    EXPECT_EQ(parsed(" SENTON \"1-Feb-1994\" ON 1-Feb-1994 BEFORE 1-Feb-1994 SENTBEFORE 1-Feb-1994 "
                     "SENTSINCE 1-Feb-1994"),
              "and(senton8797 on8797 before8797 sentbefore8797 sentsince8797)");
}

TEST(Search, Operators_and_lists) {
    EXPECT_EQ(parsed(" OR SEEN FLAGGED DRAFT"), "and(or(flag1 flag4) flag16)");
    EXPECT_EQ(parsed(" OR (SEEN DRAFT) NOT FLAGGED"), "and(or(and(flag1 flag16) not(flag4)))");
    EXPECT_EQ(parsed(" NOT NOT SEEN"), "and(not(not(flag1)))");
    EXPECT_EQ(parsed(" ((SEEN))"), "and(and(and(flag1)))");
    EXPECT_EQ(parsed(" OR SEEN OR DRAFT OR FLAGGED ALL"), "and(or(flag1 flag16 flag4 all))");
    EXPECT_EQ(parsed(" OR OR SEEN DRAFT FLAGGED"), "and(or(or(flag1 flag16) flag4))");
    EXPECT_EQ(parsed(" (OR SEEN DRAFT) ALL "), "and(and(or(flag1 flag16)) all)");
}

TEST(Search, Rfc4731_return_options) {
    const auto returns = [](std::string_view text) {
        Lexer lexer(text);
        const auto program = parse_search(lexer);
        return program ? std::optional(program->returns) : std::nullopt;
    };
    EXPECT_FALSE(returns(" ALL")->is_given);
    EXPECT_TRUE(returns(" RETURN () ALL")->all);
    EXPECT_TRUE(returns(" return (save) CHARSET UTF-8 ALL")->is_silent());
    EXPECT_TRUE(returns(" RETURN (MIN SAVE) ALL")->is_selective());
    EXPECT_FALSE(returns(" RETURN (MIN COUNT) ALL")->is_selective());
    EXPECT_EQ(returns(" RETURN (PARTIAL -1:-20) ALL")->partial->to_string(), "-1:-20");
    for (const char* bad : {" RETURN ALL", " RETURN (ALL PARTIAL 1:2) ALL", " RETURN (SOME) ALL",
                            " RETURN (ALL", " RETURN (PARTIAL) ALL", " RETURN (ALL)"}) {
        EXPECT_FALSE(returns(bad)) << bad;
    }
}

TEST(Search, Rfc5182_the_saved_result_is_a_set_of_messages) {
    Lexer lexer(std::string_view(" OR $ UID $"));
    const auto program = parse_search(lexer);
    ASSERT_TRUE(program);
    EXPECT_FALSE(program->uses_sequence_numbers());
    EXPECT_TRUE(program->sets.at(0).is_saved() && program->sets.at(1).is_saved());
    Lexer mixed(std::string_view(" $,1"));
    EXPECT_FALSE(parse_search(mixed));
}

TEST(Search, Charset) {
    EXPECT_EQ(parsed(" CHARSET UTF-8 SUBJECT {6}\r\n\xD0\xB4\xD0\xB0\xD0\xB4"),
              "and(header:Subject=\xD0\xB4\xD0\xB0\xD0\xB4)");
    EXPECT_EQ(parsed(" CHARSET us-ascii ALL"), "and(all)");
    EXPECT_EQ(parsed(" CHARSET KOI8-R SUBJECT x"), "badcharset");
    EXPECT_EQ(parsed(" CHARSET UTF-8"), "error");
    EXPECT_EQ(parsed(" SUBJECT {1}\r\n\xFF"), "error");
}

TEST(Search, Malformed_searches_are_errors) {
    for (const char* text : {"",
                             " ",
                             " FOO",
                             " (",
                             " ()",
                             " (SEEN",
                             " SEEN)",
                             " OR SEEN",
                             " NOT",
                             " OR",
                             " SEEN  DRAFT",
                             " SUBJECT",
                             " LARGER x",
                             " LARGER 9223372036854775808",
                             " SINCE 31-Feb-1994",
                             " UID",
                             " UID 0",
                             " 0",
                             " HEADER x",
                             " SEEN(DRAFT)",
                             " NOT(SEEN)x",
                             " NEW)"}) {
        EXPECT_EQ(parsed(text), "error") << text;
    }
}

std::string repeated(std::string_view piece, std::size_t count, std::string_view end) {
    std::string out = " ";
    for (std::size_t i = 0; i < count; ++i) {
        out += piece;
    }
    return out + std::string(end);
}

TEST(Search, T78_nesting_at_minus_one_zero_plus_one) {
    const std::size_t max = limits::imap_nesting_max;
    for (const std::size_t depth : {max - 1, max}) {
        EXPECT_NE(parsed(repeated("NOT ", depth, "SEEN")), "error");
        EXPECT_NE(parsed(repeated("(", depth, "SEEN") + std::string(depth, ')')), "error");
        EXPECT_NE(parsed(repeated("OR ", depth, "SEEN") +
                         std::string(repeated("ALL ", depth, "")).substr(0, 4 * depth)),
                  "error");
    }
    EXPECT_EQ(parsed(repeated("NOT ", max + 1, "SEEN")), "error");
    EXPECT_EQ(parsed(repeated("(", max + 1, "SEEN") + std::string(max + 1, ')')), "error");
    EXPECT_EQ(parsed(repeated("NOT ", 10000, "SEEN")), "error");
    EXPECT_EQ(parsed(repeated("OR ", 10000, "SEEN")), "error");
}

TEST(Search, Long_chains_of_or_need_no_nesting) {
    std::string text = " ";
    for (int i = 0; i < 1000; ++i) {
        text += "OR HEADER Message-ID <" + std::to_string(i) + "> ";
    }
    text += "SEEN";
    Lexer lexer(text);
    const auto program = parse_search(lexer);
    ASSERT_TRUE(program) << program.error().text;
    EXPECT_EQ(program->nodes.size(), 1003U);
}

TEST(Search, T78_keys_at_minus_one_zero_plus_one) {
    const std::size_t max = limits::imap_search_keys_max;
    EXPECT_NE(parsed(repeated("ALL ", max - 1, "")), "error");
    EXPECT_NE(parsed(repeated("ALL ", max, "")), "error");
    EXPECT_EQ(parsed(repeated("ALL ", max + 1, "")), "error");
}

TEST(Search, Needle_at_minus_one_zero_plus_one) {
    const std::size_t max = limits::search_needle_size_max;
    EXPECT_NE(parsed(" BODY " + std::string(max - 1, 'x')), "error");
    EXPECT_NE(parsed(" BODY " + std::string(max, 'x')), "error");
    EXPECT_EQ(parsed(" BODY " + std::string(max + 1, 'x')), "error");
}

// SEEN yes, DRAFT no, BODY unknown; counts what was asked.
Truth evaluated(std::string_view text, int* asked = nullptr) {
    Lexer lexer(text);
    const auto program = parse_search(lexer);
    EXPECT_TRUE(program);
    return evaluate(*program, [&](const SearchNode& node) {
        if (asked != nullptr) {
            ++*asked;
        }
        if (node.op == SearchOp::Body) {
            return Truth::Unknown;
        }
        const bool is_set = node.op == SearchOp::Flag && node.flag == SystemFlag::Seen;
        return is_set == node.wanted ? Truth::Yes : Truth::No;
    });
}

TEST(Search, Evaluation) {
    EXPECT_EQ(evaluated(" SEEN"), Truth::Yes);
    EXPECT_EQ(evaluated(" DRAFT"), Truth::No);
    EXPECT_EQ(evaluated(" SEEN UNDRAFT"), Truth::Yes);
    EXPECT_EQ(evaluated(" NOT DRAFT SEEN"), Truth::Yes);
    EXPECT_EQ(evaluated(" NOT (SEEN UNDRAFT)"), Truth::No);
    EXPECT_EQ(evaluated(" OR DRAFT OR DRAFT SEEN"), Truth::Yes);
    EXPECT_EQ(evaluated(" OR DRAFT DRAFT"), Truth::No);
    EXPECT_EQ(evaluated(" OR (DRAFT SEEN) (SEEN NOT DRAFT) SEEN"), Truth::Yes);
    EXPECT_EQ(evaluated(" NOT NOT SEEN"), Truth::Yes);
    EXPECT_EQ(evaluated(" BODY x"), Truth::Unknown);
    EXPECT_EQ(evaluated(" NOT BODY x"), Truth::Unknown);
    EXPECT_EQ(evaluated(" BODY x DRAFT"), Truth::No);
    EXPECT_EQ(evaluated(" OR BODY x SEEN"), Truth::Yes);
    EXPECT_EQ(evaluated(" OR BODY x DRAFT"), Truth::Unknown);
    EXPECT_EQ(evaluated(" SEEN OR BODY x NOT BODY y"), Truth::Unknown);
}

TEST(Search, Decided_keys_are_not_asked) {
    int asked = 0;
    EXPECT_EQ(evaluated(" DRAFT BODY a BODY b", &asked), Truth::No);
    EXPECT_EQ(asked, 1);
    asked = 0;
    EXPECT_EQ(evaluated(" OR SEEN (BODY a BODY b) SEEN", &asked), Truth::Yes);
    EXPECT_EQ(asked, 2);
}

TEST(Search, Fuzzy_marks_the_keys_it_is_around) {
    const auto marks = [](std::string_view text) {
        Lexer lexer(text);
        const auto program = parse_search(lexer);
        std::string out;
        for (const SearchNode& node : program ? program->nodes : std::vector<SearchNode>()) {
            out += node.op <= SearchOp::Not ? "" : node.fuzzy ? "f" : "-";
        }
        return program ? out : "error";
    };
    EXPECT_EQ(marks(" FUZZY SUBJECT a BODY b"), "f-");
    EXPECT_EQ(marks(" FUZZY (SUBJECT a NOT BODY b) BODY c"), "ff-");
    EXPECT_EQ(marks(" OR FUZZY SUBJECT a OR BODY b FUZZY BODY c"), "f-f");
    EXPECT_EQ(marks(" NOT FUZZY FUZZY SEEN SEEN"), "f-");
    EXPECT_EQ(marks(" RETURN (RELEVANCY) FUZZY BODY b"), "f");
    for (const char* bad : {" FUZZY", " FUZZY ", " FUZZY()", " (FUZZY) SEEN", " OR FUZZY SEEN",
                            " RETURN (RELEVANCY) BODY b", " RETURN (RELEVANCY 1) FUZZY BODY b"}) {
        EXPECT_EQ(marks(bad), "error") << bad;
    }
}

TEST(Search, Uses_sequence_numbers) {
    const auto uses = [](std::string_view text) {
        Lexer lexer(text);
        return parse_search(lexer)->uses_sequence_numbers();
    };
    EXPECT_TRUE(uses(" NOT 1:3"));
    EXPECT_FALSE(uses(" UID 1:3"));
}

}  // namespace
}  // namespace godwit::imap
