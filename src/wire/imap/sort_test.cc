#include "wire/imap/sort.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace godwit::imap {
namespace {

std::optional<SortArguments> sort(std::string_view text) {
    Lexer lexer(text);
    auto parsed = parse_sort(lexer);
    return parsed ? std::optional(std::move(*parsed)) : std::nullopt;
}

TEST(Sort, Rfc5256_criteria) {
    const auto two = sort(" (SUBJECT reverse DATE) utf-8 UNSEEN");
    ASSERT_TRUE(two);
    EXPECT_EQ(two->criteria,
              (std::vector<SortCriterion>{{SortKey::Subject, false}, {SortKey::Date, true}}));
    EXPECT_FALSE(two->program.returns.is_given);
    EXPECT_TRUE(
        sort(" RETURN (COUNT PARTIAL 1:5) (DISPLAYFROM) US-ASCII ALL")->program.returns.count);
    for (const char* bad :
         {" () UTF-8 ALL", " SUBJECT UTF-8 ALL", " (SUBJECT REVERSE) UTF-8 ALL",
          " (NAME) UTF-8 ALL", " (SUBJECT)", " (SUBJECT) UTF-8", " (SUBJECT) KOI8-R ALL",
          " (SUBJECT  DATE) UTF-8 ALL", " RETURN (SUBJECT) UTF-8 ALL"}) {
        EXPECT_FALSE(sort(bad)) << bad;
    }
}

TEST(Sort, Relevancy_needs_a_fuzzy_key) {
    const auto found = sort(" RETURN (RELEVANCY ALL) (REVERSE RELEVANCY DATE) UTF-8 FUZZY BODY a");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->criteria.front(), (SortCriterion{SortKey::Relevancy, true}));
    EXPECT_TRUE(found->program.returns.relevancy);
    EXPECT_FALSE(sort(" (RELEVANCY) UTF-8 BODY a"));
    EXPECT_FALSE(sort(" RETURN (RELEVANCY) (DATE) UTF-8 BODY a"));
}

TEST(Sort, Criteria_at_minus_one_zero_plus_one) {
    const auto many = [](std::size_t count) {
        std::string text = " (DATE";
        for (std::size_t i = 1; i < count; ++i) {
            text += " DATE";
        }
        return sort(text + ") UTF-8 ALL").has_value();
    };
    EXPECT_TRUE(many(sort_criteria_max - 1));
    EXPECT_TRUE(many(sort_criteria_max));
    EXPECT_FALSE(many(sort_criteria_max + 1));
}

TEST(Sort, Rfc5256_thread) {
    const auto thread = [](std::string_view text) {
        Lexer lexer(text);
        return parse_thread(lexer);
    };
    EXPECT_EQ(thread(" references UTF-8 ALL")->algorithm, ThreadAlgorithm::References);
    EXPECT_EQ(thread(" ORDEREDSUBJECT US-ASCII 1:5 SEEN")->algorithm,
              ThreadAlgorithm::OrderedSubject);
    EXPECT_EQ(thread(" REFERENCES X ALL").error().code, ErrorCode::Unsupported);
    EXPECT_EQ(thread(" Refs UTF-8 ALL")->algorithm, ThreadAlgorithm::Refs);
    EXPECT_FALSE(thread(" REFS"));
    EXPECT_FALSE(thread(" REF UTF-8 ALL"));
    EXPECT_FALSE(thread(" REFERENCES ALL"));
}

}  // namespace
}  // namespace godwit::imap
