// The register of what is in hand: what a crashed process leaves, and what nobody is to blame for.
#include "flow/outbound/in_hand.h"

#include <gtest/gtest.h>

#include "store/blob/memory_files.h"

namespace godwit::flow {
namespace {

constexpr const char* kPath = "/data/in-hand";

std::vector<InHandEntry> left(store::FileSystem& files, std::string_view machine = "boot") {
    return InHand::read_left(files, kPath, machine).entries;
}

TEST(InHand, names_what_is_under_way_and_nothing_else) {
    store::MemoryFiles files;
    EXPECT_TRUE(left(files).empty());
    auto in_hand = *InHand::create(&files, kPath, "boot", 7);
    EXPECT_TRUE(left(files).empty());
    const InHandEntry first{.mail = MailId(5), .number = 1};
    const InHandEntry second{.mail = MailId(6), .number = 0};
    {
        const InHandGuard one(in_hand.get(), first, false);
        const InHandGuard two(in_hand.get(), second, false);
        EXPECT_EQ(left(files), (std::vector<InHandEntry>{first, second}));
        EXPECT_EQ(InHand::read_left(files, kPath, "boot").run, 7U);
    }
    EXPECT_TRUE(left(files).empty());
    const InHandGuard again(in_hand.get(), second, false);
    EXPECT_EQ(left(files), std::vector<InHandEntry>{second});
}

TEST(InHand, another_start_of_the_machine_or_damage_means_nothing) {
    store::MemoryFiles files;
    auto in_hand = *InHand::create(&files, kPath, "boot", 7);
    const InHandGuard one(in_hand.get(), {.mail = MailId(5)}, false);
    const InHandGuard two(in_hand.get(), {.mail = MailId(6)}, false);
    EXPECT_TRUE(left(files, "another boot").empty());
    const std::string whole = files.content(kPath);
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string octets = whole;
        octets[at] = static_cast<char>(octets[at] ^ 1);
        files.set_content(kPath, octets);
        EXPECT_EQ(left(files).size(), at < 24 ? 0U : 1U) << at;
        files.set_content(kPath, whole.substr(0, at));
        EXPECT_LE(left(files).size(), 1U);
    }
    files.set_content(kPath, whole);
    EXPECT_EQ(left(files).size(), 2U);
}

// RELIABILITY.md W1: what may have been sent is known to the next process.
TEST(InHand, W1_what_may_have_been_sent_is_marked_and_unmarked) {
    store::MemoryFiles files;
    auto in_hand = *InHand::create(&files, kPath, "boot", 7);
    const InHandEntry entry{.mail = MailId(5), .number = 3};
    InHandGuard guard(in_hand.get(), entry, false);
    EXPECT_EQ(left(files), std::vector<InHandEntry>{entry});
    guard.set_may_be_sent(true);
    InHandEntry marked = entry;
    marked.may_be_sent = true;
    EXPECT_EQ(left(files), std::vector<InHandEntry>{marked});
    // After another start of the machine it blames nobody, and is still known.
    marked.is_blameless = true;
    EXPECT_EQ(left(files, "another boot"), std::vector<InHandEntry>{marked});
    guard.set_may_be_sent(false);
    EXPECT_EQ(left(files), std::vector<InHandEntry>{entry});
}

TEST(InHand, W1_an_orderly_end_leaves_what_it_cut_off_behind_its_dot) {
    store::MemoryFiles files;
    {
        auto in_hand = *InHand::create(&files, kPath, "boot", 7);
        const InHandGuard before_the_dot(in_hand.get(), {.mail = MailId(5), .number = 1}, false);
        InHandGuard behind_the_dot(in_hand.get(), {.mail = MailId(6), .number = 2}, false);
        behind_the_dot.set_may_be_sent(true);
    }
    const InHandEntry expected{
        .mail = MailId(6), .number = 2, .may_be_sent = true, .is_blameless = true};
    EXPECT_EQ(left(files), std::vector<InHandEntry>{expected});
    EXPECT_EQ(InHand::read_left(files, kPath, "boot").run, 7U);
}

TEST(InHand, an_orderly_end_leaves_nothing) {
    store::MemoryFiles files;
    {
        auto in_hand = *InHand::create(&files, kPath, "boot", 7);
        EXPECT_EQ(files.list("/data")->size(), 1U);
    }
    EXPECT_TRUE(files.list("/data")->empty());
}

TEST(InHand, is_bounded) {
    store::MemoryFiles files;
    auto in_hand = *InHand::create(&files, kPath, "boot", 7);
    for (std::size_t i = 0; i < in_hand_max; ++i) {
        EXPECT_TRUE(in_hand->take({.mail = MailId(i + 1)}));
    }
    EXPECT_EQ(in_hand->take({.mail = MailId(9999)}), std::nullopt);
    in_hand->let_go(77);
    EXPECT_EQ(in_hand->take({.mail = MailId(9999)}), 77U);
    EXPECT_EQ(left(files).size(), in_hand_max);
}

TEST(InHand, one_suspect_at_a_time) {
    store::MemoryFiles files;
    auto in_hand = *InHand::create(&files, kPath, "boot", 7);
    EXPECT_TRUE(in_hand->begin_suspect());
    EXPECT_FALSE(in_hand->begin_suspect());
    {
        const InHandGuard guard(in_hand.get(), {.mail = MailId(5)}, true);
    }
    EXPECT_TRUE(in_hand->begin_suspect());
}

}  // namespace
}  // namespace godwit::flow
