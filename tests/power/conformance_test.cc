// One contract, every engine: a random script of commits, snapshots, cursors, reopenings and
// crashes, against a map. What an engine gives must be equal; what it holds after a crash must be
// all that was committed, or that and the commit under way, whole. The same for bodies in files.
// Law: RELIABILITY.md 4 "Store conformance".
#include <gtest/gtest.h>

#include "base/crypto.h"
#include "base/limits.h"
#include "power/body_files.h"
#include "power/engine_files.h"
#include "power/recorder.h"
#include "store/blob/blob.h"
#include "store/blob/memory_files.h"
#include "store/kv/meta.h"

namespace godwit::power {
namespace {

using store::Batch;
using store::Cursor;
using store::Kv;
using store::ReadTier;
using store::Snapshot;
using Model = Recorder::Rows;

/// An engine whose process can end at any time.
class Engine {
public:
    virtual ~Engine() = default;
    virtual std::unique_ptr<Kv> open() = 0;
    /// Some operation from now on is the last.
    virtual void order_crash(Random& random) = 0;
    /// The process is gone; open() finds what is left.
    virtual void crash(Random& random) = 0;
    /// Background work, as far as it waits to be told.
    virtual void work() {}
};

class MemoryEngine final : public Engine {
public:
    std::unique_ptr<Kv> open() override {
        allow_commits(*disk_, 1'000'000);
        return store::make_memory_kv(disk_);
    }
    void order_crash(Random& random) override { allow_commits(*disk_, random.below(20)); }
    void crash(Random& /*random*/) override {}

private:
    std::shared_ptr<store::MemoryKvDisk> disk_ = store::make_memory_kv_disk();
};

class RocksEngine final : public Engine {
public:
    std::unique_ptr<Kv> open() override {
        env_ = std::make_shared<SteppedEnv>(make_engine_files(disk_));
        store::RocksOptions options;
        options.cache_bytes = 256 * 1024;
        options.write_buffer_bytes = 64 * 1024;  // Its least.
        options.env = env_;
        options.on_fatal = [](const Error&) {};
        // The folders' own names are the caller's to keep, as the store does.
        if (!disk_->make_folder("/data") || !disk_->sync_folder("/")) {
            return nullptr;
        }
        auto kv = open_rocks_kv("/data/kv", std::move(options));
        EXPECT_TRUE(kv || disk_->is_off()) << kv.error().text;
        return kv && disk_->sync_folder("/data") ? *std::move(kv) : nullptr;
    }
    void order_crash(Random& random) override { disk_->cut_after(1 + random.below(60)); }
    void crash(Random& random) override {
        env_.reset();
        disk_->cut();
        disk_ = disk_->survive(static_cast<Cut>(random.below(kCuts)), random.u64());
    }
    void work() override {
        env_->work(SteppedEnv::Amount::All, [] { return false; });
    }

private:
    std::shared_ptr<Disk> disk_ = std::make_shared<Disk>(1);
    std::shared_ptr<SteppedEnv> env_;
};

std::string random_key(Random& random) {
    return std::string(1, static_cast<char>('A' + random.below(3))) +
           std::to_string(random.below(300));
}

Batch random_batch(Random& random) {
    Batch batch;
    for (std::uint64_t i = 1 + random.below(12); i != 0; --i) {
        if (random.below(4) == 0) {
            batch.erase(random_key(random));
        } else {
            batch.put(random_key(random), random.bytes(random.below(300)));
        }
    }
    return batch;
}

class Conformance : public testing::TestWithParam<std::tuple<bool, int>> {
protected:
    Conformance()
        : random_(static_cast<std::uint64_t>(std::get<1>(GetParam())) + 1),
          recorder_([](const std::string& text) { ADD_FAILURE() << text; }) {
        if (std::get<0>(GetParam())) {
            engine_ = std::make_unique<RocksEngine>();
        } else {
            engine_ = std::make_unique<MemoryEngine>();
        }
        open();
        recorder_.confirm();
    }

    void open() {
        kv_ = engine_->open();
        while (kv_ == nullptr) {
            engine_->crash(random_);
            kv_ = engine_->open();
        }
        recorder_.compare(*kv_);
        kv_ = recorder_.watch(std::move(kv_));
    }
    void close() {
        held_.clear();
        kv_.reset();
    }

    void expect_row(const Cursor& cursor, const Model& model, Model::const_iterator at) {
        ASSERT_TRUE(cursor.status()) << cursor.status().error().text;
        ASSERT_EQ(cursor.is_valid(), at != model.end());
        if (cursor.is_valid()) {
            ASSERT_EQ(cursor.key(), at->first);
            ASSERT_EQ(cursor.value(), at->second);
        }
    }
    void expect_same(const Snapshot& snapshot, const Model& model) {
        for (int i = 0; i < 8 && !HasFatalFailure(); ++i) {
            const std::string key = random_key(random_);
            const auto row = model.find(key);
            const auto expected = row == model.end() ? std::nullopt : std::optional(row->second);
            const auto cached = snapshot.get(key, ReadTier::Cached);
            if (cached) {
                EXPECT_EQ(*cached, expected);
            } else {
                EXPECT_EQ(cached.error().code, ErrorCode::WouldBlock);
            }
            EXPECT_EQ(snapshot.get(key, ReadTier::Disk).value(), expected);
            // Read by now. An engine may not be able to tell an empty row from one it may not read.
            const auto again = snapshot.get(key, ReadTier::Cached);
            EXPECT_TRUE(again || (expected == "" && again.error().code == ErrorCode::WouldBlock));
            EXPECT_EQ(again.value_or(expected), expected);
            expect_walks(snapshot, model, key);
        }
    }
    // From a key: some steps forward and back, with and without a bound.
    void expect_walks(const Snapshot& snapshot, const Model& model, const std::string& key) {
        const std::string upper = random_.below(2) == 0 ? random_key(random_) : std::string();
        Model seen = model;
        if (!upper.empty()) {
            seen.erase(seen.lower_bound(upper), seen.end());
        }
        const auto cursor = snapshot.cursor(ReadTier::Disk, upper);
        auto at = seen.lower_bound(key);
        cursor->seek(key);
        expect_row(*cursor, seen, at);
        for (int step = 0; step < 12 && at != seen.end() && !HasFatalFailure(); ++step) {
            cursor->next();
            expect_row(*cursor, seen, ++at);
        }
        auto after = seen.upper_bound(key);
        cursor->seek_back(key);
        for (int step = 0; step < 12 && !HasFatalFailure(); ++step) {
            expect_row(*cursor, seen, after == seen.begin() ? seen.end() : std::prev(after));
            if (after == seen.begin()) {
                break;
            }
            --after;
            cursor->previous();
        }
    }

    void step() {
        const std::uint64_t dice = random_.below(100);
        if (dice < 80) {
            engine_->work();
            if (!kv_->commit(random_batch(random_))) {
                close();
                engine_->crash(random_);
                open();
            }
        } else if (dice < 86) {
            held_.emplace_back(kv_->snapshot(), recorder_.promised());
        } else if (dice < 92 && !held_.empty()) {
            const auto which =
                held_.begin() + static_cast<std::ptrdiff_t>(random_.below(held_.size()));
            expect_same(*which->first, which->second);
            held_.erase(which);
        } else if (dice < 96) {
            expect_same(*kv_->snapshot(), recorder_.promised());
        } else if (dice < 98) {
            close();
            open();
        } else {
            // Reads fail too once the power is off: the held ones are looked at before.
            held_.clear();
            engine_->order_crash(random_);
            while (kv_->commit(random_batch(random_))) {
                engine_->work();
            }
            close();
            engine_->crash(random_);
            open();
            ++crashes_;
        }
    }

    SeededRandom random_;
    Recorder recorder_;
    std::unique_ptr<Engine> engine_;
    std::unique_ptr<Kv> kv_;
    std::vector<std::pair<std::unique_ptr<Snapshot>, Model>> held_;
    int crashes_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Engines, Conformance,
                         testing::Combine(testing::Bool(), testing::Range(0, 6)),
                         [](const auto& which) {
                             return std::string(std::get<0>(which.param) ? "rocks" : "memory") +
                                    std::to_string(std::get<1>(which.param));
                         });

TEST_P(Conformance, Random_script_with_crashes_equals_the_model) {
    for (int steps = 0; steps < 500 && !HasFailure(); ++steps) {
        step();
    }
    EXPECT_GT(crashes_, 2);
    close();
}

/// Files whose machine can lose its power at any time.
class Files {
public:
    virtual ~Files() = default;
    virtual store::FileSystem& files() = 0;
    virtual void order_crash(Random& random) = 0;
    virtual void crash(Random& random) = 0;
    [[nodiscard]] virtual bool is_off() const = 0;
};

// Whose power goes between two operations.
class PlainFiles final : public Files {
public:
    store::FileSystem& files() override { return files_; }
    void order_crash(Random& /*random*/) override { is_off_ = true; }
    void crash(Random& random) override {
        files_.crash(random);
        is_off_ = false;
    }
    [[nodiscard]] bool is_off() const override { return is_off_; }

private:
    store::MemoryFiles files_;
    bool is_off_ = false;
};

class LyingFiles final : public Files {
public:
    store::FileSystem& files() override { return *files_; }
    void order_crash(Random& random) override { disk_->cut_after(1 + random.below(40)); }
    void crash(Random& random) override {
        disk_->cut();
        disk_ = disk_->survive(static_cast<Cut>(random.below(kCuts)), random.u64());
        files_ = make_body_files(disk_);
    }
    [[nodiscard]] bool is_off() const override { return disk_->is_off(); }

private:
    std::shared_ptr<Disk> disk_ = std::make_shared<Disk>(1);
    std::unique_ptr<store::FileSystem> files_ = make_body_files(disk_);
};

class BodyConformance : public testing::TestWithParam<std::tuple<bool, int>> {
protected:
    static constexpr const char* kFolder = "/data/blobs";

    BodyConformance() : random_(static_cast<std::uint64_t>(std::get<1>(GetParam())) + 1) {
        if (std::get<0>(GetParam())) {
            files_ = std::make_unique<LyingFiles>();
        } else {
            files_ = std::make_unique<PlainFiles>();
        }
        open();
    }

    void open() {
        for (;;) {
            blobs_.reset();
            kv_ = store::make_memory_kv(disk_);
            const store::BlobSizes sizes{.inline_max = 1024,
                                         .memory_max = 16 * 1024,
                                         .own_file_min = 32 * 1024,
                                         .segment_max = 100 * 1024};
            auto opened = open_file_blob_store(&files_->files(), kFolder, kv_.get(), sizes);
            if (opened) {
                blobs_ = *std::move(opened);
                seq_ = load_commit_seq(*kv_).value();
                return;
            }
            ASSERT_TRUE(files_->is_off()) << opened.error().text;
            files_->crash(random_);
        }
    }
    // Nothing of what was staged since the last commit counts.
    void crash() {
        batch_.clear();
        files_->crash(random_);
        open();
    }
    bool stage(const std::string& body) {
        const auto writer = blobs_->writer();
        if (!writer->append(body)) {
            return false;
        }
        auto finished = writer->finish();
        return finished && blobs_->stage(*std::move(finished), batch_);
    }
    bool commit() {
        if (!blobs_->sync(batch_) || files_->is_off()) {
            return false;
        }
        seq_ = CommitSeq(seq_.value() + 1);
        batch_.put(store::commit_seq_key(), store::encode_commit_seq(seq_));
        EXPECT_TRUE(kv_->commit(batch_));
        blobs_->committed(seq_);
        batch_.clear();
        return true;
    }
    // One group: what comes and what goes, all or nothing.
    bool group() {
        auto after = kept_;
        for (std::uint64_t i = random_.below(4); i != 0; --i) {
            const std::string body =
                random_.bytes(random_.below(random_.below(6) == 0 ? 60'000 : 9'000));
            if (!stage(body)) {
                return false;
            }
            after.insert_or_assign(BlobId{sha256(body)}, body);
        }
        for (std::uint64_t i = random_.below(4); i != 0 && !kept_.empty(); --i) {
            auto which = kept_.begin();
            std::advance(which, static_cast<std::ptrdiff_t>(random_.below(kept_.size())));
            if (!blobs_->stage_removal(which->first, batch_)) {
                return false;
            }
            after.erase(which->first);
        }
        if (!commit()) {
            return false;
        }
        kept_ = std::move(after);
        return true;
    }
    bool tend() {
        now_ += limits::segment_unlink_grace;
        for (int steps = 0; steps < 4; ++steps) {
            auto step = blobs_->tend(now_, 64 * 1024);
            if (!step || (step->work && (!step->work(batch_) || !commit()))) {
                return false;
            }
        }
        return true;
    }
    // All that is kept reads back by its hash; no row leads to anything else.
    void expect_kept() {
        for (const auto& [id, body] : kept_) {
            const auto got = blobs_->read(id, 0, body.size(), ReadTier::Disk);
            ASSERT_TRUE(got) << got.error().text;
            ASSERT_TRUE(*got == body);
        }
        const auto snapshot = kv_->snapshot();
        const auto cursor = snapshot->cursor(ReadTier::Disk, "Y");
        std::size_t rows = 0;
        for (cursor->seek("X"); cursor->is_valid(); cursor->next()) {
            ++rows;
        }
        EXPECT_EQ(rows, kept_.size());
    }

    SeededRandom random_;
    std::unique_ptr<Files> files_;
    std::shared_ptr<store::MemoryKvDisk> disk_ = store::make_memory_kv_disk();
    std::unique_ptr<Kv> kv_;
    std::unique_ptr<store::BlobStore> blobs_;
    Batch batch_;
    CommitSeq seq_;
    MonoTime now_{};
    std::map<BlobId, std::string> kept_;
};

INSTANTIATE_TEST_SUITE_P(Files, BodyConformance,
                         testing::Combine(testing::Bool(), testing::Range(0, 4)),
                         [](const auto& which) {
                             return std::string(std::get<0>(which.param) ? "lying" : "plain") +
                                    std::to_string(std::get<1>(which.param));
                         });

TEST_P(BodyConformance, Bodies_that_were_committed_are_there_after_any_crash) {
    for (int life = 0; life < 25 && !HasFailure(); ++life) {
        const std::uint64_t steps = 1 + random_.below(12);
        bool is_well = true;
        for (std::uint64_t step = 0; step < steps && is_well; ++step) {
            is_well = random_.below(5) == 0 ? tend() : group();
        }
        ASSERT_TRUE(is_well);
        expect_kept();
        files_->order_crash(random_);
        while (group() && tend()) {
        }
        crash();
        expect_kept();
    }
}

}  // namespace
}  // namespace godwit::power
