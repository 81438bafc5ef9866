#include "serve/imap/sequence_match.h"

#include <gtest/gtest.h>

#include <random>

namespace godwit::serve::imap_desk {
namespace {

std::vector<store::MessageRow> rows_of(const std::vector<std::uint32_t>& uids) {
    std::vector<store::MessageRow> rows;
    for (const std::uint32_t uid : uids) {
        rows.emplace_back().uid = Uid(uid);
    }
    return rows;
}

std::vector<std::uint32_t> numbers_of(const imap::NumberSet& set) {
    std::vector<std::uint32_t> numbers;
    for (const imap::NumberRange& range : set.ranges()) {
        for (std::uint32_t number = range.first; number <= range.last; ++number) {
            numbers.push_back(number);
        }
    }
    return numbers;
}

TEST(SequenceMatch, The_example_of_the_standard) {
    // RFC 7162 3.2.5.2: the fourth message has UID 8, the twelfth has 25 and not 24.
    const auto rows = rows_of({1, 3, 5, 8, 9, 10, 13, 14, 15, 20, 22, 25});
    imap::QresyncArguments known;
    for (const auto& [number, uid] : {std::pair{4U, 8U}, {12U, 24U}}) {
        known.matched_numbers.add(number);
        known.matched_uids.add(uid);
    }
    EXPECT_EQ(last_match(rows, known), 8U);
}

TEST(SequenceMatch, Nothing_fits_nothing) {
    imap::QresyncArguments known;
    EXPECT_EQ(last_match({}, known), 0U);
    known.matched_numbers.add(1, UINT32_MAX);
    known.matched_uids.add(1, UINT32_MAX);
    EXPECT_EQ(last_match({}, known), 0U);
    EXPECT_EQ(last_match(rows_of({2, 3}), known), 0U);
    EXPECT_EQ(last_match(rows_of({1, 2, 4}), known), 2U);
    EXPECT_EQ(last_match(rows_of({UINT32_MAX}), known), 0U);
}

// Against a look at every pair, in mailboxes and samples of all shapes.
TEST(SequenceMatch, Finds_what_looking_at_each_pair_finds) {
    std::mt19937 random(7162);  // NOLINT(cert-msc51-cpp): the same cases each time.
    const auto below = [&random](std::uint32_t end) {
        return static_cast<std::uint32_t>(random() % end);
    };
    for (int round = 0; round < 20'000; ++round) {
        std::vector<std::uint32_t> uids;
        for (std::uint32_t uid = 1 + below(3); uids.size() < below(24); uid += 1 + below(3) / 2) {
            uids.push_back(uid);
        }
        imap::QresyncArguments known;
        while (known.matched_numbers.count() < 1 + below(10)) {
            const std::uint32_t first = 1 + below(20);
            known.matched_numbers.add(first, first + below(4));
        }
        while (known.matched_uids.count() < known.matched_numbers.count()) {
            known.matched_uids.add(1 + below(40));
        }
        const auto numbers = numbers_of(known.matched_numbers);
        const auto sample = numbers_of(known.matched_uids);
        std::uint32_t expected = 0;
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            if (numbers[i] <= uids.size() && uids[numbers[i] - 1] == sample[i]) {
                expected = sample[i];
            }
        }
        ASSERT_EQ(last_match(rows_of(uids), known), expected)
            << known.matched_numbers.to_string() << " are " << known.matched_uids.to_string();
    }
}

}  // namespace
}  // namespace godwit::serve::imap_desk
