// Backups of a store at work: whole, incremental, verifiable, and safe from what happens meanwhile.
#include "store/backup/backup_testing.h"
#include "store/kv/meta.h"

namespace godwit::store {
namespace {

using fixture::Backups;

constexpr const char* kSegments = "/backup/segments";

TEST_F(Backups, Backup_verifies_and_counts_what_it_holds) {
    const AccountId one = add_account(1);
    const AccountId two = add_account(2);
    deliver(one, 500);
    deliver(one, 30000);
    deliver(two, 1'500'000);
    const BackupSummary made = take();
    EXPECT_EQ(made.accounts, 2U);
    EXPECT_EQ(made.messages, 3U);
    EXPECT_EQ(made.copied_parts, 2U) << "the shared segment, and the large body's own file";
    EXPECT_EQ(made.copied_bytes, made.segment_bytes);
    expect_good();
}

TEST_F(Backups, Second_backup_copies_only_what_is_new) {
    const AccountId account = add_account(1);
    for (int i = 0; i < 5; ++i) {
        deliver(account, 50000);
    }
    deliver(account, 1'200'000);
    const BackupSummary first = take();
    EXPECT_GT(first.copied_bytes, 1'400'000U);
    deliver(account, 20000);
    const BackupSummary second = take();
    EXPECT_EQ(second.copied_parts, 1U) << "what was appended to the open segment";
    EXPECT_LT(second.copied_bytes, 21000U);
    EXPECT_EQ(second.segment_bytes, first.segment_bytes + second.copied_bytes);
    const BackupSummary third = take();
    EXPECT_EQ(third.copied_bytes, 0U);
    EXPECT_EQ(third.segment_bytes, second.segment_bytes);
    for (const BackupSummary& made : {first, second, third}) {
        EXPECT_TRUE(is_good(target_, made.generation));
    }
}

TEST_F(Backups, Segment_of_many_parts_is_copied_as_one) {
    const AccountId account = add_account(1);
    BackupSummary last;
    for (std::size_t i = 0; i <= backup_parts_of_segment_max; ++i) {
        deliver(account, 20000);
        last = take();
    }
    EXPECT_EQ(last.copied_parts, 1U);
    EXPECT_EQ(last.copied_bytes, last.segment_bytes);
    expect_good();
}

TEST_F(Backups, Mail_that_comes_while_it_runs_is_not_in_it) {
    const AccountId account = add_account(1);
    deliver(account, 30000);
    auto run = begin();
    ASSERT_TRUE(run) << run.error().text;
    deliver(account, 40000);
    expunge(account, {Uid(1)});
    while (!(*run)->step().value()) {
        deliver(account, 10000);
    }
    EXPECT_EQ((*run)->summary().messages, 1U);
    expect_good();
}

TEST_F(Backups, Segments_that_die_while_it_runs_stay_until_it_ends) {
    const AccountId account = add_account(1);
    const Uid doomed = deliver(account, 1'500'000);
    const std::string own = "/data/blobs/own-80000001";
    ASSERT_FALSE(files_.content(own).empty());
    auto run = begin();
    ASSERT_TRUE(run) << run.error().text;
    expunge(account, {doomed});
    const auto tend = [this] {
        for (bool is_more = true; is_more;) {
            is_more = store_->tend().value();
            store_->committer().run_once();
        }
    };
    tend();
    clock_.advance(limits::segment_unlink_grace + std::chrono::minutes(1));
    tend();
    tend();
    EXPECT_FALSE(files_.content(own).empty()) << "the backup still needs it";
    while (!(*run)->step().value()) {
    }
    expect_good();
    run->reset();
    tend();
    EXPECT_TRUE(files_.content(own).empty()) << "and now nobody does";
}

TEST_F(Backups, Visit_that_ends_early_lets_the_segments_go) {
    const AccountId account = add_account(1);
    const Uid doomed = deliver(account, 1'500'000);
    auto run = begin();
    ASSERT_TRUE(run);
    expunge(account, {doomed});
    run->reset();
    for (int i = 0; i < 4; ++i) {
        (void)store_->tend().value();
        store_->committer().run_once();
        clock_.advance(limits::segment_unlink_grace + std::chrono::minutes(1));
    }
    EXPECT_TRUE(files_.content("/data/blobs/own-80000001").empty());
    EXPECT_EQ(target_.list("/backup").value().size(), 1U) << "only the identity";
}

/// All files of the backup's disk.
std::map<std::string, std::string> contents(MemoryFiles& files) {
    std::map<std::string, std::string> all;
    for (const std::string folder : {"/backup", kSegments}) {
        for (const std::string& name : files.list(folder).value()) {
            all[folder + "/" + name] = files.content(folder + "/" + name);
        }
    }
    return all;
}

TEST_F(Backups, Verify_finds_damage_wherever_it_is) {
    const AccountId account = add_account(1);
    deliver(account, 300);
    deliver(account, 12000);
    deliver(account, 1'100'000);
    take();
    expect_good();
    std::size_t tried = 0;
    for (const auto& [path, whole] : contents(target_)) {
        // Each octet of the first and the last KiB, where headers, index and trailers are, and
        // then one of every so many.
        const std::size_t stride = whole.size() > 100000 ? 65521 : 83;
        for (std::size_t i = 0; i < whole.size();
             i += (i < 1024 || i + 1024 > whole.size()) && whole.size() < 100000 ? 7 : stride) {
            std::string damaged = whole;
            damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
            target_.set_content(path, damaged);
            EXPECT_FALSE(is_good(target_)) << path << " octet " << i;
            ++tried;
        }
        target_.set_content(path, whole.substr(0, whole.size() - 1));
        EXPECT_FALSE(is_good(target_)) << path << " cut by one octet";
        target_.set_content(path, whole + "x");
        EXPECT_FALSE(is_good(target_)) << path << " one octet longer";
        ASSERT_TRUE(target_.unlink(path));
        EXPECT_FALSE(is_good(target_)) << path << " is gone";
        target_.set_content(path, whole);
        ASSERT_TRUE(is_good(target_));
    }
    EXPECT_GT(tried, 200U);
}

// A row that was damaged before it was backed up has good checksums around it.
TEST_F(Backups, Verify_finds_what_was_wrong_in_the_store) {
    const AccountId account = add_account(1);
    deliver(account, 20000);
    std::string segment = files_.content("/data/blobs/seg-00000001");
    segment[5000] = static_cast<char>(segment[5000] ^ 1);
    files_.set_content("/data/blobs/seg-00000001", segment);
    take();
    const auto report = verify_backup(&target_, "/backup", std::nullopt);
    ASSERT_TRUE(report);
    for (const BackupFinding& finding : report->findings) {
        EXPECT_EQ(finding.faults, finding.check == "every body is there and has its hash" ? 1U : 0U)
            << finding.check;
    }
    Batch batch;
    batch.put("G broken", "no seal");
    batch.erase(link_key({sha256("nobody")}, account, EmailId(9)));
    ASSERT_TRUE(store_->kv().commit(batch));
    EXPECT_EQ(take().damaged_rows, 1U);
}

TEST_F(Backups, Verify_finds_a_link_without_a_body_and_a_message_without_a_link) {
    const AccountId account = add_account(1);
    deliver(account, 300);
    Batch batch;
    batch.put(link_key({sha256("nobody")}, account, EmailId(9)), encode_nothing());
    ASSERT_TRUE(store_->kv().commit(batch));
    take();
    const auto report = verify_backup(&target_, "/backup", std::nullopt);
    ASSERT_TRUE(report);
    std::size_t faults = 0;
    for (const BackupFinding& finding : report->findings) {
        faults += finding.faults;
    }
    EXPECT_EQ(faults, 2U) << "the link leads nowhere, and no message has it";
}

TEST_F(Backups, Interrupted_backup_leaves_the_earlier_one_whole) {
    const AccountId account = add_account(1);
    deliver(account, 30000);
    const std::string first = take().generation;
    // Enough for several steps of segments.
    for (int i = 0; i < 9; ++i) {
        deliver(account, 2'500'000);
    }
    for (int steps = 0; steps < 6; ++steps) {
        // The power of the backup's disk fails after some steps.
        std::map<std::string, std::string> left;
        {
            auto run = begin();
            ASSERT_TRUE(run) << run.error().text;
            bool is_done = false;
            for (int i = 0; i < steps && !is_done; ++i) {
                is_done = (*run)->step().value();
            }
            target_.crash(random_);
            left = contents(target_);
        }
        for (const auto& [path, content] : contents(target_)) {
            ASSERT_TRUE(target_.unlink(path));
        }
        for (const auto& [path, content] : left) {
            target_.set_content(path, content);
        }
        EXPECT_TRUE(is_good(target_, first)) << steps;
        EXPECT_TRUE(is_good(target_)) << steps;
    }
    take(1);
    expect_good();
    for (const auto& [path, content] : contents(target_)) {
        EXPECT_FALSE(path.ends_with(backup_unfinished_suffix)) << path;
    }
    EXPECT_EQ(target_.list("/backup").value().size(), 3U) << "identity, manifest, keys";
}

TEST_F(Backups, Keep_removes_older_ones_and_what_only_they_had) {
    const AccountId account = add_account(1);
    const Uid doomed = deliver(account, 1'500'000);
    deliver(account, 30000);
    const std::string first = take().generation;
    expunge(account, {doomed});
    const std::string second = take().generation;
    EXPECT_EQ(target_.list(kSegments).value().size(), 2U);
    const BackupSummary third = take(2);
    EXPECT_EQ(third.removed, 1U);
    EXPECT_EQ(target_.list(kSegments).value().size(), 1U) << "the dead body's file is gone";
    EXPECT_FALSE(is_good(target_, first));
    EXPECT_TRUE(is_good(target_, second));
    EXPECT_TRUE(is_good(target_, third.generation));
}

TEST_F(Backups, Damaged_store_ends_no_older_backup) {
    const AccountId account = add_account(1);
    deliver(account, 3000);
    const std::string good = take().generation;
    Batch batch;
    batch.put("G broken", "no seal");
    ASSERT_TRUE(store_->kv().commit(batch));
    const BackupSummary damaged = take(1);
    EXPECT_EQ(damaged.damaged_rows, 1U);
    EXPECT_EQ(damaged.removed, 0U);
    EXPECT_TRUE(is_good(target_, good));
    const std::uint64_t store = load_format(store_->kv()).value()->store;
    auto folder = BackupFolder::open_for_writing(&target_, "/backup", store);
    ASSERT_TRUE(folder) << folder.error().text;
    EXPECT_EQ(folder->remove_old(1).value(), 0U) << "the newest undamaged one stays";
    EXPECT_TRUE(is_good(target_, good));
}

TEST_F(Backups, Damaged_segment_row_prevents_no_backup) {
    const AccountId account = add_account(1);
    deliver(account, 30000);
    deliver(account, 30000);
    Batch batch;
    batch.put(segment_key(1), "no seal");
    ASSERT_TRUE(store_->kv().commit(batch));
    const BackupSummary made = take();
    EXPECT_EQ(made.damaged_rows, 1U);
    EXPECT_EQ(made.copied_parts, 1U);
    const auto report = verify_backup(&target_, "/backup", std::nullopt);
    ASSERT_TRUE(report);
    for (const BackupFinding& finding : report->findings) {
        EXPECT_EQ(finding.faults, finding.check == "every row's checksum holds" ? 1U : 0U)
            << finding.check;
    }
}

TEST_F(Backups, Part_that_went_away_is_copied_again) {
    const AccountId account = add_account(1);
    deliver(account, 1'500'000);
    deliver(account, 30000);
    take();
    const std::vector<std::string> parts = target_.list(kSegments).value();
    ASSERT_EQ(parts.size(), 2U);
    ASSERT_TRUE(target_.unlink(std::string(kSegments) + "/" + parts[0]));
    const std::string cut = std::string(kSegments) + "/" + parts[1];
    target_.set_content(cut, target_.content(cut).substr(0, 100));
    EXPECT_FALSE(is_good(target_));
    EXPECT_EQ(take().copied_parts, 2U);
    expect_good();
}

TEST_F(Backups, Folder_of_somebody_else_is_refused) {
    add_account(1);
    take();
    // Another store.
    MemoryFiles other_files;
    SeededRandom other_random(99);
    auto other =
        Store::open(options(&other_files, make_memory_kv_disk()), &clock_, &other_random).value();
    const auto refused =
        BackupRun::begin(other.get(), &target_, {.folder = "/backup", .keep = 0}, &clock_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::Denied);
    EXPECT_NE(refused.error().text.find("another store"), std::string::npos);
    // A folder of other things.
    target_.set_content("/home/letter.txt", "Dear");
    const auto home =
        BackupRun::begin(store_.get(), &target_, {.folder = "/home", .keep = 0}, &clock_);
    ASSERT_FALSE(home);
    EXPECT_EQ(home.error().code, ErrorCode::Denied);
    // The store itself, on its own disk.
    for (const char* own : {"/data", "/data/backup", "/"}) {
        EXPECT_FALSE(BackupRun::begin(store_.get(), &files_, {.folder = own, .keep = 0}, &clock_))
            << own;
    }
    EXPECT_FALSE(BackupRun::begin(store_.get(), &target_, {.folder = "b", .keep = 0}, &clock_));
}

TEST_F(Backups, Two_runs_in_one_folder_keep_out_of_each_others_way) {
    add_account(1);
    const auto first = begin();
    ASSERT_TRUE(first);
    const auto second = begin();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::Unavailable);
}

TEST_F(Backups, Full_disk_ends_it_and_harms_nothing) {
    const AccountId account = add_account(1);
    deliver(account, 1'500'000);
    const std::string first = take().generation;
    deliver(account, 1'500'000);
    auto run = begin();
    ASSERT_TRUE(run);
    target_.set_free_space(backup_free_space_min + 1000);
    const auto done = (*run)->step();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::DiskFull);
    EXPECT_EQ(done.error().kind, ErrorKind::Temporary);
    run->reset();
    target_.set_free_space(~std::uint64_t{0});
    EXPECT_TRUE(is_good(target_));
    take();
    expect_good();
}

TEST_F(Backups, Clock_that_was_set_back_does_not_hide_the_newest) {
    add_account(1);
    clock_.advance(std::chrono::hours(1));
    const std::string first = take().generation;
    clock_.advance(-std::chrono::hours(1));
    const std::string second = take().generation;
    EXPECT_GT(second, first);
    EXPECT_EQ(BackupFolder::open(&target_, "/backup")->pick(std::nullopt).value(), second);
}

}  // namespace
}  // namespace godwit::store
