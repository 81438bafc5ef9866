// The disk that lies keeps its own promises: what was synced is there after any cut, what was not
// may be there in any of the ways that the cuts stand for.
#include "power/disk.h"

#include <gtest/gtest.h>

#include <set>

namespace godwit::power {
namespace {

void put(Disk& disk, const Disk::File& file, std::uint64_t offset, const std::string& octets) {
    const std::string_view view = octets;
    ASSERT_TRUE(disk.write(file, offset, {&view, 1}));
}

/// "/d/a" with `synced` on the platter and `more` behind it in the cache.
std::shared_ptr<Disk> disk_with(const std::string& synced, const std::string& more) {
    auto disk = std::make_shared<Disk>(1);
    EXPECT_TRUE(disk->make_folder("/d"));
    EXPECT_TRUE(disk->sync_folder("/"));
    const auto file = disk->create("/d/a", Disk::Taken::Refuse).value();
    put(*disk, file, 0, synced);
    EXPECT_TRUE(disk->sync(file));
    EXPECT_TRUE(disk->sync_folder("/d"));
    put(*disk, file, synced.size(), more);
    disk->cut();
    return disk;
}

TEST(LyingDisk, Synced_octets_are_there_after_any_cut) {
    const std::string synced = SeededRandom(1).bytes(10'000);
    const auto disk = disk_with(synced, std::string(20'000, 'u'));
    for (std::size_t cut = 0; cut < kCuts; ++cut) {
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            const auto left = disk->survive(static_cast<Cut>(cut), seed)->content("/d/a");
            ASSERT_TRUE(left.starts_with(synced)) << name_of(static_cast<Cut>(cut));
        }
    }
}

TEST(LyingDisk, Cuts_leave_of_the_rest_what_they_stand_for) {
    const auto disk = disk_with("", std::string(20'000, 'u'));
    EXPECT_EQ(disk->survive(Cut::Kill, 1)->content("/d/a").size(), 20'000U);
    EXPECT_EQ(disk->survive(Cut::Drop, 1)->content("/d/a"), "");
    std::set<std::size_t> lengths;
    bool has_hole = false;
    bool has_garbage = false;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const std::string prefix = disk->survive(Cut::Prefix, seed)->content("/d/a");
        EXPECT_EQ(prefix.find_first_not_of('u'), std::string::npos);
        lengths.insert(prefix.size());
        const std::string torn = disk->survive(Cut::Sectors, seed)->content("/d/a");
        for (std::size_t at = 0; at + 512 <= torn.size(); at += 512) {
            const std::string sector = torn.substr(at, 512);
            const bool is_there = sector == std::string(512, 'u');
            const bool is_zero = sector == std::string(512, '\0');
            has_hole = has_hole || is_zero;
            has_garbage = has_garbage || (!is_there && !is_zero);
        }
        const std::string pages = disk->survive(Cut::Pages, seed)->content("/d/a");
        if (pages.size() >= 4096 && pages[0] == 'u' && pages[511] == 'u') {
            EXPECT_EQ(pages.substr(0, 4096), std::string(4096, 'u'));
        }
    }
    EXPECT_GT(lengths.size(), 10U);
    EXPECT_TRUE(has_hole);
    EXPECT_TRUE(has_garbage);
}

TEST(LyingDisk, Names_are_there_when_their_folder_was_synced) {
    Disk disk(1);
    ASSERT_TRUE(disk.make_folder("/d"));
    ASSERT_TRUE(disk.sync_folder("/"));
    const auto file = disk.create("/d/old", Disk::Taken::Refuse).value();
    put(disk, file, 0, "text");
    ASSERT_TRUE(disk.sync(file));
    EXPECT_TRUE(disk.survive(Cut::Drop, 1)->paths().empty());
    ASSERT_TRUE(disk.sync_folder("/d"));
    EXPECT_EQ(disk.survive(Cut::Drop, 1)->content("/d/old"), "text");
    ASSERT_TRUE(disk.rename("/d/old", "/d/new"));
    std::set<std::vector<std::string>> found;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        found.insert(disk.survive(Cut::Names, seed)->paths());
    }
    EXPECT_EQ(found, (std::set<std::vector<std::string>>{{"/d/old"}, {"/d/new"}}));
    ASSERT_TRUE(disk.sync_folder("/d"));
    EXPECT_EQ(disk.survive(Cut::Drop, 1)->paths(), std::vector<std::string>{"/d/new"});
    ASSERT_TRUE(disk.unlink("/d/new"));
    EXPECT_EQ(disk.survive(Cut::Drop, 1)->paths(), std::vector<std::string>{"/d/new"});
    EXPECT_TRUE(disk.survive(Cut::Kill, 1)->paths().empty());
}

TEST(LyingDisk, Sync_that_failed_is_not_made_good_by_a_later_one) {
    bool was_lost = false;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        Disk disk(seed);
        const auto file = disk.create("/a", Disk::Taken::Refuse).value();
        ASSERT_TRUE(disk.sync_folder("/"));
        put(disk, file, 0, "text");
        disk.set_fault(Fault{.kinds = bit(Op::Sync), .at = 1});
        EXPECT_FALSE(disk.sync(file));
        EXPECT_TRUE(disk.sync(file));
        EXPECT_EQ(disk.content("/a"), "text");
        was_lost = was_lost || disk.survive(Cut::Names, seed)->content("/a").empty();
    }
    EXPECT_TRUE(was_lost);
}

TEST(LyingDisk, Faults_strike_when_they_were_ordered) {
    Disk disk(1);
    const auto file = disk.create("/a", Disk::Taken::Refuse).value();
    disk.set_fault(Fault{.kinds = bit(Op::Sync), .at = 2, .trouble = Trouble::Full});
    EXPECT_TRUE(disk.sync(file));
    put(disk, file, 0, "text");
    EXPECT_EQ(disk.sync(file).error().code, ErrorCode::DiskFull);
    EXPECT_TRUE(disk.sync(file));
    EXPECT_EQ(disk.faults_struck(), 1U);
    disk.set_fault(Fault{.at = 1, .is_sticky = true});
    EXPECT_EQ(disk.sync(file).error().code, ErrorCode::Io);
    EXPECT_FALSE(disk.size(file));
    disk.set_fault(std::nullopt);
    disk.cut_after(2);
    EXPECT_TRUE(disk.size(file));
    EXPECT_FALSE(disk.sync(file));
    EXPECT_TRUE(disk.is_off());
    EXPECT_EQ(disk.cut_at(), "sync /a");
}

}  // namespace
}  // namespace godwit::power
