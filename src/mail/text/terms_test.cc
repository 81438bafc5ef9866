#include "mail/text/terms.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "mail/text/charset.h"
#include "mail/text/stem.h"

namespace godwit::mail {
namespace {

using Texts = std::vector<std::string>;

Texts terms_of(std::string_view text) {
    Texts out;
    TextRunsView runs(text);
    while (const auto run = runs.next()) {
        RunTermsView terms(text.substr(run->begin, run->size), run->kind);
        while (const auto term = terms.next()) {
            out.emplace_back(*term);
        }
    }
    return out;
}

TEST(Terms, runs_end_where_no_letter_or_number_is) {
    EXPECT_EQ(terms_of("re: ann@example.org, 2 x-y_z"),
              (Texts{"re", "ann", "example", "org", "2", "x", "y", "z"}));
    EXPECT_EQ(terms_of("gr\u00fc\u00dfe \u2014 \u00e0 bient\u00f4t!"),
              (Texts{"gr\u00fc\u00dfe", "\u00e0", "bient\u00f4t"}));
    EXPECT_EQ(terms_of(" ,.-\xff\xc3"), Texts{});
}

TEST(Terms, writing_without_spaces_gives_neighbours) {
    EXPECT_EQ(terms_of("\u6771\u4eac\u90fd"), (Texts{"\u6771\u4eac", "\u4eac\u90fd"}));
    EXPECT_EQ(terms_of("\u6771"), (Texts{"\u6771"}));
    // A run ends where the other kind of writing begins.
    EXPECT_EQ(terms_of("abc\u6771x"), (Texts{"abc", "\u6771", "x"}));
}

TEST(Terms, every_stretch_of_a_long_run_is_whole_in_a_piece) {
    std::string run;
    for (int i = 0; i < 100; ++i) {
        run += i % 3 == 0 ? "\u00e9" : std::string(1, static_cast<char>('a' + i % 26));
    }
    const Texts pieces = terms_of(run);
    for (std::size_t size = 1; size <= term_whole_max; ++size) {
        for (std::size_t at = 0; at + size <= run.size(); ++at) {
            const std::string stretch = run.substr(at, size);
            EXPECT_TRUE(std::ranges::any_of(pieces,
                                            [&](const std::string& piece) {
                                                return piece.size() <= term_size_max &&
                                                       piece.find(stretch) != std::string::npos;
                                            }))
                << at << " " << size;
        }
    }
    EXPECT_TRUE(run.starts_with(pieces.front()));
    EXPECT_TRUE(run.ends_with(pieces.back()));
}

TEST(Terms, words_of_writing_without_spaces_come_from_a_dictionary) {
    EXPECT_EQ(split_words("hello, world 42 !", 10), (Texts{"hello", "world", "42"}));
    EXPECT_EQ(split_words("\u6771\u4eac\u306b\u884c\u304f", 10),
              (Texts{"\u6771\u4eac", "\u306b", "\u884c\u304f"}));
    EXPECT_EQ(split_words("a b c", 2).size(), 2U);
}

TEST(Terms, folding_for_search_ignores_case_width_and_soft_hyphens) {
    EXPECT_EQ(fold_for_search("STRA\u00dfE \uff21\uff22\uff23 co\u00adop \ufb01n"),
              "strasse abc coop fin");
    EXPECT_EQ(fold_for_search("e\u0301"), "\u00e9");
    EXPECT_EQ(fold_for_search("a\xff"), "a\ufffd");
    // U+FDFA becomes eighteen characters.
    std::string long_form;
    for (int i = 0; i < 100; ++i) {
        long_form += "\ufdfa";
    }
    EXPECT_GT(fold_for_search(long_form).size(), 100U * 18);
}

TEST(Stem, kin_have_one_stem_in_some_language) {
    const Stemmers stemmers;
    const auto running = stemmers.stems("running");
    EXPECT_TRUE(stemmers.are_kin(running, "runs"));
    EXPECT_FALSE(stemmers.are_kin(running, "rune"));
    EXPECT_TRUE(stemmers.are_kin(stemmers.stems("h\u00e4user"), "haus"));
    EXPECT_TRUE(stemmers.are_kin(stemmers.stems("rechnungen"), "rechnung"));
}

}  // namespace
}  // namespace godwit::mail
