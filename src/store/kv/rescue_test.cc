// An engine on a disk that lost octets: what is not hit is there afterwards, with the values it
// had, and the engine is whole again.
#include "store/kv/rescue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "base/random.h"
#include "store/folder.h"
#include "store/fsck.h"
#include "store/kv/key.h"
#include "store/kv/meta.h"
#include "store/repair/repair.h"
#include "store/scrub.h"
#include "store/store_testing.h"

namespace godwit::store {
namespace {

namespace fs = std::filesystem;

RocksOptions small(bool* is_fatal = nullptr) {
    RocksOptions options;
    options.write_buffer_bytes = 64 * 1024;
    options.on_fatal = [is_fatal](const Error& error) {
        if (is_fatal != nullptr) {
            *is_fatal = true;
        } else {
            ADD_FAILURE() << error.text;
        }
    };
    return options;
}

void flip(const std::string& path, std::uint64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const int octet = file.get();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(octet ^ 0x40));
    ASSERT_TRUE(file.good());
}

/// The largest file whose name ends like that.
std::string largest(const std::string& folder, std::string_view ending) {
    std::string found;
    std::uintmax_t size = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const std::string path = entry.path().string();
        if (path.ends_with(ending) && entry.file_size() >= size) {
            found = path;
            size = entry.file_size();
        }
    }
    return found;
}

class RescueTest : public testing::Test {
protected:
    RescueTest() {
        std::string name = (fs::temp_directory_path() / "godwit-rescue-XXXXXX").string();
        check(mkdtemp(name.data()) != nullptr, "no scratch folder");
        top_ = name;
        folder_ = top_ + "/kv";
    }
    ~RescueTest() override { fs::remove_all(top_); }

    /// Rows U of four accounts, twenty a commit, each with its number.
    void fill(int rows) {
        auto kv = open_rocks_kv(folder_, small());
        ASSERT_TRUE(kv) << kv.error().text;
        Batch batch;
        for (int i = 0; i < rows; ++i) {
            const std::string key = make_key('U', AccountId(1 + static_cast<unsigned>(i % 4)),
                                             static_cast<std::uint64_t>(i));
            rows_[key] = random_.bytes(200);
            batch.put(key, rows_[key]);
            if (i % 20 == 19) {
                batch.put(commit_seq_key(), encode_commit_seq(CommitSeq(++commits_)));
                ASSERT_TRUE((*kv)->commit(batch));
                batch.clear();
            }
        }
    }
    /// Compares what is there with what was put; gives the number of rows that are missing.
    std::size_t compare(const Kv& kv) {
        std::map<std::string, std::string> found;
        const auto snapshot = kv.snapshot();
        const auto cursor = snapshot->cursor(ReadTier::Disk);
        for (cursor->seek(""); cursor->is_valid(); cursor->next()) {
            if (cursor->key().front() == 'U') {
                found.emplace(cursor->key(), cursor->value());
            }
        }
        EXPECT_TRUE(cursor->status());
        for (const auto& [key, value] : found) {
            EXPECT_TRUE(rows_.contains(key) && rows_[key] == value) << key_text(key);
        }
        return rows_.size() - found.size();
    }
    RescuedKv rescue() {
        auto rescued = open_rocks_kv_for_repair(folder_, small(), LostTables::GivenUp);
        check(rescued.has_value(), rescued ? "" : rescued.error().text.c_str());
        return *std::move(rescued);
    }
    void expect_whole_now() {
        EXPECT_EQ(rescue().rescue.kept, "");
        ASSERT_TRUE(end_rescue(folder_));
        const auto kv = open_rocks_kv(folder_, small());
        ASSERT_TRUE(kv) << kv.error().text;
    }

    /// The end of the list of tables is lost: refused, nothing is removed, all rows come back.
    void cut_list_and_rescue(int rows, std::string_view why) {
        fill(rows);
        ASSERT_TRUE(open_rocks_kv(folder_, small()));  // What was in the log is in a table.
        const auto tables = [this] {
            std::set<std::string> found;
            for (const auto& entry : fs::directory_iterator(folder_)) {
                if (entry.path().extension() == ".sst") {
                    found.insert(entry.path().filename().string());
                }
            }
            return found;
        };
        const std::set<std::string> before = tables();
        ASSERT_FALSE(before.empty());
        for (const auto& entry : fs::directory_iterator(folder_)) {
            if (entry.path().filename().string().starts_with("MANIFEST")) {
                fs::resize_file(entry.path(), fs::file_size(entry.path()) - 20);
            }
        }
        for (int i = 0; i < 2; ++i) {
            const auto refused = open_rocks_kv(folder_, small());
            ASSERT_FALSE(refused);
            EXPECT_NE(refused.error().text.find(why), std::string::npos) << refused.error().text;
            EXPECT_EQ(tables(), before);
        }
        {
            const RescuedKv rescued = rescue();
            EXPECT_EQ(rescued.rescue.kept, folder_ + ".damaged-1");
            EXPECT_EQ(rescued.rescue.remarks.size(), 1U);
            EXPECT_TRUE(rescued.rescue.are_rows_missing);
            EXPECT_EQ(compare(*rescued.kv), 0U);
        }
        // Whoever is cut off here has not looked for bodies yet.
        const auto unfinished = open_rocks_kv(folder_, small());
        ASSERT_FALSE(unfinished);
        EXPECT_TRUE(rescue().rescue.are_rows_missing);
        expect_whole_now();
        fill(rows);  // And it takes more.
    }

    std::string top_;
    std::string folder_;
    SeededRandom random_{3};
    std::map<std::string, std::string> rows_;
    std::uint64_t commits_ = 0;
};

TEST_F(RescueTest, What_is_whole_stays_where_it_is) {
    fill(1000);
    const RescuedKv rescued = rescue();
    EXPECT_EQ(rescued.rescue.kept, "");
    EXPECT_TRUE(rescued.rescue.lost.empty());
    EXPECT_TRUE(rescued.rescue.remarks.empty());
    EXPECT_EQ(compare(*rescued.kv), 0U);
}

TEST_F(RescueTest, A_damaged_block_costs_its_rows_alone) {
    fill(4000);
    const std::string table = largest(folder_, ".sst");
    flip(table, fs::file_size(table) / 3);
    {
        const RescuedKv rescued = rescue();
        ASSERT_EQ(rescued.rescue.lost.size(), 1U);
        EXPECT_EQ(rescued.rescue.kept, folder_ + ".damaged-1");
        EXPECT_TRUE(fs::exists(rescued.rescue.kept + "/CURRENT"));
        const LostRows& lost = rescued.rescue.lost.front();
        EXPECT_LT(lost.after, lost.before);
        EXPECT_NE(lost.error.find("checksum"), std::string::npos) << lost.error;
        const std::size_t missing = compare(*rescued.kv);
        EXPECT_GT(missing, 0U);
        EXPECT_LE(missing, 100U);  // 16 KiB of them.
        EXPECT_EQ(load_commit_seq(*rescued.kv)->value(), commits_);
    }
    expect_whole_now();
    EXPECT_FALSE(fs::exists(folder_ + ".copying"));
}

TEST_F(RescueTest, Many_damaged_blocks_and_a_table_that_does_not_open) {
    fill(6000);
    const std::string table = largest(folder_, ".sst");
    const std::uint64_t size = fs::file_size(table);
    for (const std::uint64_t part : {1U, 3U, 4U}) {
        flip(table, size * part / 6);
    }
    std::string other;
    for (const auto& entry : fs::directory_iterator(folder_)) {
        if (entry.path().string().ends_with(".sst") && entry.path().string() != table) {
            other = entry.path().string();
        }
    }
    ASSERT_NE(other, "");
    flip(other, fs::file_size(other) - 5);  // The footer.
    {
        const RescuedKv rescued = rescue();
        EXPECT_FALSE(rescued.rescue.lost.empty());
        const std::size_t missing = compare(*rescued.kv);
        EXPECT_GT(missing, 0U);
        // Also older rows go, of which the table may have held a newer value.
        EXPECT_LT(missing, rows_.size());
    }
    expect_whole_now();
}

TEST_F(RescueTest, Newer_values_within_what_is_lost_are_found) {
    fill(4000);
    {
        auto kv = *open_rocks_kv(folder_, small());
        Batch batch;
        int i = 0;
        for (auto& [key, value] : rows_) {
            if (++i % 20 == 0) {
                value = "new";
                batch.put(key, value);
            }
        }
        ASSERT_TRUE(kv->commit(batch));
    }
    const std::string table = largest(folder_, ".sst");
    flip(table, fs::file_size(table) / 3);
    const RescuedKv rescued = rescue();
    ASSERT_EQ(rescued.rescue.lost.size(), 1U);
    EXPECT_GT(rescued.rescue.saved, 0U);
    EXPECT_GT(compare(*rescued.kv), 0U);
    for (const auto& [key, value] : rows_) {
        if (value == "new") {
            EXPECT_EQ(*rescued.kv->get(key, ReadTier::Disk), value) << key_text(key);
        }
    }
}

TEST_F(RescueTest, Where_nothing_can_be_read_nothing_is_moved) {
    fill(1000);
    {
        rescue();
    }  // All of it into tables.
    for (const auto& entry : fs::directory_iterator(folder_)) {
        if (entry.path().string().ends_with(".sst")) {
            flip(entry.path().string(), entry.file_size() - 5);
        }
    }
    EXPECT_FALSE(open_rocks_kv_for_repair(folder_, small(), LostTables::GivenUp));
    EXPECT_TRUE(fs::exists(folder_ + "/CURRENT"));
    EXPECT_FALSE(fs::exists(folder_ + ".copying"));
    EXPECT_FALSE(fs::exists(folder_ + ".damaged-1"));
}

TEST_F(RescueTest, A_table_that_is_not_there) {
    fill(6000);
    std::string last;
    for (const auto& entry : fs::directory_iterator(folder_)) {
        const std::string path = entry.path().string();
        if (path.ends_with(".sst") && path > last) {
            last = path;
        }
    }
    fs::remove(last);
    EXPECT_FALSE(open_rocks_kv(folder_, small()));
    EXPECT_FALSE(open_rocks_kv_for_repair(folder_, small(), LostTables::Refused));
    EXPECT_TRUE(fs::exists(folder_ + "/CURRENT"));
    EXPECT_FALSE(fs::exists(folder_ + ".copying"));
    {
        const RescuedKv rescued = rescue();
        EXPECT_FALSE(rescued.rescue.lost.empty());
        EXPECT_LT(compare(*rescued.kv), rows_.size());
    }
    expect_whole_now();
}

TEST_F(RescueTest, A_log_that_is_damaged_in_its_middle_is_taken_up_to_there) {
    fill(4060);
    const std::string log = largest(folder_, ".log");
    ASSERT_GT(fs::file_size(log), 2000U);
    flip(log, fs::file_size(log) / 2);
    EXPECT_FALSE(open_rocks_kv(folder_, small()));
    {
        const RescuedKv rescued = rescue();
        ASSERT_EQ(rescued.rescue.remarks.size(), 1U);
        EXPECT_NE(rescued.rescue.remarks.front().find("are lost"), std::string::npos);
        EXPECT_GT(compare(*rescued.kv), 0U);
        EXPECT_LT(load_commit_seq(*rescued.kv)->value(), commits_);
    }
    expect_whole_now();
}

// A list that ends too early would have the engine throw away the tables that it does not name.
TEST_F(RescueTest, A_torn_list_costs_no_table_that_is_there) {
    cut_list_and_rescue(100, "sst has commits up to 5,");  // A flush was its last record.
}
TEST_F(RescueTest, A_torn_list_that_lost_a_compaction) {
    cut_list_and_rescue(1000, "");  // How much a compaction took up is a matter of moments.
}

TEST_F(RescueTest, A_repair_that_was_cut_off_loses_neither_folder) {
    fill(500);
    // Half a copy goes, what was swapped out already stays.
    fs::create_directory(folder_ + ".copying");
    std::ofstream(folder_ + ".copying/UNFINISHED").flush();
    EXPECT_EQ(compare(*rescue().kv), 0U);
    EXPECT_FALSE(fs::exists(folder_ + ".copying"));
    fs::create_directory(folder_ + ".copying");
    std::ofstream(folder_ + ".copying/CURRENT").flush();
    EXPECT_EQ(compare(*rescue().kv), 0U);
    EXPECT_TRUE(fs::exists(folder_ + ".damaged-1/CURRENT"));
    fs::rename(folder_, folder_ + ".copying");
    EXPECT_EQ(compare(*rescue().kv), 0U);
}

TEST_F(RescueTest, A_server_goes_on_without_compactions) {
    fill(1000);
    // All of them: whichever is compacted first.
    for (const auto& entry : fs::directory_iterator(folder_)) {
        if (entry.path().string().ends_with(".sst")) {
            flip(entry.path().string(), 500);
        }
    }
    bool is_fatal = false;
    {
        auto kv = open_rocks_kv(folder_, small(&is_fatal));
        ASSERT_TRUE(kv) << kv.error().text;
        for (int i = 0; i < 150; ++i) {
            Batch batch;
            for (int j = 0; j < 20; ++j) {
                batch.put(make_key('V', static_cast<std::uint64_t>(20 * i + j)),
                          random_.bytes(200));
            }
            batch.put(commit_seq_key(), encode_commit_seq(CommitSeq(++commits_)));
            ASSERT_TRUE((*kv)->commit(batch)) << i;
        }
        EXPECT_TRUE(*(*kv)->get(make_key('V', std::uint64_t{5}), ReadTier::Disk));
    }
    EXPECT_FALSE(is_fatal);
    {
        EXPECT_FALSE(rescue().rescue.lost.empty());
    }
    expect_whole_now();
}

/// A whole data folder.
class FolderRescue : public RescueTest {
protected:
    Result<std::unique_ptr<Store>> open() {
        StoreOptions options;
        keep_in_folder(options, top_, {.write_buffer_bytes = 64UL * 1024});
        options.drive = CommitDrive::Manual;
        options.disk_low_bytes = options.disk_critical_bytes = options.disk_reserve_bytes = 0;
        options.on_fatal = [](const Error& error) { ADD_FAILURE() << error.text; };
        return Store::open(std::move(options), &system_clock(), &random_);
    }
    void deliver(Store& store, int count) {
        for (int i = 0; i < count; ++i) {
            ASSERT_TRUE(fixture::commit(
                store, fixture::delivery(store, account_, std::string(20'000, 'a' + i % 20)),
                CommitDrive::Manual));
        }
    }
    void make() {
        auto store = open();
        ASSERT_TRUE(store) << store.error().text;
        account_ = fixture::add_account(**store, 1, CommitDrive::Manual);
        deliver(**store, 10);
    }
    void lose(const std::string& key, std::optional<std::string> value = std::nullopt) {
        const RescuedKv opened = rescue();
        Batch batch;
        value ? batch.put(key, *value) : batch.erase(key);
        ASSERT_TRUE(opened.kv->commit(batch));
    }
    RepairReport repair_folder(bool drop_lost = false) {
        const RescuedKv opened = rescue();
        RepairOptions options;
        options.files = &system_files();
        options.blobs_folder = top_ + "/blobs";
        options.drop_lost = drop_lost;
        options.are_keys_missing = opened.rescue.are_rows_missing;
        options.make_record = [](const BlobId& blob, std::string_view body) {
            MessageRecord record;
            record.blob = blob;
            record.blob_size = body.size();
            return record;
        };
        options.begin_commits_at = [this](CommitSeq first) {
            return allow_first_commit(folder_, first);
        };
        auto report = repair(*opened.kv, options);
        check(report.has_value() && end_rescue(folder_), "repair");
        report->losses += opened.rescue.lost.size();
        return *std::move(report);
    }
    std::uint64_t violations(Store& store, std::string_view invariant) {
        std::uint64_t sum = 0;
        for (const FsckFinding& finding : fsck(store, {}).value()) {
            sum += invariant.empty() || finding.invariant == invariant ? finding.violations : 0;
        }
        return sum;
    }
    /// Refused, repaired, and then it works, also after the next start.
    void expect_mended() {
        const auto refused = open();
        ASSERT_FALSE(refused);
        EXPECT_EQ(repair_folder().losses, 0U);
        for (int i = 0; i < 2; ++i) {
            auto store = open();
            ASSERT_TRUE(store) << store.error().text;
            deliver(**store, 2);
            EXPECT_EQ(violations(**store, ""), 0U);
            EXPECT_EQ(
                read_rows(*(*store)->snapshot(), ReadTier::Disk, account_, kInbox, Uid(1), 100)
                    ->size(),
                12U + 2U * static_cast<unsigned>(i));
        }
    }
    AccountId account_;
};

TEST_F(FolderRescue, Commit_number_that_is_damaged) {
    make();
    lose(commit_seq_key(), "garbage");
    expect_mended();
}
TEST_F(FolderRescue, Commit_number_that_is_missing) {
    make();
    lose(commit_seq_key());
    expect_mended();
}
TEST_F(FolderRescue, Format_that_is_missing) {
    make();
    lose(format_key());
    expect_mended();
}
TEST_F(FolderRescue, A_damaged_block_is_listed_scrubbed_past_and_repaired) {
    make();
    {
        auto store = *open();
        for (int i = 0; i < 60; ++i) {  // Bodies in rows, so that there are tables.
            ASSERT_TRUE(fixture::commit(*store,
                                        fixture::delivery(*store, account_, random_.bytes(4000)),
                                        CommitDrive::Manual));
        }
    }
    flip(largest(folder_, ".sst"), 500);
    {
        auto store = open();
        ASSERT_TRUE(store) << store.error().text;
        EXPECT_GT(violations(**store, "every row can be read"), 0U);
        ScrubState state;
        std::vector<Damaged> found;
        int steps = 0;
        do {
            ScrubStep step =
                scrub_step((*store)->kv(), (*store)->blobs(), state, system_clock().wall()).value();
            std::ranges::move(step.found, std::back_inserter(found));
            state = step.state;
        } while (state.is_under_way && ++steps < 1000);
        ASSERT_FALSE(found.empty());
        EXPECT_NE(found.front().error.find("cannot be read"), std::string::npos);
        EXPECT_GT(state.last_bodies, 20U);  // It went on behind the damage.
    }
    EXPECT_GT(repair_folder().losses, 0U);
    {
        auto store = open();
        ASSERT_TRUE(store) << store.error().text;
        EXPECT_EQ(violations(**store, ""), 0U);
        deliver(**store, 2);
    }
    EXPECT_TRUE(repair_folder().repaired.empty());
}
TEST_F(FolderRescue, Known_damage_in_a_stretch_that_is_passed_over_is_not_mended) {
    make();
    {
        auto store = *open();
        for (int i = 0; i < 60; ++i) {
            ASSERT_TRUE(fixture::commit(*store,
                                        fixture::delivery(*store, account_, random_.bytes(4000)),
                                        CommitDrive::Manual));
        }
    }
    flip(largest(folder_, ".sst"), 500);
    auto store = *open();
    // What is known lies right behind the last row that can be read.
    ScrubStep first =
        scrub_step(store->kv(), store->blobs(), ScrubState(), system_clock().wall()).value();
    ASSERT_FALSE(first.found.empty());
    Damaged known = first.found.back();
    known.key.push_back('\0');
    first.found.push_back(known);
    ASSERT_TRUE(fixture::commit(*store, plan_scrub(first), CommitDrive::Manual));
    const ScrubStep again =
        scrub_step(store->kv(), store->blobs(), ScrubState(), system_clock().wall()).value();
    EXPECT_TRUE(again.mended.empty());
}
TEST_F(FolderRescue, Keys_that_are_all_gone_are_not_begun_anew) {
    make();
    fs::remove_all(folder_);
    const auto refused = open();
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text.find("format"), std::string::npos) << refused.error().text;
}
TEST_F(FolderRescue, Without_keys_no_body_is_removed) {
    make();
    const auto size = fs::file_size(largest(top_ + "/blobs", ""));
    for (const bool is_all_gone : {true, false}) {
        if (is_all_gone) {
            fs::remove_all(folder_);
        }
        const RepairReport report = repair_folder(/*drop_lost=*/true);
        EXPECT_EQ(report.are_keys_missing, is_all_gone);
        EXPECT_EQ(report.orphans.size(), is_all_gone ? 10U : 0U);
        const auto store = open();
        ASSERT_TRUE(store) << store.error().text;
        if (is_all_gone) {
            EXPECT_EQ(fs::file_size(largest(top_ + "/blobs", "")), size);
            for (const BlobId& blob : report.orphans) {
                EXPECT_EQ((*store)->blobs().read(blob, 0, 20'000, ReadTier::Disk)->size(), 20'000U);
            }
        }
    }
}

}  // namespace
}  // namespace godwit::store
