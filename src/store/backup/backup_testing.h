// For tests of backups: a store over files in memory, with mail in it, and a second disk to back it
// up to.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "store/backup/restore_account.h"
#include "store/backup/restore_whole.h"
#include "store/backup/take.h"
#include "store/backup/verify.h"
#include "store/blob/memory_files.h"
#include "store/fsck.h"
#include "store/store_testing.h"

namespace godwit::store::fixture {

class HandClock final : public Clock {
public:
    [[nodiscard]] WallTime wall() const override { return from_unix_seconds(1'769'853'600) + now_; }
    [[nodiscard]] MonoTime mono() const override { return MonoTime(now_); }
    void advance(Duration by) { now_ += by; }

private:
    Duration now_{1'000'000};
};

/// What a mailbox shows: UID to "hash date flags".
using Listing = std::map<std::string, std::map<std::uint32_t, std::string>>;

class Backups : public ::testing::Test {
protected:
    Backups() { open(); }

    StoreOptions options(MemoryFiles* files, const std::shared_ptr<MemoryKvDisk>& disk) {
        StoreOptions options;
        options.files = files;
        options.folder = "/data";
        options.drive = CommitDrive::Manual;
        options.on_fatal = [](const Error&) {};
        options.open_kv =
            [disk](const std::function<void(const Error&)>&) -> Result<std::unique_ptr<Kv>> {
            return make_memory_kv(disk);
        };
        return options;
    }
    void open() {
        store_.reset();
        auto opened = Store::open(options(&files_, disk_), &clock_, &random_);
        ASSERT_TRUE(opened) << opened.error().text;
        store_ = *std::move(opened);
    }
    CommitResult commit(Plan plan) {
        return fixture::commit(*store_, std::move(plan), CommitDrive::Manual);
    }
    AccountId add_account(int number) {
        return fixture::add_account(*store_, number, CommitDrive::Manual);
    }
    /// One message of `size` random octets in the inbox.
    Uid deliver(AccountId account, std::size_t size, FlagNames flags = {}) {
        Plan plan = fixture::delivery(*store_, account, random_.bytes(size));
        std::get<AppendMessage>(plan.steps[0]).flags = std::move(flags);
        const auto done = commit(std::move(plan));
        check(done.has_value(), "delivery is refused");
        return std::get<Appended>(done->results[0]).uid;
    }
    void expunge(AccountId account, std::vector<Uid> uids) {
        Plan plan;
        plan.steps.emplace_back(ExpungeMessages{
            .account = account, .mailbox = kInbox, .uids = std::move(uids), .only_deleted = false});
        ASSERT_TRUE(commit(std::move(plan)));
    }
    Result<std::unique_ptr<BackupRun>> begin(std::size_t keep = 0) {
        clock_.advance(std::chrono::minutes(1));
        return BackupRun::begin(store_.get(), &target_, {.folder = "/backup", .keep = keep},
                                &clock_);
    }
    /// A whole backup.
    BackupSummary take(std::size_t keep = 0) {
        auto run = begin(keep);
        EXPECT_TRUE(run) << run.error().text;
        for (Result<bool> done = false; run && !*done;) {
            done = (*run)->step();
            EXPECT_TRUE(done) << done.error().text;
            if (!done) {
                return {};
            }
        }
        return run ? (*run)->summary() : BackupSummary{};
    }
    bool is_good(MemoryFiles& files, const std::optional<std::string>& generation = {}) {
        const auto report = verify_backup(&files, "/backup", generation);
        return report && report->is_good();
    }
    void expect_good() {
        const auto report = verify_backup(&target_, "/backup", std::nullopt);
        ASSERT_TRUE(report) << report.error().text;
        for (const BackupFinding& finding : report->findings) {
            EXPECT_EQ(finding.faults, 0U)
                << finding.check << ": "
                << (finding.examples.empty() ? "" : finding.examples.front());
        }
    }
    static void expect_sound(Store& store) {
        for (const FsckFinding& finding : fsck(store, {}).value()) {
            EXPECT_EQ(finding.violations, 0U)
                << finding.invariant << ": "
                << (finding.examples.empty() ? "" : finding.examples.front());
        }
    }
    /// Every message of the account, each read whole.
    static Listing list(Store& store, AccountId account) {
        Listing listing;
        const auto snapshot = store.snapshot();
        const auto keywords = read_keywords(*snapshot, ReadTier::Disk, account).value();
        for (const auto& box : list_mailboxes(*snapshot, ReadTier::Disk, account).value()) {
            auto& rows = listing[box.name];
            Uid from(1);
            for (;;) {
                const auto page =
                    read_rows(*snapshot, ReadTier::Disk, account, box.id, from, 100).value();
                for (const MessageRow& row : page) {
                    const auto record =
                        read_record(*snapshot, ReadTier::Disk, account, row.email).value();
                    const auto body =
                        store.blobs().read(record->blob, 0, record->blob_size, ReadTier::Disk);
                    std::string text = body ? BlobId{sha256(*body)}.to_hex() : body.error().text;
                    text += " " + record->prefix + std::to_string(row.internal_date) + " " +
                            std::to_string(row.flags.system);
                    for (const auto& [number, name] : keywords) {
                        text += row.flags.keywords.has(number) ? " " + name : "";
                    }
                    rows[row.uid.value()] = text;
                    from = Uid(row.uid.value() + 1);
                }
                if (page.empty()) {
                    break;
                }
            }
        }
        return listing;
    }

    HandClock clock_;
    SeededRandom random_{7};
    MemoryFiles files_;
    MemoryFiles target_;
    std::shared_ptr<MemoryKvDisk> disk_ = make_memory_kv_disk();
    std::unique_ptr<Store> store_;
};

}  // namespace godwit::store::fixture
