#include "serve/imap/live_search.h"

#include <gtest/gtest.h>

#include "serve/imap/selected.h"

namespace godwit::serve::imap_desk {
namespace {

LiveSearch search(std::string tag, std::size_t results, bool is_sorted = false) {
    LiveSearch made{.tag = std::move(tag), .numbering = Numbering::Uid, .program = {}};
    if (is_sorted) {
        made.order.emplace_back();
    }
    for (std::uint32_t uid = 1; uid <= results; ++uid) {
        made.results.emplace_back(uid);
    }
    return made;
}

TEST(LiveSearches, are_so_many_and_no_more) {
    LiveSearches live;
    for (std::size_t i = 0; i < LiveSearches::kSearchesMax; ++i) {
        EXPECT_TRUE(live.add(search("t" + std::to_string(i), 1)));
    }
    EXPECT_FALSE(live.add(search("more", 1)));
    EXPECT_TRUE(live.has("t3"));
    live.cancel("t3");
    EXPECT_FALSE(live.has("t3"));
    EXPECT_TRUE(live.add(search("more", 1)));
}

TEST(LiveSearches, hold_so_many_results_together) {
    constexpr std::size_t kMost = LiveSearches::kResultsMax;
    EXPECT_TRUE(LiveSearches().add(search("a", kMost - 1)));
    EXPECT_TRUE(LiveSearches().add(search("a", kMost)));
    EXPECT_FALSE(LiveSearches().add(search("a", kMost + 1)));
    LiveSearches live;
    ASSERT_TRUE(live.add(search("a", kMost - 2)));
    EXPECT_TRUE(live.add(search("b", 1)));
    EXPECT_TRUE(live.add(search("c", 1)));
    EXPECT_FALSE(live.add(search("d", 1)));
    // One that grows is told from those that are there.
    EXPECT_TRUE(live.is_within_bounds(live.all()[1]));
    live.all()[1].results.emplace_back(2);
    EXPECT_FALSE(live.is_within_bounds(live.all()[1]));
}

TEST(LiveSearches, hold_fewer_results_of_one_that_is_sorted) {
    constexpr std::size_t kMost = LiveSearches::kSortedResultsMax;
    EXPECT_TRUE(LiveSearches().add(search("a", kMost - 1, true)));
    EXPECT_TRUE(LiveSearches().add(search("a", kMost, true)));
    EXPECT_FALSE(LiveSearches().add(search("a", kMost + 1, true)));
}

TEST(LiveSearches, remember_what_was_touched_up_to_a_bound_and_then_all) {
    LiveSearches nobody;
    nobody.touch(Uid(1));
    EXPECT_FALSE(nobody.has_touched(Uid(9)));

    LiveSearches live;
    ASSERT_TRUE(live.add(search("a", 1)));
    for (const std::uint32_t uid : {7U, 3U, 7U, 5U}) {
        live.touch(Uid(uid));
    }
    EXPECT_FALSE(live.has_touched(Uid(2)));
    EXPECT_TRUE(live.has_touched(Uid(3)));
    // What the client does not know yet waits.
    LiveSearches::Touched taken = live.take_touched(Uid(5));
    EXPECT_FALSE(taken.are_all);
    EXPECT_EQ(taken.uids, (std::vector<Uid>{Uid(3), Uid(5)}));
    EXPECT_FALSE(live.has_touched(Uid(6)));
    EXPECT_EQ(live.take_touched(Uid(7)).uids, std::vector<Uid>{Uid(7)});

    const auto touch = [&live](std::size_t count) {
        for (std::uint32_t uid = 1; uid <= count; ++uid) {
            live.touch(Uid(uid));
        }
        return live.take_touched(Uid(1'000'000)).are_all;
    };
    EXPECT_FALSE(touch(LiveSearches::kTouchedMax - 1));
    EXPECT_FALSE(touch(LiveSearches::kTouchedMax));
    EXPECT_TRUE(touch(LiveSearches::kTouchedMax + 1));
    EXPECT_FALSE(live.has_touched(Uid(1'000'000)));
}

TEST(LiveSearches, know_what_was_touched_while_the_first_of_them_searched) {
    LiveSearches live;
    live.touch(Uid(4));
    live.expect();
    live.touch(Uid(5));
    ASSERT_TRUE(live.add(search("a", 1)));
    EXPECT_EQ(live.take_touched(Uid(9)).uids, std::vector<Uid>{Uid(5)});
}

}  // namespace
}  // namespace godwit::serve::imap_desk
