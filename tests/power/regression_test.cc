// What the lying disk found, each as the shortest way to see it again.
#include <gtest/gtest.h>

#include "power/body_files.h"
#include "power/chain.h"
#include "power/engine_files.h"
#include "power/life.h"
#include "store/backup/backup_testing.h"
#include "store/fsck.h"
#include "store/kv/meta.h"
#include "store/store_testing.h"

namespace godwit::power {
namespace {

using store::Batch;
using store::Kv;
using store::ReadTier;

/// The engine alone on a disk; its background work waits.
class EngineOnDisk : public testing::Test {
protected:
    static constexpr const char* kKv = "/data/kv";

    EngineOnDisk() {
        EXPECT_TRUE(disk_->make_folder("/data"));
        EXPECT_TRUE(disk_->sync_folder("/"));
        open();
        EXPECT_TRUE(disk_->sync_folder("/data"));
    }
    Result<> try_open() {
        kv_.reset();
        store::RocksOptions options;
        options.write_buffer_bytes = 64 * 1024;  // Its least.
        options.env = env_ = std::make_shared<SteppedEnv>(make_engine_files(disk_));
        options.on_fatal = [this](const Error&) { ++fatal_; };
        kv_ = TRY(open_rocks_kv(kKv, std::move(options)));
        return {};
    }
    void open() {
        const auto opened = try_open();
        ASSERT_TRUE(opened) << opened.error().text;
    }
    Result<> commit(std::size_t size) {
        Batch batch;
        batch.put("K" + std::to_string(seq_ + 1), std::string(size, 'v'));
        batch.put(store::commit_seq_key(), store::encode_commit_seq(CommitSeq(seq_ + 1)));
        TRY(kv_->commit(batch));
        ++seq_;
        return {};
    }
    void cut(Cut how, std::uint64_t seed = 1) {
        kv_.reset();
        env_.reset();
        disk_->cut();
        disk_ = disk_->survive(how, seed);
    }
    std::uint64_t last() { return load_commit_seq(*kv_).value().value(); }
    std::vector<std::string> logs() {
        std::vector<std::string> found;
        for (const std::string& path : disk_->paths()) {
            if (path.ends_with(".log") && !disk_->content(path).empty()) {
                found.push_back(path);
            }
        }
        return found;
    }
    void expect_refused(std::string_view what) {
        const auto opened = try_open();
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code, ErrorCode::Corrupt);
        EXPECT_NE(opened.error().text.find(what), std::string::npos) << opened.error().text;
    }

    std::shared_ptr<Disk> disk_ = std::make_shared<Disk>(1);
    std::shared_ptr<SteppedEnv> env_;
    std::unique_ptr<Kv> kv_;
    std::uint64_t seq_ = 0;
    int fatal_ = 0;
};

// kTolerateCorruptedTailRecords takes a record that ends early, but refuses one with a hole.
TEST_F(EngineOnDisk, Torn_last_record_of_any_shape_does_not_keep_it_from_opening) {
    ASSERT_TRUE(commit(3000));
    ASSERT_TRUE(commit(3000));
    disk_->cut_after(1, bit(Op::Sync));
    ASSERT_FALSE(commit(40'000));
    kv_.reset();
    const auto left = disk_;
    for (const Cut how : {Cut::Prefix, Cut::Sectors, Cut::Pages, Cut::Reorder}) {
        for (std::uint64_t seed = 0; seed < 12; ++seed) {
            disk_ = left->survive(how, seed);
            const auto opened = try_open();
            ASSERT_TRUE(opened) << name_of(how) << seed << ": " << opened.error().text;
            ASSERT_GE(last(), 2U);
            ASSERT_LE(last(), 3U);
            ASSERT_TRUE(kv_->get("K2", ReadTier::Disk).value());
            ASSERT_EQ(kv_->get("K3", ReadTier::Disk).value().has_value(), last() == 3);
        }
    }
}

TEST_F(EngineOnDisk, Commits_after_a_torn_record_outlive_the_next_crash) {
    ASSERT_TRUE(commit(3000));
    disk_->cut_after(1, bit(Op::Sync));
    ASSERT_FALSE(commit(9000));
    cut(Cut::Sectors, 5);
    open();
    seq_ = last();
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(commit(500));
        const std::uint64_t acknowledged = seq_;
        cut(Cut::Drop);
        open();
        ASSERT_EQ(last(), acknowledged);
    }
}

// What was synced and is followed by more was promised: RocksDB would drop it, or all that follows,
// and say nothing.
TEST_F(EngineOnDisk, Damage_before_the_end_of_the_log_is_refused) {
    for (int i = 0; i < 6; ++i) {
        ASSERT_TRUE(commit(700));
    }
    cut(Cut::Drop);
    const std::string path = logs().back();
    const std::string whole = disk_->content(path);
    for (const std::size_t at : {whole.size() / 6, whole.size() / 2}) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        disk_->set_content(path, damaged);
        expect_refused("damaged before its end");
        damaged = whole;
        damaged.replace(at - at % 512, 512, 512, '\0');
        disk_->set_content(path, damaged);
        expect_refused("damaged before its end");
    }
    // The last one may have been torn before it was promised: nothing can tell.
    std::string damaged = whole;
    damaged[whole.size() - 100] = 'x';
    disk_->set_content(path, damaged);
    open();
    EXPECT_EQ(last(), 5U);
}

TEST_F(EngineOnDisk, Log_that_lost_its_synced_end_is_refused_when_another_follows) {
    while (logs().size() < 2) {
        ASSERT_TRUE(commit(3000));  // The flush waits: two logs are in use.
    }
    const std::string first = logs().front();
    cut(Cut::Drop);
    const std::string whole = disk_->content(first);
    const std::size_t record = whole.size() / (seq_ - 1);
    for (const std::size_t size : {whole.size() - record, whole.size() - record / 2}) {
        // Where a record ends, and within one.
        disk_->set_content(first, whole.substr(0, size));
        expect_refused("are missing before");
    }
    disk_->forget(first);
    expect_refused("are missing before");
}

// The engine takes a list of tables that ends early, and refuses one with a hole in its last record.
TEST_F(EngineOnDisk, Torn_end_of_the_list_of_tables_is_passed_over) {
    ASSERT_TRUE(commit(3000));
    cut(Cut::Drop);
    const auto left = disk_;
    std::string path;
    for (const std::string& each : left->paths()) {
        path = each.find("MANIFEST") != std::string::npos ? each : path;
    }
    const std::string whole = left->content(path);
    const std::string torn = whole.substr(0, 40);
    for (const std::string& end : {std::string(600, '\0') + torn, torn.substr(0, 5), torn + "x",
                                   std::string(8, '\xff'), std::string(40'000, '\0') + "x"}) {
        left->set_content(path, whole + end);
        left->cut();
        disk_ = left->survive(Cut::Drop, 1);
        const auto opened = try_open();
        ASSERT_TRUE(opened) << opened.error().text;
        EXPECT_EQ(last(), 1U);
    }
    std::string damaged = whole;
    damaged[8] = static_cast<char>(damaged[8] ^ 1);
    left->set_content(path, damaged);
    disk_ = left->survive(Cut::Drop, 1);
    EXPECT_FALSE(try_open());
}

TEST_F(EngineOnDisk, Store_without_its_CURRENT_is_not_taken_for_a_new_one) {
    ASSERT_TRUE(commit(100));
    cut(Cut::Drop);
    disk_->forget(std::string(kKv) + "/CURRENT");
    expect_refused("no CURRENT");
}

// RocksDB syncs the folder after the new CURRENT has its name, not before.
TEST_F(EngineOnDisk, CURRENT_never_names_a_MANIFEST_that_may_be_lost) {
    ASSERT_TRUE(commit(100));
    for (std::uint64_t at = 1; at < 12; ++at) {
        cut(Cut::Drop);
        const auto before = disk_->survive(Cut::Drop, at);
        disk_->cut_after(at, bit(Op::SyncFolder) | bit(Op::Rename));
        (void)try_open();  // Most are cut.
        kv_.reset();
        env_.reset();
        const auto left = disk_;
        left->cut();
        for (std::uint64_t seed = 0; seed < 16; ++seed) {
            disk_ = left->survive(Cut::Names, seed);
            const auto opened = try_open();
            ASSERT_TRUE(opened) << "cut at " << left->cut_at() << ": " << opened.error().text;
            ASSERT_EQ(last(), 1U);
        }
        kv_.reset();
        disk_ = before;
    }
}

// RocksDB itself goes on when there is no room for a compaction.
TEST_F(EngineOnDisk, Nothing_is_committed_after_background_work_failed) {
    for (std::uint64_t at = 1; at < 40; ++at) {
        fatal_ = 0;
        disk_->set_fault(Fault{.kinds = bit(Op::Write) | bit(Op::Create),
                               .at = 200 + at * 9,
                               .trouble = Trouble::Full});
        for (int i = 0; i < 300; ++i) {
            const bool was_told = fatal_ != 0;
            const auto done = commit(2000);
            ASSERT_FALSE(done && was_told) << "at " << at;
            if (!done) {
                break;
            }
            env_->work(SteppedEnv::Amount::All, [] { return false; });
        }
        disk_->set_fault(std::nullopt);
        cut(Cut::Kill, at);
        open();
        ASSERT_GE(last(), seq_);
        seq_ = last();
    }
}

// A compaction that finds no room is tried again by the engine, for ever: the first refusal must be
// told, as it is by that the process ends.
TEST_F(EngineOnDisk, Compaction_that_never_finds_room_is_told_once) {
    for (int i = 0; i < 400; ++i) {
        ASSERT_TRUE(commit(2000));
        env_->work(SteppedEnv::Amount::Flushes, [] { return false; });
    }
    ASSERT_GT(env_->GetThreadPoolQueueLen(rocksdb::Env::Priority::LOW), 0U);
    disk_->set_fault(Fault{.kinds = bit(Op::Write) | bit(Op::Create),
                           .at = 1,
                           .trouble = Trouble::Full,
                           .is_sticky = true});
    env_->work(SteppedEnv::Amount::All, [this] { return fatal_ != 0; });
    EXPECT_EQ(fatal_, 1);
    EXPECT_GT(env_->GetThreadPoolQueueLen(rocksdb::Env::Priority::LOW), 0U) << "not tried again";
    EXPECT_FALSE(commit(2000));
}

// Copying out of a segment counts in memory what it moves; an error within left those counts behind
// and a segment could be taken for dead with live bodies in it.
TEST(PowerStates, Disk_that_is_full_while_a_segment_is_copied_costs_nothing) {
    bool was_copied = false;
    for (std::uint64_t at = 1; !was_copied; ++at) {
        std::vector<std::string> faults;
        Recorder recorder([&](std::string text) { faults.push_back(std::move(text)); });
        DayClock clock;
        auto disk = std::make_shared<Disk>(at);
        Setting setting;
        setting.blob_sizes.segment_max = 64 * 1024;
        std::vector<std::string> bodies;
        AccountId account;
        {
            Life life(disk, setting, &recorder, &clock);
            ASSERT_TRUE(life.open(1));
            store::Store& store = life.store();
            account = store::fixture::add_account(store, 1, store::CommitDrive::Manual);
            store::ExpungeMessages expunge{
                .account = account, .mailbox = store::kInbox, .uids = {}, .only_deleted = false};
            for (std::uint32_t uid = 1; uid <= 20; ++uid) {
                const std::string body = SeededRandom(uid).bytes(10'000);
                ASSERT_TRUE(store::fixture::commit(store,
                                                   store::fixture::delivery(store, account, body),
                                                   store::CommitDrive::Manual));
                if (uid % 3 == 0) {
                    bodies.push_back(body);
                } else {
                    expunge.uids.emplace_back(uid);
                }
            }
            store::Plan plan;
            plan.steps.emplace_back(std::move(expunge));
            ASSERT_TRUE(store::fixture::commit(store, std::move(plan), store::CommitDrive::Manual));
            disk->set_fault(Fault{
                .kinds = bit(Op::Create) | bit(Op::Write), .at = at, .trouble = Trouble::Full});
            for (int step = 0; step < 12 && life.fatal() == 0; ++step) {
                (void)store.tend();  // May fail on order.
                clock.advance(std::chrono::minutes(4));
                store.committer().run_once();
            }
            was_copied = disk->faults_struck() == 0;
            disk->set_fault(std::nullopt);
            life.end();
            disk->cut();
        }
        disk = disk->survive(Cut::Kill, at);
        Life life(disk, setting, &recorder, &clock);
        const auto opened = life.open(2);
        ASSERT_TRUE(opened) << "at " << at << ": " << opened.error().text;
        for (const std::string& body : bodies) {
            const auto got =
                life.store().blobs().read({sha256(body)}, 0, body.size(), ReadTier::Disk);
            ASSERT_TRUE(got && *got == body) << "at " << at;
        }
        for (const auto& finding : store::fsck(life.store(), {}).value()) {
            ASSERT_EQ(finding.violations, 0U) << "at " << at << ": " << finding.invariant;
        }
        ASSERT_TRUE(faults.empty()) << faults.front();
    }
}

/// A backup, and a disk to restore it to.
class RestoreOnDisk : public store::fixture::Backups {
protected:
    store::StoreOptions on(const std::shared_ptr<Disk>& disk, store::FileSystem* files) {
        store::StoreOptions options;
        options.files = files;
        options.folder = kFolder;
        options.drive = store::CommitDrive::Manual;
        options.on_fatal = [](const Error&) {};
        options.open_kv = [this, disk](std::function<void(const Error&)> on_fatal) {
            store::RocksOptions engine;
            engine.env = env_ = std::make_shared<SteppedEnv>(make_engine_files(disk));
            engine.on_fatal = std::move(on_fatal);
            return open_rocks_kv(std::string(kFolder) + "/kv", std::move(engine));
        };
        return options;
    }
    std::shared_ptr<SteppedEnv> env_;
};

// Restoring wrote all rows before it noted with which commit they begin: cut off between the two,
// it was taken for a store whose disk had lost the commits before.
TEST_F(RestoreOnDisk, Cut_off_anywhere_it_says_so) {
    const AccountId account = add_account(1);
    for (int i = 0; i < 12; ++i) {
        deliver(account, 4000);
    }
    take();
    const auto there = list(*store_, account);
    std::size_t refused = 0;
    for (std::uint64_t at = 1;; ++at) {
        auto disk = std::make_shared<Disk>(at);
        disk->cut_after(at);
        bool was_whole = false;
        {
            const auto files = make_body_files(disk);
            was_whole = files->make_folder("/data").has_value() &&
                        restore_whole(&target_,
                                      {.folder = "/backup",
                                       .generation = std::nullopt,
                                       .now = clock_.wall(),
                                       .new_store = 4711},
                                      on(disk, files.get()))
                            .has_value();
            disk->cut();
        }
        env_.reset();
        disk = disk->survive(at % 2 == 0 ? Cut::Kill : Cut::Drop, at);
        const auto files = make_body_files(disk);
        const auto opened = store::Store::open(on(disk, files.get()), &clock_, &random_);
        if (!opened) {
            ++refused;
            EXPECT_NE(opened.error().text.find("did not come to its end"), std::string::npos)
                << "at " << at << ": " << opened.error().text;
        } else if (!store::list_accounts(*(*opened)->snapshot(), ReadTier::Disk)->empty()) {
            EXPECT_EQ(list(**opened, account), there) << "at " << at;
        } else {
            EXPECT_FALSE(was_whole) << "at " << at;
        }
        if (was_whole) {
            break;
        }
    }
    EXPECT_GT(refused, 10U);
}

// A sync that fails once and would then succeed: nothing is acknowledged after it.
TEST(PowerStates, Failed_sync_is_never_tried_again) {
    for (std::uint64_t at = 1;; ++at) {
        const FaultRun run = run_with_fault(
            Fault{.kinds = bit(Op::Sync) | bit(Op::SyncFolder), .at = at}, 12, Past::None);
        for (const std::string& text : run.verdict.faults) {
            ADD_FAILURE() << "at " << at << ": " << text;
        }
        if (!run.was_struck) {
            EXPECT_GT(at, 20U);
            break;
        }
    }
}

// A fault that struck while the test looked at the rows left it open whether the commit at the cut
// had become durable; all that came later was called wrong.
TEST(PowerStates, No_fault_is_spent_on_the_test_that_looks) {
    for (const std::uint64_t at : {100, 101, 102, 103, 104}) {
        const FaultRun run = run_with_fault(Fault{.kinds = kAnyOp, .at = at}, 20, Past::Cut);
        EXPECT_TRUE(run.was_struck);
        for (const std::string& text : run.verdict.faults) {
            ADD_FAILURE() << "at " << at << ": " << text;
        }
    }
}

TEST(PowerStates, Chains_of_lives_lose_nothing) {
    Figures all;
    for (std::uint64_t seed = 900; seed < 906; ++seed) {
        const Verdict verdict = run_chain(seed, 8);
        for (const std::string& text : verdict.faults) {
            ADD_FAILURE() << "seed " << seed << ": " << text;
        }
        all.add(verdict.figures);
    }
    EXPECT_GE(all.states, 48U);
    EXPECT_GT(all.acknowledged, 100U);
}

}  // namespace
}  // namespace godwit::power
