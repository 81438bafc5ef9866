#include "wire/imap/arguments.h"

#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"
#include "wire/imap/date_time.h"
#include "wire/imap/fetch.h"

namespace godwit::imap {
namespace {

using enum NameSpelling;

template <class Parse>
auto parse(std::string_view text, Parse parser) {
    Lexer lexer(text);
    return parser(lexer);
}
template <class Parse>
auto parse_named(std::string_view text, Parse parser) {
    Lexer lexer(text);
    return parser(lexer, Utf7);
}

TEST(Lexer, Strings_of_all_kinds) {
    const auto login = parse(" \"a \\\"b\\\\\" {3+}\r\nx\ry", parse_login);
    ASSERT_TRUE(login);
    EXPECT_EQ(login->user, "a \"b\\");
    EXPECT_EQ(login->password, "x\ry");
    EXPECT_EQ(parse(" atom]! ~{2}\r\nhi  ", parse_login)->user, "atom]!");
}

TEST(Lexer, Malformed_strings_are_errors) {
    using std::string_literals::operator""s;
    for (const std::string& text :
         {" \"a b"s, " \"a\\x\" b"s, " a"s, " a  b"s, " a b c"s, " {5}\r\nabc"s, " {3}abc b"s,
          " {3\r\nabc b"s, " {1}\r\n\0 b"s, " a(b c"s, "a b"s, " {99999999999999999999999}\r\n b"s,
          " \"a\r\n\" b"s, " % b"s, " \xC3\xA9 b"s}) {
        EXPECT_FALSE(parse(text, parse_login)) << text;
    }
}

TEST(Arguments, Authenticate_with_and_without_initial_response) {
    EXPECT_EQ(parse(" plain", parse_authenticate)->mechanism, "PLAIN");
    EXPECT_EQ(parse(" plain", parse_authenticate)->initial_response, std::nullopt);
    EXPECT_EQ(parse(" PLAIN =", parse_authenticate)->initial_response, "");
    EXPECT_EQ(parse(" SCRAM-SHA-256 biws", parse_authenticate)->initial_response, "biws");
    EXPECT_FALSE(parse(" PLAIN b*", parse_authenticate));
    EXPECT_FALSE(parse("", parse_authenticate));
}

TEST(Arguments, Q36_id) {
    EXPECT_TRUE(parse(" NIL", parse_id)->empty());
    EXPECT_TRUE(parse(" ()", parse_id)->empty());
    const auto id = parse(R"( ("name" "K-9" "vendor" NIL))", parse_id);
    ASSERT_TRUE(id);
    EXPECT_EQ(id->at(0).second, "K-9");
    EXPECT_EQ(id->at(1).second, std::nullopt);
    EXPECT_FALSE(parse(R"( ("name"))", parse_id));
}

TEST(Arguments, Id_fields_at_minus_one_zero_plus_one) {
    const auto fields = [](std::size_t count) {
        std::string out = " (";
        for (std::size_t i = 0; i < count; ++i) {
            out += i == 0 ? "\"a\" \"b\"" : " \"a\" \"b\"";
        }
        return out + ")";
    };
    EXPECT_TRUE(parse(fields(limits::imap_id_fields_max - 1), parse_id));
    EXPECT_TRUE(parse(fields(limits::imap_id_fields_max), parse_id));
    EXPECT_FALSE(parse(fields(limits::imap_id_fields_max + 1), parse_id));
    const auto value = [](std::size_t size) {
        return " (\"a\" \"" + std::string(size, 'x') + "\")";
    };
    EXPECT_TRUE(parse(value(limits::imap_id_value_size_max), parse_id));
    EXPECT_FALSE(parse(value(limits::imap_id_value_size_max + 1), parse_id));
}

TEST(Arguments, Enable_takes_unknown_words) {
    const auto words = parse(" condstore X-Foo", parse_enable);
    ASSERT_TRUE(words);
    EXPECT_EQ(*words, (std::vector<std::string>{"CONDSTORE", "X-FOO"}));
    EXPECT_FALSE(parse("", parse_enable));
}

TEST(Arguments, Mailbox_rename_copy) {
    EXPECT_EQ(parse_named(" inbox", parse_mailbox)->name, "INBOX");
    EXPECT_EQ(parse_named(" \"Sent Items\"", parse_mailbox)->name, "Sent Items");
    EXPECT_EQ(parse_named(" {6}\r\nDrafts", parse_mailbox)->name, "Drafts");
    EXPECT_FALSE(parse_named(" a b", parse_mailbox));
    const auto rename = parse_named(" a \"b c\"", parse_rename);
    ASSERT_TRUE(rename);
    EXPECT_EQ(rename->from.name, "a");
    EXPECT_EQ(rename->to.name, "b c");
    const auto copy = parse_named(" 2:4,7 Archive", parse_copy);
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->set.resolve(9).to_string(), "2:4,7");
    EXPECT_EQ(copy->mailbox.name, "Archive");
    EXPECT_FALSE(parse_named(" 2:4x Archive", parse_copy));
}

TEST(Arguments, Store) {
    const auto add = parse(" 1:* +FLAGS.SILENT (\\Seen \\deleted $Forwarded)", parse_store);
    ASSERT_TRUE(add);
    EXPECT_EQ(add->mode, StoreMode::Add);
    EXPECT_TRUE(add->silent);
    EXPECT_TRUE(add->flags.has(SystemFlag::Seen) && add->flags.has(SystemFlag::Deleted));
    EXPECT_EQ(add->flags.keywords, std::vector<std::string>{"$Forwarded"});
    EXPECT_EQ(parse(" 1 FLAGS \\Seen Junk", parse_store)->flags.keywords.size(), 1U);
    EXPECT_EQ(parse(" 1 -flags ()", parse_store)->mode, StoreMode::Remove);
    EXPECT_EQ(parse(" 1 FLAGS (\\Recent)", parse_store)->flags.system, 0);
    EXPECT_EQ(parse(" 1 FLAGS (junk Junk)", parse_store)->flags.keywords.size(), 1U);
    EXPECT_FALSE(parse(" 1 FLAGS (\\Foo)", parse_store));
    EXPECT_FALSE(parse(" 1 FLAGS (\\*)", parse_store));
    EXPECT_FALSE(parse(" 1 FLAGS", parse_store));
    EXPECT_FALSE(parse(" 1 FLAGSX ()", parse_store));
}

TEST(Arguments, T86_keywords_at_minus_one_zero_plus_one) {
    const auto store = [](std::size_t count, std::size_t size) {
        std::string out = " 1 FLAGS (";
        for (std::size_t i = 0; i < count; ++i) {
            std::string word = std::to_string(i);
            word.resize(size, 'x');
            out += (i == 0 ? "" : " ") + word;
        }
        return out + ")";
    };
    EXPECT_TRUE(parse(store(limits::keywords_max, 4), parse_store));
    EXPECT_FALSE(parse(store(limits::keywords_max + 1, 4), parse_store));
    EXPECT_TRUE(parse(store(1, limits::keyword_size_max), parse_store));
    EXPECT_FALSE(parse(store(1, limits::keyword_size_max + 1), parse_store));
}

TEST(Arguments, Quoted_strings_are_utf8) {
    EXPECT_TRUE(parse(" \"Entw\xc3\xbcrfe\" \"x\"", parse_login));
    EXPECT_FALSE(parse(" \"Entw\xfcrfe\" \"x\"", parse_login));
    EXPECT_FALSE(parse(" x \"\xed\xa0\x80\"", parse_login));
}

TEST(DateTime, Parse_and_format) {
    const auto text = [](std::string_view in) {
        const auto time = parse_date_time(in);
        return time ? format_date_time(*time) : "error";
    };
    EXPECT_EQ(text("22-Nov-2026 02:15:06 +0000"), "22-Nov-2026 02:15:06 +0000");
    EXPECT_EQ(text(" 1-Jan-1970 00:00:00 +0000"), " 1-Jan-1970 00:00:00 +0000");
    EXPECT_EQ(text("1-jan-1970 00:00:00 +0000"), " 1-Jan-1970 00:00:00 +0000");
    EXPECT_EQ(text("17-Jul-1996 02:44:25 -0700"), "17-Jul-1996 09:44:25 +0000");
    EXPECT_EQ(text("29-Feb-2024 23:59:60 +0000"), " 1-Mar-2024 00:00:00 +0000");
    EXPECT_EQ(text("01-Jan-0001 00:00:00 +9959"), " 1-Jan-0001 00:00:00 +0000");  // T74: clamped
    EXPECT_EQ(text("31-Dec-9999 23:59:59 -0100"), "31-Dec-9999 23:59:59 +0000");  // T74
    for (const char* bad :
         {"29-Feb-2023 00:00:00 +0000", "22-Nov-2026", "22-Nov-2026 24:00:00 +0000",
          "22-Nov-2026 02:60:06 +0000", "22-Foo-2026 02:15:06 +0000", "22-Nov-2026 02:15:06 0000",
          "22-Nov-2026 02:15:06 +000", "", " ", "00-Nov-2026 02:15:06 +0000",
          "22 Nov 2026 02:15:06 +0000"}) {
        EXPECT_EQ(text(bad), "error") << bad;
    }
}

TEST(DateTime, Search_dates) {
    EXPECT_EQ(parse_date("1-Feb-1994")->time_since_epoch().count(), 8797);
    EXPECT_EQ(parse_date("01-feb-1994")->time_since_epoch().count(), 8797);
    for (const char* bad : {"", "1-Feb-94", "1-Feb-19940", "31-Feb-1994", "-Feb-1994",
                            "111-Feb-1994", "1 Feb 1994"}) {
        EXPECT_FALSE(parse_date(bad)) << bad;
    }
}

std::string fetch_text(std::string_view text) {
    Lexer lexer(text);
    const auto fetch = parse_fetch(lexer);
    if (!fetch) {
        return "error";
    }
    const FetchAttributes& a = fetch->attributes;
    std::string out;
    const auto flag = [&](bool on, std::string_view word) {
        on ? void(out.append(word).append(" ")) : void();
    };
    flag(a.uid, "uid");
    flag(a.flags, "flags");
    flag(a.internal_date, "date");
    flag(a.size, "size");
    flag(a.envelope, "envelope");
    flag(a.body, "body");
    flag(a.body_structure, "structure");
    for (const BodyItem& item : a.bodies) {
        out += std::to_string(static_cast<int>(item.name)) + (item.peek ? "peek" : "") +
               to_string(item.section);
        if (item.partial) {
            out += "<" + std::to_string(item.partial->origin) + "." +
                   std::to_string(item.partial->count) + ">";
        }
        out += " ";
    }
    return out;
}

TEST(Fetch, Macros_and_items) {
    EXPECT_EQ(fetch_text(" 1 ALL"), "flags date size envelope ");
    EXPECT_EQ(fetch_text(" 1 fast"), "flags date size ");
    EXPECT_EQ(fetch_text(" 1 FULL"), "flags date size envelope body ");
    EXPECT_EQ(fetch_text(" 1:* (UID FLAGS RFC822.SIZE BODYSTRUCTURE INTERNALDATE)"),
              "uid flags date size structure ");
    EXPECT_EQ(fetch_text(" 1 (FLAGS ALL)"), "error");
    EXPECT_EQ(fetch_text(" 1 ()"), "error");
    EXPECT_EQ(fetch_text(" 1 (FLAGS"), "error");
    EXPECT_EQ(fetch_text(" 1 FOO"), "error");
    EXPECT_EQ(fetch_text(" 1 FLAGS UID"), "error");
    EXPECT_EQ(fetch_text(" 1 BODY"), "body ");
    EXPECT_EQ(fetch_text(" 1 RFC822"), "1[] ");
    EXPECT_EQ(fetch_text(" 1 (RFC822.HEADER RFC822.TEXT)"), "2peek[HEADER] 3[TEXT] ");
}

TEST(Fetch, Sections_and_partials) {
    EXPECT_EQ(fetch_text(" 1 BODY[]"), "0[] ");
    EXPECT_EQ(fetch_text(" 1 BODY.PEEK[1.2.MIME]"), "0peek[1.2.MIME] ");
    EXPECT_EQ(fetch_text(" 1 BODY.PEEK[1]<0.393216>"), "0peek[1]<0.393216> ");  // Q1
    EXPECT_EQ(fetch_text(" 1 (BODY[4.2.HEADER.FIELDS (Date \"From\")] UID)"),
              "uid 0[4.2.HEADER.FIELDS (Date From)] ");
    EXPECT_EQ(fetch_text(" 1 body.peek[header.fields.not (X)]"), "0peek[HEADER.FIELDS.NOT (X)] ");
    EXPECT_EQ(fetch_text(" 1 BODY[HEADER.FIELDS ({4}\r\nDate)]"),
              "0[HEADER.FIELDS (Date)] ");  // Q33
    EXPECT_EQ(fetch_text(" 1 (BODY[1] BODY[1] BODY[1]<0.5>)"), "0[1] 0[1]<0.5> ");
    for (const char* bad :
         {" 1 BODY[MIME]", " 1 BODY[0]", " 1 BODY[1.]", " 1 BODY[1", " 1 BODY[HEADER.FIELDS]",
          " 1 BODY[HEADER.FIELDS ()]", " 1 BODY[]<1>", " 1 BODY[]<0.0>",
          " 1 BODY[]<9223372036854775808.1>", " 1 BODY.PEEK", " 1 BODY[HEADER.FIELDS (A:B)]",
          " 1 BODY[HEADER.FIELDS (\"a b\")]", " 1 BODY[FOO]"}) {
        EXPECT_EQ(fetch_text(bad), "error") << bad;
    }
}

TEST(Fetch, T78_items_and_names_at_minus_one_zero_plus_one) {
    const auto items = [](std::size_t count) {
        std::string out = " 1 (";
        for (std::size_t i = 1; i <= count; ++i) {
            out += (i == 1 ? "BODY[" : " BODY[") + std::to_string(i) + "]";
        }
        return out + ")";
    };
    EXPECT_NE(fetch_text(items(limits::imap_fetch_items_max)), "error");
    EXPECT_EQ(fetch_text(items(limits::imap_fetch_items_max + 1)), "error");
    const auto names = [](std::size_t count) {
        std::string out = " 1 BODY[HEADER.FIELDS (";
        for (std::size_t i = 0; i < count; ++i) {
            out += i == 0 ? "a" : " a";
        }
        return out + ")]";
    };
    EXPECT_NE(fetch_text(names(limits::imap_section_fields_max)), "error");
    EXPECT_EQ(fetch_text(names(limits::imap_section_fields_max + 1)), "error");
    std::string deep = " 1 BODY[1";
    for (std::size_t i = 1; i < 2 * limits::mime_depth_max; ++i) {
        deep += ".1";
    }
    EXPECT_NE(fetch_text(deep + "]"), "error");
    EXPECT_EQ(fetch_text(deep + ".1]"), "error");
}

TEST(Fetch, Only_peeks_leave_seen_alone) {
    const auto sets_seen = [](std::string_view text) {
        Lexer lexer(text);
        return read_fetch_attributes(lexer)->sets_seen();
    };
    EXPECT_TRUE(sets_seen("BODY[]"));
    EXPECT_TRUE(sets_seen("RFC822"));
    EXPECT_TRUE(sets_seen("RFC822.TEXT"));
    EXPECT_FALSE(sets_seen("RFC822.HEADER"));
    EXPECT_FALSE(sets_seen("(BODY.PEEK[] FLAGS)"));
    EXPECT_FALSE(sets_seen("PREVIEW"));
    EXPECT_FALSE(sets_seen("(UID PREVIEW (LAZY) FLAGS)"));
    EXPECT_FALSE(sets_seen("PREVIEW (LAZY)"));
    EXPECT_TRUE(sets_seen("BINARY[1.2]<0.5>"));
    EXPECT_FALSE(sets_seen("(BINARY.PEEK[] BINARY.SIZE[1])"));
}

}  // namespace
}  // namespace godwit::imap
