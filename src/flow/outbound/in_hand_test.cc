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
