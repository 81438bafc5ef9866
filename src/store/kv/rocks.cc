// The engine on disk. The only door of RocksDB.
// Law: RELIABILITY.md 3 (the profile for 7.8.3 and why), STORE.md "Decided" 1.
// Every commit is synced; a background error is final; nothing is ever resumed.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <atomic>

#include "base/log.h"
#include "base/probe.h"
#include "store/kv/kv.h"
#include "store/kv/meta.h"
#include "store/kv/rocks_engine.h"
#include "store/kv/rocks_files.h"
#include "store/kv/rocks_log.h"

namespace godwit::store {

Error rocks_error(const rocksdb::Status& status, std::string_view what) {
    const std::string text = std::string(what) + ": " + status.ToString();
    if (status.IsIncomplete()) {
        return {ErrorKind::Temporary, ErrorCode::WouldBlock, text};
    }
    if (status.IsCorruption()) {
        return {ErrorKind::Internal, ErrorCode::Corrupt, text};
    }
    return {ErrorKind::Internal, ErrorCode::Io, text};
}

namespace {

std::string_view view(const rocksdb::Slice& bytes) {
    return {bytes.data(), bytes.size()};
}

// RELIABILITY.md 3: after a background error the engine's memory and the disk may differ.
class ErrorListener final : public rocksdb::EventListener {
public:
    explicit ErrorListener(std::function<void(const Error&)> on_fatal)
        : on_fatal_(std::move(on_fatal)) {}
    /// A background write has failed: whatever the engine makes of it, nothing more is committed.
    [[nodiscard]] bool was_told() const { return was_told_.load(); }
    void OnBackgroundError(rocksdb::BackgroundErrorReason reason,
                           rocksdb::Status* status) override {
        // Nothing was changed and nothing was being written that anybody was promised: what is
        // lost is lost, the rest is served, and compactions end (they would meet it again).
        if (reason == rocksdb::BackgroundErrorReason::kCompaction && status->IsCorruption() &&
            stop_compactions(*status)) {
            *status = rocksdb::Status::OK();
            return;
        }
        if (!was_told_.exchange(true)) {
            probe<"kv.background_failed">();
            on_fatal_(rocks_error(*status, "rocksdb background work"));
        }
    }
    void OnCompactionBegin(rocksdb::DB* database, const rocksdb::CompactionJobInfo&) override {
        database_.store(database);
    }
    void OnFlushCompleted(rocksdb::DB* /*db*/, const rocksdb::FlushJobInfo& /*job*/) override {
        probe<"kv.flushed">();
    }
    void OnCompactionCompleted(rocksdb::DB* /*db*/,
                               const rocksdb::CompactionJobInfo& /*job*/) override {
        probe<"kv.compacted">();
    }
    void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*status*/,
                              bool* auto_recovery) override {
        *auto_recovery = false;
    }

private:
    // On an engine thread, which holds no lock of the engine then.
    bool stop_compactions(const rocksdb::Status& why) {
        rocksdb::DB* const database = database_.load();
        if (database == nullptr ||
            !database->SetOptions({{"disable_auto_compactions", "true"}}).ok()) {
            return false;
        }
        probe<"kv.table_damaged">();
        log::error("store.key_table_damaged",
                   {{"error", why.ToString()}, {"remedy", "stop, godwit fsck --repair"}});
        return true;
    }
    std::function<void(const Error&)> on_fatal_;
    std::atomic<bool> was_told_ = false;
    std::atomic<rocksdb::DB*> database_ = nullptr;
};

rocksdb::ReadOptions read_options(ReadTier tier) {
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    options.read_tier = tier == ReadTier::Cached ? rocksdb::kBlockCacheTier : rocksdb::kReadAllTier;
    return options;
}

// Its counters are kept by thread and on by default: each comparison of keys would count itself,
// and nobody asks.
void count_nothing() {
    rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
}

Result<std::optional<std::string>> read(rocksdb::DB& db, rocksdb::ReadOptions options,
                                        std::string_view key) {
    // Pinned: one copy, from the block or the memtable into the result.
    rocksdb::PinnableSlice value;
    count_nothing();
    const rocksdb::Status status = db.Get(options, db.DefaultColumnFamily(), slice(key), &value);
    // 7.8.3 (until 9.1) says OK and gives nothing where it may not open the table that may hold the
    // row. A row that is really empty costs a read from disk.
    if (status.ok() && value.empty() && options.read_tier == rocksdb::kBlockCacheTier) {
        probe<"kv.table_not_open">();
        return temporary_error(ErrorCode::WouldBlock, "rocksdb get: a table is not open");
    }
    if (status.ok()) {
        return std::optional<std::string>(std::in_place, value.data(), value.size());
    }
    if (status.IsNotFound()) {
        return std::nullopt;
    }
    return std::unexpected(rocks_error(status, "rocksdb get"));
}

class RocksCursor final : public Cursor {
public:
    RocksCursor(rocksdb::DB& db, const rocksdb::Snapshot* at, ReadTier tier, std::string_view upper)
        : upper_(upper), upper_slice_(upper_) {
        rocksdb::ReadOptions options = read_options(tier);
        options.snapshot = at;
        if (!upper_.empty()) {
            options.iterate_upper_bound = &upper_slice_;
        }
        iterator_.reset(db.NewIterator(options));
    }
    explicit RocksCursor(std::unique_ptr<rocksdb::Iterator> iterator)
        : iterator_(std::move(iterator)) {}
    void seek(std::string_view key) override {
        count_nothing();
        iterator_->Seek(slice(key));
    }
    void seek_back(std::string_view key) override {
        count_nothing();
        iterator_->SeekForPrev(slice(key));
    }
    void next() override { iterator_->Next(); }
    void previous() override { iterator_->Prev(); }
    [[nodiscard]] bool is_valid() const override { return iterator_->Valid(); }
    [[nodiscard]] std::string_view key() const override { return view(iterator_->key()); }
    [[nodiscard]] std::string_view value() const override { return view(iterator_->value()); }
    [[nodiscard]] Result<> status() const override {
        const rocksdb::Status status = iterator_->status();
        if (!status.ok()) {
            return std::unexpected(rocks_error(status, "rocksdb walk"));
        }
        return {};
    }

private:
    std::string upper_;
    rocksdb::Slice upper_slice_;
    std::unique_ptr<rocksdb::Iterator> iterator_;
};

class RocksSnapshot final : public Snapshot {
public:
    // The database is shared with its Kv: a snapshot on the offload pool may outlive a stopping
    // store.
    explicit RocksSnapshot(std::shared_ptr<rocksdb::DB> db)
        : db_(std::move(db)), at_(db_->GetSnapshot()) {}
    ~RocksSnapshot() override { db_->ReleaseSnapshot(at_); }
    RocksSnapshot(const RocksSnapshot&) = delete;
    RocksSnapshot& operator=(const RocksSnapshot&) = delete;

    [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key,
                                                         ReadTier tier) const override {
        rocksdb::ReadOptions options = read_options(tier);
        options.snapshot = at_;
        return read(*db_, options, key);
    }
    [[nodiscard]] std::unique_ptr<Cursor> cursor(ReadTier tier,
                                                 std::string_view upper) const override {
        return std::make_unique<RocksCursor>(*db_, at_, tier, upper);
    }

private:
    std::shared_ptr<rocksdb::DB> db_;
    const rocksdb::Snapshot* at_;
};

class RocksKv final : public Kv {
public:
    RocksKv(std::shared_ptr<rocksdb::DB> db, std::shared_ptr<ErrorListener> errors)
        : db_(std::move(db)), errors_(std::move(errors)) {}

    [[nodiscard]] Result<> commit(const Batch& batch) override {
        count_nothing();
        // The engine itself goes on after some of them (no room for a compaction, RELIABILITY.md
        // 3).
        if (errors_->was_told()) {
            return internal_error(ErrorCode::Io, "rocksdb commit: background work failed before");
        }
        rocksdb::WriteBatch rows(batch.size() + batch.entries().size() * kEntryOverhead, 0,
                                 kProtectionBytes, 0);
        for (const Batch::Entry& entry : batch.entries()) {
            const rocksdb::Status added = entry.value
                                              ? rows.Put(slice(entry.key), slice(*entry.value))
                                              : rows.Delete(slice(entry.key));
            if (!added.ok()) {
                return std::unexpected(rocks_error(added, "rocksdb batch"));
            }
        }
        rocksdb::WriteOptions options;
        options.sync = true;
        options.protection_bytes_per_key = kProtectionBytes;
        const rocksdb::Status status = db_->Write(options, &rows);
        if (!status.ok()) {
            return std::unexpected(rocks_error(status, "rocksdb commit"));
        }
        return {};
    }
    [[nodiscard]] std::unique_ptr<Snapshot> snapshot() const override {
        return std::make_unique<RocksSnapshot>(db_);
    }
    [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key,
                                                         ReadTier tier) const override {
        return read(*db_, read_options(tier), key);
    }
    [[nodiscard]] std::string_view engine() const override { return "rocksdb"; }
    [[nodiscard]] std::uint64_t approximate_size() const override {
        std::uint64_t files = 0;
        std::uint64_t memtables = 0;
        db_->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &files);
        db_->GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &memtables);
        return files + memtables;
    }

private:
    static constexpr std::size_t kEntryOverhead = 8;  // Tag and two lengths.
    static constexpr std::size_t kProtectionBytes = 8;
    std::shared_ptr<rocksdb::DB> db_;
    std::shared_ptr<ErrorListener> errors_;  // The database has it too.
};

rocksdb::BlockBasedTableOptions table_options(const RocksOptions& options) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(options.cache_bytes, /*num_shard_bits=*/2);
    // Index and filters count against the cache, so that memory has one bound.
    table.cache_index_and_filter_blocks = true;
    table.cache_index_and_filter_blocks_with_high_priority = true;
    table.pin_l0_filter_and_index_blocks_in_cache = true;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.whole_key_filtering = true;
    table.block_size = 16 * 1024;  // STORE.md, measured scans.
    table.format_version = 5;
    return table;
}

/// In the order of destruction: the database first. Any snapshot may be the last to let go.
struct OpenDatabase {
    std::shared_ptr<rocksdb::Env> env;
    std::unique_ptr<rocksdb::DB> db;
};

}  // namespace

// RELIABILITY.md 3, line by line.
rocksdb::Options rocks_options(const RocksOptions& options) {
    rocksdb::Options engine;
    engine.create_if_missing = true;
    // Ends at the first record that does not hold; check_logs() has seen to it that it was the
    // last.
    engine.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    engine.recycle_log_file_num = 0;
    engine.track_and_verify_wals_in_manifest = false;
    engine.paranoid_checks = true;
    engine.flush_verify_memtable_count = true;
    engine.best_efforts_recovery = false;
    engine.max_bgerror_resume_count = 0;
    engine.manual_wal_flush = false;
    engine.two_write_queues = false;
    engine.unordered_write = false;
    engine.enable_pipelined_write = false;
    engine.wal_compression = rocksdb::kNoCompression;
    engine.WAL_ttl_seconds = 0;
    engine.avoid_flush_during_shutdown = false;
    engine.compaction_style = rocksdb::kCompactionStyleLevel;
    engine.max_background_flushes = 1;
    engine.max_background_compactions = 1;
    engine.max_subcompactions = 1;
    // STORE.md: one writer and rising keys in a family: the insert starts where the last one ended.
    engine.allow_concurrent_memtable_write = false;
    engine.enable_write_thread_adaptive_yield = false;
    engine.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
    engine.memtable_whole_key_filtering = true;
    engine.memtable_prefix_bloom_size_ratio = 0.02;
    engine.write_buffer_size = options.write_buffer_bytes;
    engine.max_write_buffer_number = 2;
    engine.max_total_wal_size = 4 * options.write_buffer_bytes;
    engine.compression = rocksdb::kLZ4Compression;
    engine.bottommost_compression = rocksdb::kLZ4Compression;
    engine.target_file_size_base = 16ULL * 1024 * 1024;
    engine.max_bytes_for_level_base = 64ULL * 1024 * 1024;
    engine.level_compaction_dynamic_level_bytes = true;
    engine.max_open_files = options.open_files_max;
    engine.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
    engine.max_log_file_size = 1024ULL * 1024;
    engine.keep_log_file_num = 3;
    engine.stats_dump_period_sec = 0;
    engine.stats_persist_period_sec = 0;
    engine.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(options)));
    return engine;
}

namespace {

std::unexpected<Error> lost(std::string text) {
    return internal_error(ErrorCode::Corrupt, "the disk lost what it had promised: " + text);
}

}  // namespace

Result<RocksFolder> look_into(rocksdb::Env& env, const std::string& folder) {
    RocksFolder found;
    std::vector<std::string> names;
    const rocksdb::Status status = env.GetChildren(folder, &names);
    if (!status.ok() && !status.IsNotFound() && !status.IsPathNotFound()) {
        return std::unexpected(rocks_error(status, "rocksdb folder " + folder));
    }
    for (std::string& name : names) {
        found.has_current = found.has_current || name == "CURRENT";
        found.has_rows = found.has_rows || name.ends_with(".log") || name.ends_with(".sst");
        if (name.ends_with(".log")) {
            found.logs.push_back(std::move(name));
        } else if (name.ends_with(".sst")) {
            found.tables.push_back(std::move(name));
        }
    }
    // Six digits at least, more from the millionth file on.
    const auto by_number = [](const std::string& a, const std::string& b) {
        return a.size() != b.size() ? a.size() < b.size() : a < b;
    };
    std::ranges::sort(found.logs, by_number);
    std::ranges::sort(found.tables, by_number);
    return found;
}

// A power cut leaves of the last record of the engine's list of tables what it likes. The engine
// takes an end that is missing, and refuses one with a hole in it. What is not whole was not
// synced, and what it would have replaced is still there: tables and logs go when it is. If it was
// synced once, and rotted, then those are gone: the engine misses a table, or check_logs() finds a
// table that knows more than the list leads to.
Result<std::shared_ptr<rocksdb::FileSystem>> past_torn_list(rocksdb::Env& env,
                                                            const std::string& folder) {
    std::shared_ptr<rocksdb::FileSystem> files = env.GetFileSystem();
    std::string name;
    std::string list;
    if (!rocksdb::ReadFileToString(&env, folder + "/CURRENT", &name).ok() || name.empty()) {
        return files;  // A new folder, or one that will be refused.
    }
    const std::string path = folder + "/" + name.substr(0, name.find('\n'));
    if (const rocksdb::Status status = rocksdb::ReadFileToString(&env, path, &list); !status.ok()) {
        return std::unexpected(rocks_error(status, "rocksdb list of tables " + path));
    }
    const std::uint64_t whole = whole_engine_records(list);
    if (whole == list.size()) {
        return files;
    }
    probe<"kv.torn_list">();
    log::warn("store.key_list_torn", {{"file", path}, {"octets", list.size() - whole}});
    return with_end(std::move(files), path, whole);
}

std::set<std::string> named_tables(rocksdb::DB& database) {
    std::set<std::string> names;
    std::vector<rocksdb::LiveFileMetaData> tables;
    database.GetLiveFilesMetaData(&tables);
    for (const auto& table : tables) {
        names.insert(table.name.substr(table.name.rfind('/') + 1));
    }
    return names;
}

// Each commit has the row of its number: it is in the table that has the newest of its rows.
std::vector<UnnamedTable> unnamed_tables(const rocksdb::Options& engine, const std::string& folder,
                                         const RocksFolder& names,
                                         const std::set<std::string>& named) {
    std::vector<UnnamedTable> found;
    for (const std::string& name : names.tables) {
        rocksdb::SstFileReader reader(engine);
        if (named.contains(name) || !reader.Open(folder + "/" + name).ok()) {
            continue;  // A power cut leaves tables that are not whole, which nobody missed.
        }
        rocksdb::ReadOptions options;
        options.verify_checksums = true;
        const std::unique_ptr<rocksdb::Iterator> row(reader.NewIterator(options));
        const std::string key = commit_seq_key();
        row->Seek(slice(key));
        const auto seq = row->Valid() && view(row->key()) == key
                             ? decode_commit_seq(view(row->value()))
                             : Result<CommitSeq>(CommitSeq{});
        found.push_back({.name = name, .last_commit = seq ? seq->value() : 0});
    }
    return found;
}

namespace {

Result<std::uint64_t> last_commit_of(rocksdb::DB& database) {
    const auto row = TRY(read(database, read_options(ReadTier::Disk), commit_seq_key()));
    return row ? TRY(decode_commit_seq(*row)).value() : 0;
}

// What the engine would find without its logs.
struct Flushed {
    Result<std::uint64_t> last_commit = 0;  // In tables; 0 before the first.
    std::set<std::string> named{};
};
Result<Flushed> look_at_tables(const rocksdb::Options& engine, const std::string& folder) {
    rocksdb::Options tables = engine;
    const auto env = with_files({std::shared_ptr<void>(), engine.env},
                                without_logs(engine.env->GetFileSystem()));
    tables.env = env.get();
    tables.listeners.clear();
    tables.info_log = make_silent_logger();
    rocksdb::DB* opened = nullptr;
    const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(tables, folder, &opened);
    if (!status.ok()) {
        return std::unexpected(rocks_error(status, "rocksdb open " + folder));
    }
    const std::unique_ptr<rocksdb::DB> database(opened);
    return Flushed{.last_commit = last_commit_of(*database), .named = named_tables(*database)};
}

// What the list does not name goes at the opening. A flush or a compaction that a power cut ended
// leaves such a table too: what that knows is in the log or in the tables it was made of.
Result<> check_unnamed(const rocksdb::Options& engine, const std::string& folder,
                       const RocksFolder& names, const Flushed& flushed, std::uint64_t last) {
    for (const UnnamedTable& table : unnamed_tables(engine, folder, names, flushed.named)) {
        if (table.last_commit > last) {
            probe<"kv.table_unnamed">();
            return lost(folder + "/" + table.name + " has commits up to " +
                        std::to_string(table.last_commit) +
                        ", and the list of tables (MANIFEST), which ends too early, leads to " +
                        std::to_string(last) +
                        ": nothing was changed; godwit fsck --repair reads all tables there are");
        }
    }
    return {};
}

// RELIABILITY.md 3: every log must be whole up to a torn last record, and the commits in them must
// follow on those in the tables and on each other. Gives the last commit that must be there.
Result<std::uint64_t> check_logs(const rocksdb::Options& engine, const std::string& folder) {
    const RocksFolder names = TRY(look_into(*engine.env, folder));
    if (!names.has_current) {
        if (names.has_rows) {
            return lost(folder + " has rows and no CURRENT");
        }
        return 0;
    }
    // What is in no row would go, as what a crash leaves.
    if (engine.env->FileExists(folder + std::string(kIncompleteFile)).ok()) {
        return lost("a repair of " + folder +
                    " did not come to its end: godwit fsck --repair once more");
    }
    const Flushed tables = TRY(look_at_tables(engine, folder));
    const Result<std::uint64_t>& flushed = tables.last_commit;
    std::uint64_t last = flushed.value_or(0);
    if (names.logs.empty()) {
        // An engine that was opened has one, be it empty.
        log::warn("store.key_log_missing", {{"folder", folder}, {"last_commit", last}});
    }
    // A restored store begins with the number that its backup had.
    std::string restored;
    if (rocksdb::ReadFileToString(engine.env, folder + std::string(kRestoredFile), &restored)
            .ok()) {
        const std::uint64_t first = parse_u64(restored).value_or(0);
        last = std::max(last, first == 0 ? 0 : first - 1);
    }
    // After a repair of that row the old one is in tables still; the new one stands in a log.
    if (!flushed && (restored.empty() || flushed.error().code != ErrorCode::Corrupt)) {
        return std::unexpected(flushed.error());
    }
    for (const std::string& name : names.logs) {
        std::string octets;
        const rocksdb::Status status =
            rocksdb::ReadFileToString(engine.env, folder + "/" + name, &octets);
        if (!status.ok()) {
            return std::unexpected(rocks_error(status, "rocksdb log " + name));
        }
        const EngineLog log = read_engine_log(octets, commit_seq_key());
        if (log.is_torn) {
            probe<"kv.torn_log">();
        }
        if (log.is_torn && !log.is_damaged_before_end) {
            // A power cut leaves that of a commit that nobody was promised; a disk that loses the
            // end of what was synced looks the same.
            log::warn("store.key_log_torn", {{"file", folder + "/" + name},
                                             {"last_commit", std::max(last, log.last_commit)}});
        }
        if (log.is_damaged_before_end) {
            return lost(folder + "/" + name + " is damaged before its end");
        }
        if (log.last_commit <= last) {
            continue;  // In tables, or none.
        }
        if (log.first_commit > last + 1) {
            return lost("commits " + std::to_string(last + 1) + " to " +
                        std::to_string(log.first_commit - 1) + " are missing before " + folder +
                        "/" + name);
        }
        last = log.last_commit;
    }
    TRY(check_unnamed(engine, folder, names, tables, last));
    return last;
}

/// What can be read of the logs will be there after a power cut too. The engine moves it into
/// tables now: a commit that was on its way when the program was killed would else be in a table
/// and, after a cut, in no log, which looks like a list of tables that lost its end.
Result<> sync_logs(const rocksdb::Options& engine, const std::string& folder) {
    for (const std::string& name : TRY(look_into(*engine.env, folder)).logs) {
        const std::string path = folder + "/" + name;
        std::unique_ptr<rocksdb::WritableFile> file;
        rocksdb::Status status =
            engine.env->ReopenWritableFile(path, &file, rocksdb::EnvOptions(engine));
        if (status.ok()) {
            status = file->Sync();
        }
        if (status.ok()) {
            status = file->Close();
        }
        if (!status.ok()) {
            return std::unexpected(rocks_error(status, "rocksdb sync " + path));
        }
    }
    return {};
}

Result<bool> is_unfinished_restore(rocksdb::DB& database) {
    const auto row = TRY(read(database, read_options(ReadTier::Disk), format_key()));
    return row && TRY(decode_format(*row)).version == unfinished_restore_format;
}

// What a restore that was cut off has left promised nothing; the store will say what it is.
Result<> check_last_commit(rocksdb::DB& database, std::uint64_t last) {
    const auto row = TRY(read(database, read_options(ReadTier::Disk), commit_seq_key()));
    const std::uint64_t found = row ? TRY(decode_commit_seq(*row)).value() : 0;
    if (found < last && !TRY(is_unfinished_restore(database))) {
        return lost("rocksdb gives commits up to " + std::to_string(found) + " of " +
                    std::to_string(last));
    }
    return {};
}

// The engine starts a thread of a pool with the pool's first job: a system that has no more threads
// to give would end the process then, under load. So they start now.
void start_pools(rocksdb::Env& env) {
    for (const auto pool : {rocksdb::Env::Priority::HIGH, rocksdb::Env::Priority::LOW}) {
        env.Schedule([](void*) {}, nullptr, pool);
    }
}

}  // namespace

std::unique_ptr<Cursor> make_rocks_cursor(std::unique_ptr<rocksdb::Iterator> iterator) {
    return std::make_unique<RocksCursor>(std::move(iterator));
}
Result<std::optional<std::string>> read_row(rocksdb::DB& db, std::string_view key) {
    return read(db, read_options(ReadTier::Disk), key);
}

Result<std::unique_ptr<Kv>> open_rocks(const std::string& folder, const RocksOptions& options,
                                       CommitCheck check_of_commits) {
    check(options.on_fatal != nullptr, "open_rocks_kv needs on_fatal");
    const bool is_strict = check_of_commits == CommitCheck::Strict;
    rocksdb::Options engine = rocks_options(options);
    const auto errors = std::make_shared<ErrorListener>(options.on_fatal);
    engine.listeners.push_back(errors);
    auto kept = std::make_shared<OpenDatabase>();
    const auto base =
        options.env != nullptr
            ? options.env
            : std::shared_ptr<rocksdb::Env>(std::shared_ptr<void>(), rocksdb::Env::Default());
    kept->env = with_files(base, with_names_first(TRY(past_torn_list(*base, folder))));
    engine.env = kept->env.get();
    const std::uint64_t last = is_strict ? TRY(check_logs(engine, folder)) : 0;
    TRY(sync_logs(engine, folder));
    rocksdb::DB* opened = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(engine, folder, &opened);
    if (!status.ok()) {
        return std::unexpected(rocks_error(status, "rocksdb open " + folder));
    }
    kept->db.reset(opened);
    if (options.env == nullptr) {
        start_pools(*rocksdb::Env::Default());
    }
    if (is_strict) {
        TRY(check_last_commit(*opened, last));
    }
    return std::make_unique<RocksKv>(std::shared_ptr<rocksdb::DB>(kept, opened), errors);
}

Result<std::unique_ptr<Kv>> open_rocks_kv(const std::string& folder, RocksOptions options) {
    return open_rocks(folder, options, CommitCheck::Strict);
}

}  // namespace godwit::store
