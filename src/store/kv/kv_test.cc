// One contract, two engines: the same random script against a map, with snapshots and cursors.
#include "store/kv/kv.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/random.h"

namespace godwit::store {
namespace {

using Model = std::map<std::string, std::string, std::less<>>;

std::string scratch_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "godwit-kv-XXXXXX").string();
    check(mkdtemp(name.data()) != nullptr, "no scratch folder");
    return name;
}

// An engine that can be closed and opened again.
struct Engine {
    virtual ~Engine() = default;
    virtual std::unique_ptr<Kv> open() = 0;
};
struct MemoryEngine : Engine {
    std::shared_ptr<MemoryKvDisk> disk = make_memory_kv_disk();
    std::unique_ptr<Kv> open() override { return make_memory_kv(disk); }
};
struct RocksEngine : Engine {
    std::string folder = scratch_folder();
    int open_files_max = RocksOptions().open_files_max;
    ~RocksEngine() override { std::filesystem::remove_all(folder); }
    std::unique_ptr<Kv> open() override {
        RocksOptions options;
        options.write_buffer_bytes = 64 * 1024;  // Small, so that the script reaches table files.
        options.open_files_max = open_files_max;
        options.on_fatal = [](const Error& error) { ADD_FAILURE() << error.text; };
        auto kv = open_rocks_kv(folder, std::move(options));
        check(kv.has_value(), "engine does not open");
        return std::move(*kv);
    }
};

class KvContract : public testing::TestWithParam<bool> {
protected:
    KvContract() {
        if (GetParam()) {
            engine_ = std::make_unique<RocksEngine>();
        } else {
            engine_ = std::make_unique<MemoryEngine>();
        }
        kv_ = engine_->open();
    }
    void reopen() {
        kv_.reset();
        kv_ = engine_->open();
    }
    std::unique_ptr<Engine> engine_;
    std::unique_ptr<Kv> kv_;
};

INSTANTIATE_TEST_SUITE_P(Engines, KvContract, testing::Bool(),
                         [](const auto& which) { return which.param ? "rocks" : "memory"; });

std::string random_key(Random& random) {
    return std::string(1, static_cast<char>('A' + random.below(3))) +
           std::to_string(random.below(400));
}

Batch random_batch(Random& random, Model& model) {
    Batch batch;
    const std::uint64_t count = 1 + random.below(12);
    for (std::uint64_t i = 0; i < count; ++i) {
        std::string key = random_key(random);
        if (random.below(4) == 0) {
            model.erase(key);
            batch.erase(std::move(key));
        } else {
            std::string value = random.bytes(random.below(300));
            model[key] = value;
            batch.put(std::move(key), std::move(value));
        }
    }
    return batch;
}

void expect_at(const Cursor& cursor, const Model& model, Model::const_iterator at) {
    ASSERT_TRUE(cursor.status());
    ASSERT_EQ(cursor.is_valid(), at != model.end());
    if (cursor.is_valid()) {
        EXPECT_EQ(cursor.key(), at->first);
        EXPECT_EQ(cursor.value(), at->second);
    }
}

void expect_same(const Snapshot& snapshot, const Model& model, Random& random) {
    auto cursor = snapshot.cursor(ReadTier::Disk);
    cursor->seek("");
    for (auto row = model.begin();; ++row) {
        expect_at(*cursor, model, row);
        if (testing::Test::HasFailure() || row == model.end()) {
            break;
        }
        cursor->next();
    }
    for (int i = 0; i < 20; ++i) {
        const std::string key = random_key(random);
        const auto value = snapshot.get(key, ReadTier::Disk);
        ASSERT_TRUE(value);
        const auto row = model.find(key);
        EXPECT_EQ(*value, row == model.end() ? std::nullopt : std::optional(row->second));

        const std::string upper = random_key(random);
        auto bounded = snapshot.cursor(ReadTier::Disk, upper);
        bounded->seek(key);
        auto first = model.lower_bound(key);
        expect_at(*bounded, model,
                  first != model.end() && first->first < upper ? first : model.end());

        cursor->seek_back(key);
        auto after = model.upper_bound(key);
        expect_at(*cursor, model, after == model.begin() ? model.end() : std::prev(after));
        if (cursor->is_valid()) {
            cursor->previous();
            --after;
            expect_at(*cursor, model, after == model.begin() ? model.end() : std::prev(after));
        }
    }
}

TEST_P(KvContract, Random_script_equals_the_model) {
    SeededRandom random(7);
    Model model;
    struct Held {
        std::unique_ptr<Snapshot> snapshot;
        Model model;
    };
    std::vector<Held> held;
    for (int step = 0; step < 1200; ++step) {
        ASSERT_TRUE(kv_->commit(random_batch(random, model)));
        if (random.below(40) == 0) {
            held.push_back({kv_->snapshot(), model});
        }
        if (held.size() > 5) {
            const auto which =
                held.begin() + static_cast<std::ptrdiff_t>(random.below(held.size()));
            expect_same(*which->snapshot, which->model, random);
            held.erase(which);
        }
        if (random.below(300) == 0) {
            held.clear();
            reopen();
        }
        if (HasFailure()) {
            FAIL() << "at step " << step;
        }
    }
    for (const Held& each : held) {
        expect_same(*each.snapshot, each.model, random);
    }
    expect_same(*kv_->snapshot(), model, random);
    EXPECT_GT(kv_->approximate_size(), 0U);
}

TEST_P(KvContract, Later_entries_of_a_batch_win) {
    Batch batch;
    batch.put("a", "1");
    batch.put("a", "2");
    batch.put("b", "1");
    batch.erase("b");
    batch.erase("c");
    batch.put("c", "3");
    ASSERT_TRUE(kv_->commit(batch));
    EXPECT_EQ(kv_->get("a", ReadTier::Disk).value(), "2");
    EXPECT_EQ(kv_->get("b", ReadTier::Disk).value(), std::nullopt);
    EXPECT_EQ(kv_->get("c", ReadTier::Cached).value(), "3");
}

TEST_P(KvContract, Bound_holds_for_backward_seeks) {
    Batch batch;
    batch.put("a", "1");
    batch.put("c", "3");
    ASSERT_TRUE(kv_->commit(batch));
    const auto snapshot = kv_->snapshot();
    auto cursor = snapshot->cursor(ReadTier::Disk, "c");
    cursor->seek_back("z");
    ASSERT_TRUE(cursor->is_valid());
    EXPECT_EQ(cursor->key(), "a");
}

TEST(Batch, Shrinks_to_a_mark) {
    Batch batch;
    batch.put("a", "1");
    const std::size_t size = batch.size();
    batch.put("b", "2");
    batch.erase("c");
    batch.shrink_to(1);
    EXPECT_EQ(batch.entries().size(), 1U);
    EXPECT_EQ(batch.size(), size);
}

TEST(MemoryKv, Refused_commit_changes_nothing) {
    auto disk = make_memory_kv_disk();
    auto kv = make_memory_kv(disk);
    allow_commits(*disk, 0);
    Batch batch;
    batch.put("a", "1");
    EXPECT_EQ(kv->commit(batch).error().code, ErrorCode::Io);
    EXPECT_EQ(kv->get("a", ReadTier::Disk).value(), std::nullopt);
}

std::size_t threads() {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}));
}

// A system may have no more threads to give when the first flush comes.
[[noreturn]] void flush_and_count_threads() {
    RocksEngine engine;
    auto kv = engine.open();
    const std::size_t before = threads();
    SeededRandom random(1);
    for (int i = 0; i < 200; ++i) {
        Batch batch;
        batch.put("k" + std::to_string(i), random.bytes(16 * 1024));
        check(kv->commit(batch).has_value(), "commit");
    }
    const std::size_t after = threads();
    std::fprintf(stderr, "threads %zu %zu\n", before, after);
    kv.reset();
    std::filesystem::remove_all(engine.folder);
    std::_Exit(before == after ? 0 : 1);
}

TEST(RocksKvDeathTest, No_thread_is_started_once_it_is_open) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");  // In a process that has no pools yet.
    EXPECT_EXIT(flush_and_count_threads(), testing::ExitedWithCode(0), "threads");
}

TEST(RocksKv, Block_that_is_not_in_memory_would_block) {
    RocksEngine engine;
    {
        auto kv = engine.open();
        Batch batch;
        for (int i = 0; i < 1000; ++i) {
            batch.put("K" + std::to_string(i), std::string(100, 'v'));
        }
        ASSERT_TRUE(kv->commit(batch));
    }
    auto kv = engine.open();
    EXPECT_EQ(kv->get("K5", ReadTier::Cached).error().code, ErrorCode::WouldBlock);
    const auto snapshot = kv->snapshot();
    auto cursor = snapshot->cursor(ReadTier::Cached);
    cursor->seek("K5");
    ASSERT_FALSE(cursor->is_valid());
    EXPECT_EQ(cursor->status().error().code, ErrorCode::WouldBlock);
    EXPECT_EQ(kv->get("K5", ReadTier::Disk).value(), std::string(100, 'v'));
    EXPECT_EQ(kv->get("K5", ReadTier::Cached).value(), std::string(100, 'v'));
}

// With few descriptors the engine opens few of its tables beforehand. One that is not open looked
// like a row that is there and empty.
TEST(RocksKv, Table_that_is_not_open_would_block) {
    RocksEngine engine;
    engine.open_files_max = 20;
    constexpr int kTables = 4;  // One more are made one.
    for (int table = 0; table < kTables; ++table) {
        auto kv = engine.open();
        Batch batch;
        batch.put("K" + std::to_string(table), std::string(100, 'v'));
        ASSERT_TRUE(kv->commit(batch));
    }
    auto kv = engine.open();
    int unread = 0;
    for (int table = 0; table < kTables; ++table) {
        const std::string key = "K" + std::to_string(table);
        const auto cached = kv->get(key, ReadTier::Cached);
        if (cached) {
            EXPECT_EQ(cached->value_or("none"), std::string(100, 'v')) << key;
        } else {
            EXPECT_EQ(cached.error().code, ErrorCode::WouldBlock) << key;
            ++unread;
        }
        EXPECT_EQ(kv->get(key, ReadTier::Disk).value(), std::string(100, 'v')) << key;
    }
    EXPECT_GT(unread, 0);
}

}  // namespace
}  // namespace godwit::store
