#include "wire/imap/seqset.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "base/limits.h"

namespace godwit::imap {
namespace {

std::string resolved(std::string_view text, std::uint32_t largest) {
    const auto set = SequenceSet::parse(text);
    return set ? set->resolve(largest).to_string() : "error";
}

TEST(Seqset, Rfc3501_examples) {
    EXPECT_EQ(resolved("2,4:7,9,12:*", 15), "2,4:7,9,12:15");
    EXPECT_EQ(resolved("*:4,5:7", 10), "4:10");
    EXPECT_EQ(resolved("2:4", 9), resolved("4:2", 9));
    EXPECT_EQ(resolved("3291:*", 100), "100:3291");
}

TEST(Seqset, Star_on_an_empty_mailbox_falls_away) {
    EXPECT_EQ(resolved("1:*", 0), "");
    EXPECT_EQ(resolved("*", 0), "");
    EXPECT_EQ(resolved("3,*", 0), "3");
}

TEST(Seqset, T78_ends_of_the_number_space) {
    EXPECT_EQ(resolved("4294967295:1", 5), "1:4294967295");
    EXPECT_EQ(resolved("4294967294,4294967295", 5), "4294967294:4294967295");
    EXPECT_EQ(resolved("4294967295:*", 4294967295U), "4294967295");
    EXPECT_EQ(resolved("4294967296", 5), "error");
    EXPECT_EQ(resolved("99999999999999999999999", 5), "error");
}

TEST(Seqset, Malformed_sets_are_errors) {
    for (const char* text : {"", "0", "1:0", ",", "1,", ",1", "1:", ":1", "1:2:3", "a", "1 2", "-1",
                             "+1", "**", "1;2"}) {
        EXPECT_FALSE(SequenceSet::parse(text)) << text;
    }
}

TEST(Seqset, Largest_written_and_star) {
    const auto set = SequenceSet::parse("5:*,7,2:9");
    ASSERT_TRUE(set);
    EXPECT_EQ(set->largest_written(), 9U);
    EXPECT_TRUE(set->has_star());
    EXPECT_EQ(SequenceSet::parse("*")->largest_written(), 0U);
    EXPECT_FALSE(SequenceSet::parse("1")->has_star());
}

TEST(Seqset, T78_members_at_minus_one_zero_plus_one) {
    const auto many = [](std::size_t count) {
        std::string out;
        for (std::size_t i = 0; i < count; ++i) {
            out += i == 0 ? "1:*" : ",1:*";
        }
        return out;
    };
    EXPECT_TRUE(SequenceSet::parse(many(limits::imap_sequence_ranges_max - 1)));
    const auto full = SequenceSet::parse(many(limits::imap_sequence_ranges_max));
    ASSERT_TRUE(full);
    EXPECT_EQ(full->resolve(7).to_string(), "1:7");
    EXPECT_FALSE(SequenceSet::parse(many(limits::imap_sequence_ranges_max + 1)));
}

TEST(NumberSet, Adding_joins_neighbours) {
    NumberSet set;
    set.add(5);
    set.add(7);
    set.add(6);
    set.add(1, 2);
    set.add(0);
    set.add(4294967295U);
    set.add(4294967294U);
    EXPECT_EQ(set.to_string(), "1:2,5:7,4294967294:4294967295");
    EXPECT_EQ(set.count(), 7U);
    EXPECT_TRUE(set.contains(6));
    EXPECT_FALSE(set.contains(3));
    EXPECT_FALSE(set.contains(0));
    EXPECT_EQ(set.largest(), 4294967295U);
}

TEST(NumberSet, Count_of_everything_is_64_bits) {
    NumberSet set;
    set.add(1, 4294967295U);
    EXPECT_EQ(set.count(), 4294967295U);
    EXPECT_TRUE(NumberSet().without(set).empty());
    EXPECT_TRUE(set.without(set).empty());
}

std::set<std::uint32_t> plain(const NumberSet& set) {
    std::set<std::uint32_t> out;
    for (const NumberRange& range : set.ranges()) {
        for (std::uint32_t n = range.first; n <= range.last; ++n) {
            out.insert(n);
        }
    }
    return out;
}

TEST(NumberSet, Operations_agree_with_plain_sets) {
    std::mt19937 random(1);
    for (int round = 0; round < 500; ++round) {
        NumberSet a;
        NumberSet b;
        for (int i = 0; i < 12; ++i) {
            const auto from = static_cast<std::uint32_t>(1 + random() % 60);
            a.add(from, static_cast<std::uint32_t>(1 + random() % 60) % 7 + from);
            const auto other = static_cast<std::uint32_t>(1 + random() % 60);
            b.add(other, other + static_cast<std::uint32_t>(random() % 4));
        }
        const auto plain_a = plain(a);
        const auto plain_b = plain(b);
        std::set<std::uint32_t> both = plain_a;
        both.insert(plain_b.begin(), plain_b.end());
        EXPECT_EQ(plain(a.united(b)), both);
        for (std::uint32_t n = 0; n < 80; ++n) {
            const bool in_a = plain_a.contains(n);
            const bool in_b = plain_b.contains(n);
            EXPECT_EQ(a.contains(n), in_a);
            EXPECT_EQ(a.intersected(b).contains(n), in_a && in_b);
            EXPECT_EQ(a.without(b).contains(n), in_a && !in_b);
        }
        EXPECT_EQ(a.count(), plain_a.size());
        EXPECT_EQ(NumberSet::from_ranges({a.ranges().begin(), a.ranges().end()}), a);
    }
}

TEST(UidSet, Rfc4315_example_and_order) {
    const auto write = [](std::initializer_list<std::uint32_t> numbers) {
        std::vector<Uid> uids;
        for (const std::uint32_t n : numbers) {
            uids.emplace_back(n);
        }
        return write_uid_set(uids);
    };
    EXPECT_EQ(write({304, 319, 320}), "304,319:320");
    EXPECT_EQ(write({3956, 3957, 3958}), "3956:3958");
    EXPECT_EQ(write({9, 8, 7}), "9,8,7");
    EXPECT_EQ(write({}), "");
    EXPECT_EQ(write({4294967295U}), "4294967295");
}

}  // namespace
}  // namespace godwit::imap
