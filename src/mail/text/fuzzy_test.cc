#include "mail/text/fuzzy.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "mail/text/charset.h"

namespace godwit::mail {
namespace {

FuzzyTally tally(std::string_view needle, WordPlace place, std::string_view text) {
    const Stemmers stemmers;
    const FuzzyNeedle asked(fold_for_search(needle), stemmers);
    FuzzyTally out(asked.words().size());
    out.add_text(asked, stemmers, place, fold_for_search(text));
    return out;
}
bool matches(std::string_view needle, std::string_view text) {
    return tally(needle, WordPlace::Rest, text).is_match();
}

TEST(Fuzzy, Words_of_one_stem_match_in_both_directions) {
    EXPECT_TRUE(matches("meeting", "We met and meet again"));
    EXPECT_TRUE(matches("meets", "Two meetings"));
    EXPECT_TRUE(matches("H\u00e4user", "ein Haus"));
    EXPECT_TRUE(matches("Haus", "viele H\u00e4user"));
    EXPECT_TRUE(matches("Apfel", "\u00c4pfel"));
    EXPECT_FALSE(matches("meeting", "meteor"));
}

TEST(Fuzzy, Every_word_must_be_there_in_any_order) {
    EXPECT_TRUE(matches("imap breaks", "It is breaking: IMAP"));
    EXPECT_FALSE(matches("imap breaks", "IMAP is fine"));
    EXPECT_TRUE(matches("", "anything"));
}

TEST(Fuzzy, Beginnings_count_from_three_letters_on) {
    EXPECT_TRUE(matches("inv", "invoice"));
    EXPECT_FALSE(matches("iq", "iquitos"));
}

TEST(Fuzzy, Writing_without_spaces_matches_by_neighbours) {
    EXPECT_TRUE(matches("\u6771\u4eac", "\u6771\u4eac\u90fd"));
    EXPECT_FALSE(matches("\u6771\u90fd", "\u6771\u4eac\u90fd"));
    EXPECT_TRUE(matches("\u90fd", "\u6771\u4eac\u90fd"));
}

TEST(Fuzzy, Score_goes_by_place_and_closeness) {
    const std::vector<WordPlace> all = {WordPlace::Subject, WordPlace::Addresses, WordPlace::Rest};
    const std::vector<WordPlace> rest = {WordPlace::Rest};
    EXPECT_EQ(tally("meeting", WordPlace::Subject, "meeting").score(all), 50);
    EXPECT_EQ(tally("meeting", WordPlace::Addresses, "meeting").score(all), 30);
    EXPECT_EQ(tally("meeting", WordPlace::Rest, "meeting").score(all), 20);
    EXPECT_EQ(tally("meeting", WordPlace::Rest, "meeting").score(rest), 100);
    EXPECT_EQ(tally("meeting", WordPlace::Rest, "meetings").score(rest), 80);
    EXPECT_EQ(tally("meeting", WordPlace::Rest, "meet").score(rest), 70);
    EXPECT_EQ(tally("meeting plan", WordPlace::Rest, "meet, plan").score(rest), 85);
    EXPECT_EQ(tally("meeting plan", WordPlace::Rest, "meet").score(rest), 0);
}

TEST(Fuzzy, Beginnings_hold_all_that_is_close) {
    const Stemmers stemmers;
    for (const auto& [needle, term] : {std::pair{"apfel", "\u00e4pfel"},
                                       {"\u00e4pfel", "apfel"},
                                       {"meeting", "meetings"},
                                       {"\u00e9t\u00e9s", "\u00e9t\u00e9"}}) {
        const FuzzyNeedle asked(fold_for_search(needle), stemmers);
        const FuzzyWord& word = asked.words().at(0);
        const std::string folded = fold_for_search(term);
        EXPECT_NE(word.closeness(folded, stemmers), Closeness::None) << term;
        EXPECT_TRUE(std::ranges::any_of(word.beginnings(), [&](const auto& one) {
            return folded.starts_with(one);
        })) << term;
    }
}

}  // namespace
}  // namespace godwit::mail
