#include "mail/file/maildir.h"

#include <gtest/gtest.h>

#include "mail/file/line_ends.h"

namespace godwit::mail {
namespace {

TEST(Maildir, Name_is_what_stays_and_the_flags) {
    const MaildirName name = parse_maildir_name("1700.M1P2.host,S=10,W=11:2,FSa");
    EXPECT_EQ(name.unique, "1700.M1P2.host,S=10,W=11");
    EXPECT_EQ(name.flags, "FSa");
    EXPECT_EQ(parse_maildir_name("1700.host").unique, "1700.host");
    EXPECT_EQ(parse_maildir_name("1700.host").flags, "");
    EXPECT_EQ(parse_maildir_name("").unique, "");
    EXPECT_EQ(parse_maildir_name("a:2,x:2,S").unique, "a:2,x");
    EXPECT_EQ(parse_maildir_name("a:1,S").unique, "a:1,S");
}

TEST(Maildir, Letters_and_flags_are_each_others) {
    for (const char letter : {'D', 'F', 'P', 'R', 'S', 'T'}) {
        EXPECT_EQ(maildir_letter(maildir_flag(letter)), letter);
    }
    EXPECT_EQ(maildir_flag('S'), "\\Seen");
    EXPECT_EQ(maildir_flag('a'), "");
    EXPECT_EQ(maildir_letter("$forwarded"), 'P');
    EXPECT_EQ(maildir_letter("Junk"), '\0');
}

TEST(Maildir, Keywords_are_26_at_most) {
    const auto names = parse_maildir_keywords("0 $Forwarded\n25 last\n26 over\nx y\n1 one\n");
    ASSERT_EQ(names.size(), maildir_keywords_max);
    EXPECT_EQ(names[0], "$Forwarded");
    EXPECT_EQ(names[1], "one");
    EXPECT_EQ(names[2], "");
    EXPECT_EQ(names[25], "last");
}

TEST(Maildir, Uidlist_of_both_versions_is_read) {
    const auto header = parse_uidlist_header("3 V1275660208 N25022 G3085f01b7f11094c501100008c");
    ASSERT_TRUE(header);
    EXPECT_EQ(header->uid_validity, 1275660208U);
    EXPECT_EQ(header->uid_next, 25022U);
    const auto old = parse_uidlist_header("1 1173189136 20221");
    ASSERT_TRUE(old);
    EXPECT_EQ(old->version, 1);
    EXPECT_EQ(old->uid_next, 20221U);
    for (const char* bad : {"", "2 1 2", "3 N5", "3 V0", "1 x 2", "1 2"}) {
        EXPECT_FALSE(parse_uidlist_header(bad)) << bad;
    }
    const auto line = parse_uidlist_line("25006 W2481 Puidl-1 :1276.M3P9.host,S=13:2,S", 3);
    ASSERT_TRUE(line);
    EXPECT_EQ(line->uid, 25006U);
    EXPECT_EQ(line->unique_id, "uidl-1");
    EXPECT_EQ(line->unique, "1276.M3P9.host,S=13");
    EXPECT_EQ(parse_uidlist_line("7 1276.host:2,S", 1)->unique, "1276.host");
    EXPECT_EQ(parse_uidlist_line("7 :x", 3)->unique, "x");
    for (const char* bad : {"", "0 :x", "x :y", "7", "7 :", "4294967296 :x"}) {
        EXPECT_FALSE(parse_uidlist_line(bad, 3)) << bad;
    }
}

TEST(Maildir, Folders_have_levels) {
    EXPECT_EQ(maildir_levels(".Work.2024"), (std::vector<std::string>{"Work", "2024"}));
    EXPECT_EQ(maildir_levels(".a\\2eb"), (std::vector<std::string>{"a.b"}));
    EXPECT_TRUE(maildir_levels(".").empty());
    EXPECT_TRUE(maildir_levels(".a..b").empty());
    EXPECT_TRUE(maildir_levels(".a.").empty());
    EXPECT_EQ(unescape_maildir_level(escape_maildir_level("a.b/c\\d")), "a.b/c\\d");
    EXPECT_EQ(unescape_maildir_level("a\\2"), "a\\2");
    EXPECT_EQ(unescape_maildir_level("a\\zz"), "a\\zz");
}

std::string as_mail(std::string_view text, std::size_t piece) {
    MailLineEnds ends;
    std::string out;
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
        ends.feed(text.substr(0, piece), out);
    }
    return out;
}

TEST(LineEnds, First_line_decides) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{100}}) {
        EXPECT_EQ(as_mail("a\nb\n\nc", piece), "a\r\nb\r\n\r\nc");
        EXPECT_EQ(as_mail("a\nb\r\nc\n", piece), "a\r\nb\r\nc\r\n");
        EXPECT_EQ(as_mail("a\r\nb\nc\r\n", piece), "a\r\nb\nc\r\n");
        EXPECT_EQ(as_mail("a\rb\n", piece), "a\rb\r\n");
        EXPECT_EQ(as_mail("", piece), "");
    }
}

TEST(LineEnds, What_is_plain_comes_back_from_a_file_exactly) {
    for (const std::string mail :
         {"a\r\nb\r\n\r\nc\r\n", "a", "", "a\rb\r\n\r\nc\r", "a\r\nb\nc\r\n", "a\r\r\nb\r\n",
          "\r\n\r\n", "a\nb\n", "a\nb\r\n", "\r\r\n", "\n"}) {
        LineEndSurvey survey;
        std::string file;
        for (const char c : mail) {
            survey.feed(std::string_view(&c, 1));
        }
        if (survey.is_plain()) {
            FileLineEnds ends;
            for (const char c : mail) {
                ends.feed(std::string_view(&c, 1), file);
            }
            ends.finish(file);
            EXPECT_EQ(file.find("\r\n"), std::string::npos);
        } else {
            file = mail;
        }
        const bool is_same = as_mail(file, 100) == mail;
        EXPECT_EQ(is_same, survey.is_plain() || survey.survives_as_is()) << mail;
    }
}

}  // namespace
}  // namespace godwit::mail
