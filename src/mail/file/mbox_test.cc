#include "mail/file/mbox.h"

#include <gtest/gtest.h>

namespace godwit::mail {
namespace {

constexpr std::string_view kFrom = "From a@b Mon Nov 23 16:24:04 2026\n";

struct Read {
    std::string octets;
    MboxEnd facts;
};

std::vector<Read> read(std::string_view text, MboxQuoting quoting = MboxQuoting::Rd,
                       std::size_t piece = 1) {
    MboxReader reader(quoting);
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
        reader.feed(text.substr(0, piece));
    }
    reader.finish();
    std::vector<Read> found;
    while (auto event = reader.next()) {
        if (std::holds_alternative<MboxBegin>(*event)) {
            found.emplace_back();
        } else if (auto* octets = std::get_if<MboxOctets>(&*event)) {
            found.back().octets.append(octets->octets);
        } else {
            found.back().facts = std::get<MboxEnd>(*event);
        }
    }
    return found;
}

TEST(Mbox, Messages_are_parted_at_from_lines_behind_empty_ones) {
    const std::string text = std::string(kFrom) +
                             "Subject: x\n\nFrom here on text\n\nFrom nobody\n\n" +
                             std::string(kFrom) + "Subject: y\n\nz\n";
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{4096}}) {
        const auto found = read(text, MboxQuoting::Rd, piece);
        ASSERT_EQ(found.size(), 2U);
        EXPECT_EQ(found[0].octets, "Subject: x\n\nFrom here on text\n\nFrom nobody\n");
        EXPECT_EQ(found[1].octets, "Subject: y\n\nz\n");
        EXPECT_EQ(found[0].facts.date, 1795451044);
    }
    // No empty line in front: text, though it looks like one.
    EXPECT_EQ(read(std::string(kFrom) + "A: b\n\nx\n" + std::string(kFrom) + "y\n").size(), 1U);
}

TEST(Mbox, Message_without_a_body_loses_one_empty_line_at_most) {
    const auto found = read(std::string(kFrom) + "A: b\n\n\n" + std::string(kFrom) + "A: c\n\n");
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].octets, "A: b\n\n");
    EXPECT_EQ(found[1].octets, "A: c\n");
}

TEST(Mbox, Quotes_are_taken_off_as_they_were_put_on) {
    const std::string text = std::string(kFrom) + "A: b\n\n>From x\n>>From y\n> From z\n";
    EXPECT_EQ(read(text)[0].octets, "A: b\n\nFrom x\n>From y\n> From z\n");
    EXPECT_EQ(read(text, MboxQuoting::Old)[0].octets, "A: b\n\nFrom x\n>>From y\n> From z\n");
    EXPECT_EQ(read(text, MboxQuoting::None)[0].octets, "A: b\n\n>From x\n>>From y\n> From z\n");
}

TEST(Mbox, Status_headers_become_flags_and_a_second_one_stays) {
    const auto found = read(std::string(kFrom) +
                            "Status: RO\nX-Status: AFDT\nX-Keywords: $Forwarded\n Junk\n"
                            "Subject: x\nStatus: mine\n\ny\n");
    EXPECT_EQ(found[0].octets, "Subject: x\nStatus: mine\n\ny\n");
    EXPECT_EQ(found[0].facts.flags,
              (std::vector<std::string>{"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft",
                                        "$Forwarded"}));
}

TEST(Mbox, Dates_of_all_ages_are_read) {
    EXPECT_EQ(mbox_date("From a Thu Jan  1 00:00:00 1970"), 0);
    EXPECT_EQ(mbox_date("From a Thu Jan  1 00:00 1970"), 0);
    EXPECT_EQ(mbox_date("From a Thu Jan  1 01:00:00 1970 +0100"), 0);
    EXPECT_EQ(mbox_date("From a Wed Dec 31 23:00:00 -0100 1969"), 0);
    EXPECT_EQ(mbox_date("From a b c Thu Jan  1 00:00:00 GMT 1970"), 0);
    for (const char* bad : {"From a", "From a Thu Feb 30 00:00:00 1970", "From a 12:00 1970",
                            "From a Thu Jan 1 25:00:00 1970", "From a Thu Jan 1 00:00:00 70"}) {
        EXPECT_FALSE(mbox_date(bad)) << bad;
    }
}

TEST(Mbox, What_is_written_is_read_back) {
    const std::vector<std::string> flags{"\\Seen", "\\Flagged", "$Forwarded", "Junk"};
    for (const std::string mail :
         {"A: b\n\nFrom x\n>From y\n>>From z\n\nFrom a@b Mon Nov 23 16:24:04 2026\n\n\n",
          "Status: R\nX-Keywords: a\n\nb\n", "\nbody\n", "A: b\n\n", "A: b\n",
          "From x: y\n\nz\n"}) {
        std::string file;
        for (int i = 0; i < 2; ++i) {
            file.append(mbox_front(1700000001, flags, "\n"));
            MboxQuoter quoter;
            for (const char c : mail) {
                quoter.feed(std::string_view(&c, 1), file);
            }
            quoter.finish(file);
            file.append("\n");
        }
        const auto found = read(file);
        ASSERT_EQ(found.size(), 2U) << mail;
        for (const Read& one : found) {
            EXPECT_EQ(one.octets, mail);
            EXPECT_EQ(one.facts.date, 1700000001);
            EXPECT_EQ(one.facts.flags, flags);
        }
    }
}

TEST(Mbox, Line_that_is_longer_than_the_bound_is_text) {
    for (const std::size_t size : {mbox_line_max - 1, mbox_line_max, mbox_line_max + 1}) {
        const std::string mail = "A: b\n\n" + std::string(size, '>') + "From x\n";
        const auto found = read(std::string(kFrom) + mail, MboxQuoting::None, 4096);
        ASSERT_EQ(found.size(), 1U);
        EXPECT_EQ(found[0].octets, mail) << size;
        MboxQuoter quoter;
        std::string file(kFrom);
        quoter.feed(mail, file);
        quoter.finish(file);
        EXPECT_EQ(read(file, MboxQuoting::Rd, 4096).size(), 1U);
    }
}

TEST(Mbox, Quotes_of_long_lines_are_taken_off_too) {
    for (const std::size_t size : {mbox_line_max - 8, mbox_line_max, 3 * mbox_line_max}) {
        const std::string mail =
            "A: b\n\n>From " + std::string(size, 'x') + "\nFrom " + std::string(size, 'y') + "\n";
        MboxQuoter quoter;
        std::string file(kFrom);
        quoter.feed(mail, file);
        quoter.finish(file);
        EXPECT_TRUE(read(file, MboxQuoting::Rd, 4096)[0].octets == mail) << size;
    }
}

TEST(Mbox, File_that_does_not_begin_with_one_is_strange) {
    MboxReader reader(MboxQuoting::Rd);
    reader.feed("\x01\x02index\n");
    reader.finish();
    EXPECT_TRUE(reader.had_strange_start());
    EXPECT_FALSE(reader.next());
}

}  // namespace
}  // namespace godwit::mail
