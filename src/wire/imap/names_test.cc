// Mailbox names: modified UTF-7, the names made of it, and patterns over them.
#include <gtest/gtest.h>

#include <string>

#include "base/ascii.h"
#include "base/limits.h"
#include "wire/imap/mailbox_name.h"
#include "wire/imap/match.h"
#include "wire/imap/utf7.h"

namespace godwit::imap {
namespace {

TEST(Utf7, Rfc3501_examples) {
    EXPECT_EQ(utf7_decode("~peter/mail/&U,BTFw-/&ZeVnLIqe-"), "~peter/mail/台北/日本語");
    EXPECT_EQ(utf7_encode("~peter/mail/台北/日本語"), "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
    EXPECT_EQ(utf7_decode("&Jjo!"), std::nullopt);
    EXPECT_EQ(utf7_decode("&Jjo-!"), "\u263a!");
    EXPECT_EQ(utf7_decode("&U,BTFw-&ZeVnLIqe-"), std::nullopt);
    EXPECT_EQ(utf7_decode("&U,BTF2XlZyyKng-"), "台北日本語");
}

TEST(Utf7, Ampersand_and_plain_text) {
    EXPECT_EQ(utf7_decode("R&-D"), "R&D");
    EXPECT_EQ(utf7_encode("R&D"), "R&-D");
    EXPECT_EQ(utf7_decode("&-&-"), "&&");
    EXPECT_EQ(utf7_decode("&AOk-&-"), "é&");
    EXPECT_EQ(utf7_encode("é&"), "&AOk-&-");
    EXPECT_EQ(utf7_decode(""), "");
}

TEST(Utf7, Other_spellings_of_a_name_are_refused) {
    // Printable ASCII in base64, stray bits, unpaired surrogates, wrong alphabet, no end, raw
    // 8-bit.
    for (const char* text : {"&AGE-", "&AOl-", "&2D0-", "&3Qw-", "&2D0AYQ-", "&AO/-", "&AOk", "&",
                             "&A-", "&AAAA-", "\xC3\xA9", "a\tb", "&AOk=-", "&AOk -"}) {
        EXPECT_EQ(utf7_decode(text), std::nullopt) << text;
    }
}

TEST(Utf7, Supplementary_planes) {
    EXPECT_EQ(utf7_decode("&2D3eAA-"), "\U0001F600");
    EXPECT_EQ(utf7_encode("\U0001F600"), "&2D3eAA-");
}

TEST(Utf7, Encoding_then_decoding_gives_the_same) {
    for (const char* name :
         {"Entwürfe", "Отправленные", "a/é/b", "\U00010FFF\U0010FFFF", "&&é&&", "日"}) {
        EXPECT_EQ(utf7_decode(utf7_encode(name)), name);
    }
}

TEST(Utf7, Broken_utf8_becomes_the_replacement_character) {
    EXPECT_EQ(utf7_encode("a\xFF"
                          "b"),
              "a&,,0-b");
    EXPECT_EQ(utf7_encode("\xC3"), "&,,0-");
    EXPECT_EQ(utf7_encode("\xED\xA0\x80"), "&,,3,,f,9-");
}

MailboxName name_of(std::string_view wire, NameSpelling spelling = NameSpelling::Utf7) {
    auto out = parse_mailbox_name(wire, spelling);
    return out ? *out : MailboxName{.name = "error"};
}

TEST(MailboxName, Inbox_in_any_case) {
    EXPECT_EQ(name_of("iNbOx").name, "INBOX");
    EXPECT_EQ(name_of("inbox/Work").name, "INBOX/Work");
    EXPECT_EQ(name_of("inboxes").name, "inboxes");
    EXPECT_EQ(name_of("x/inbox").name, "x/inbox");
}

TEST(MailboxName, Q15_trailing_separators_are_taken_off) {
    EXPECT_EQ(name_of("foo/").name, "foo");
    EXPECT_TRUE(name_of("foo/").trailing_separator);
    EXPECT_EQ(name_of("foo///").name, "foo");
    EXPECT_EQ(name_of("inbox/").name, "INBOX");
    EXPECT_EQ(name_of("/").name, "/");
    EXPECT_FALSE(name_of("foo").trailing_separator);
}

TEST(MailboxName, Q14_bare_ampersand_is_taken_as_it_stands) {
    EXPECT_EQ(name_of("R&D").name, "R&D");
    EXPECT_TRUE(name_of("R&D").repaired);
    EXPECT_FALSE(name_of("R&-D").repaired);
    EXPECT_EQ(name_of("R&-D").name, "R&D");
    EXPECT_EQ(name_of("R&-D", NameSpelling::Utf8).name, "R&-D");
    EXPECT_EQ(name_of("R&D", NameSpelling::Utf8).name, "R&D");
    EXPECT_FALSE(name_of("R&D", NameSpelling::Utf8).repaired);
}

TEST(MailboxName, Q23_raw_utf8_is_taken) {
    EXPECT_EQ(name_of("Entw\xC3\xBCrfe").name, "Entwürfe");
    EXPECT_TRUE(name_of("Entw\xC3\xBCrfe").repaired);
    EXPECT_EQ(name_of("Entw\xC3\xBCrfe", NameSpelling::Utf8).name, "Entwürfe");
    EXPECT_EQ(name_of("Entw\xFCrfe").name, "error");
    EXPECT_EQ(name_of("Entw\xFCrfe", NameSpelling::Utf8).name, "error");
}

TEST(MailboxName, T85_controls_hidden_in_utf7_are_refused) {
    using std::string_literals::operator""s;
    EXPECT_EQ(name_of("a&AAA-b").name, "error");
    EXPECT_EQ(name_of("a&AAo-b").name, "error");
    EXPECT_EQ(name_of("a\nb"s).name, "error");
    EXPECT_EQ(name_of("a\0b"s).name, "error");
    // RFC 6855 3: U+0080 to U+009F, U+2028, U+2029.
    for (const char* bad : {"a\xc2\x80", "\xc2\x9f", "a\xe2\x80\xa8g", "\xe2\x80\xa9"}) {
        EXPECT_EQ(name_of(bad, NameSpelling::Utf8).name, "error") << bad;
    }
    EXPECT_EQ(name_of("\xc2\xa0\xe2\x80\xa7", NameSpelling::Utf8).name, "\xc2\xa0\xe2\x80\xa7");
    EXPECT_EQ(name_of("../../etc/passwd").name, "../../etc/passwd");  // Data, never a path.
    EXPECT_EQ(name_of("").name, "error");
}

TEST(MailboxName, T86_size_and_depth_at_minus_one_zero_plus_one) {
    const std::size_t size = limits::mailbox_name_size_max;
    EXPECT_EQ(name_of(std::string(size - 1, 'x')).name.size(), size - 1);
    EXPECT_EQ(name_of(std::string(size, 'x')).name.size(), size);
    EXPECT_EQ(name_of(std::string(size + 1, 'x')).name, "error");
    EXPECT_EQ(name_of(std::string(4 * size + 1, 'x')).name, "error");
    const auto deep = [](std::size_t levels) {
        std::string out = "a";
        for (std::size_t i = 1; i < levels; ++i) {
            out += "/a";
        }
        return out;
    };
    EXPECT_NE(name_of(deep(limits::mailbox_depth_max - 1)).name, "error");
    EXPECT_NE(name_of(deep(limits::mailbox_depth_max)).name, "error");
    EXPECT_EQ(name_of(deep(limits::mailbox_depth_max + 1)).name, "error");
}

TEST(Match, Wildcards_of_rfc3501) {
    EXPECT_TRUE(ListPattern("*").matches("a/b/c"));
    EXPECT_TRUE(ListPattern("%").matches("a"));
    EXPECT_FALSE(ListPattern("%").matches("a/b"));
    EXPECT_TRUE(ListPattern("a/%").matches("a/b"));
    EXPECT_FALSE(ListPattern("a/%").matches("a/b/c"));
    EXPECT_TRUE(ListPattern("a*c").matches("a/b/c"));
    EXPECT_TRUE(ListPattern("%/%").matches("a/b"));
    EXPECT_TRUE(ListPattern("a%b").matches("ab"));
    EXPECT_TRUE(ListPattern("").matches(""));
    EXPECT_FALSE(ListPattern("").matches("a"));
    EXPECT_TRUE(ListPattern("*").matches(""));
    EXPECT_TRUE(ListPattern("a").matches("a"));
    EXPECT_FALSE(ListPattern("a").matches("A"));
    EXPECT_TRUE(ListPattern("%*").matches("a/b"));
    EXPECT_TRUE(ListPattern("*%").matches("a/b"));
    EXPECT_TRUE(ListPattern("Entw*").matches("Entwürfe"));
}

TEST(Match, Inbox_without_case) {
    EXPECT_TRUE(ListPattern("inbox").matches("INBOX"));
    EXPECT_TRUE(ListPattern("InB%").matches("INBOX"));
    EXPECT_TRUE(ListPattern("inbox/Work").matches("INBOX/Work"));
    EXPECT_FALSE(ListPattern("inbox/work").matches("INBOX/Work"));
    EXPECT_FALSE(ListPattern("inboxes").matches("INBOXES"));
}

// The plain definition, exponential, for short texts.
bool reference_match(std::string_view pattern, std::string_view name) {
    if (pattern.empty()) {
        return name.empty();
    }
    if (pattern[0] == '*' || pattern[0] == '%') {
        if (reference_match(pattern.substr(1), name)) {
            return true;
        }
        return !name.empty() && (pattern[0] == '*' || name[0] != '/') &&
               reference_match(pattern, name.substr(1));
    }
    return !name.empty() && pattern[0] == name[0] &&
           reference_match(pattern.substr(1), name.substr(1));
}

TEST(Match, Agrees_with_the_definition) {
    const std::string letters = "a/*%b";
    std::uint32_t state = 7;
    const auto next = [&] { return state = state * 1664525 + 1013904223, state >> 16; };
    for (int round = 0; round < 20000; ++round) {
        std::string pattern;
        std::string name;
        for (std::uint32_t i = next() % 8; i > 0; --i) {
            pattern += letters[next() % 5];
        }
        for (std::uint32_t i = next() % 8; i > 0; --i) {
            name += "a/b"[next() % 3];
        }
        EXPECT_EQ(ListPattern(pattern).matches(name), reference_match(pattern, name))
            << pattern << " " << name;
    }
}

TEST(Match, T86_long_patterns_cross_word_boundaries) {
    const std::string name(500, 'a');
    EXPECT_TRUE(ListPattern(name).matches(name));
    EXPECT_FALSE(ListPattern(name + "b").matches(name));
    std::string stars;
    for (int i = 0; i < 250; ++i) {
        stars += "a*";
    }
    EXPECT_TRUE(ListPattern(stars).matches(name));
    EXPECT_FALSE(ListPattern(stars + "b").matches(name));
    for (const std::size_t size : {63U, 64U, 65U, 127U, 128U}) {
        EXPECT_TRUE(ListPattern(std::string(size, 'a') + "*").matches(name)) << size;
        EXPECT_TRUE(ListPattern("*" + std::string(size, 'a')).matches(name)) << size;
    }
}

}  // namespace
}  // namespace godwit::imap
