// The copy is made with the name kv.copying and a file UNFINISHED in it. That file goes when the
// copy is durable; then both folders change names in one step. So a kv.copying without the file is
// worth keeping, whichever of the two it is.
#include <rocksdb/db.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <unistd.h>
#include <linux/fs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/log.h"
#include "base/probe.h"
#include "store/kv/key.h"
#include "store/kv/meta.h"
#include "store/kv/rescue.h"
#include "store/kv/rocks_engine.h"
#include "store/kv/rocks_files.h"
#include "store/kv/rocks_log.h"

namespace godwit::store {
namespace {

constexpr std::string_view kCopying = ".copying";
constexpr std::string_view kUnfinished = "/UNFINISHED";
// A batch of the copy.
constexpr std::size_t kCopyOctets = 1024UL * 1024;

std::unexpected<Error> file_error(std::string what, int number) {
    return internal_error(ErrorCode::Io, std::move(what) + ": " + std::strerror(number));
}

Result<> sync_folder(const std::string& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return file_error("open " + folder, errno);
    }
    const int done = ::fsync(descriptor);
    const int number = errno;
    ::close(descriptor);
    return done == 0 ? Result<>() : file_error("sync " + folder, number);
}
std::string above(const std::string& path) {
    return std::filesystem::path(path).parent_path().string();
}

Result<> write_whole(const std::string& path, std::string_view text) {
    const rocksdb::Status status =
        rocksdb::WriteStringToFile(rocksdb::Env::Default(), slice(text), path, true);
    if (!status.ok()) {
        return std::unexpected(rocks_error(status, "write " + path));
    }
    return sync_folder(above(path));
}

Result<> rename_folder(const std::string& from, const std::string& to) {
    return ::rename(from.c_str(), to.c_str()) == 0 ? Result<>()
                                                   : file_error("rename " + from, errno);
}

Result<bool> has_file(const std::string& path) {
    std::error_code error;
    const bool is_there = std::filesystem::exists(path, error);
    return error ? Result<bool>(file_error("look at " + path, error.value())) : is_there;
}

// Gives the damaged folder a name that is free.
Result<std::string> keep_aside(const std::string& folder, const std::string& damaged) {
    for (int number = 1;; ++number) {
        std::string name = folder + ".damaged-" + std::to_string(number);
        std::error_code error;
        if (!std::filesystem::exists(name, error)) {
            TRY(rename_folder(damaged, name));
            TRY(sync_folder(above(folder)));
            return name;
        }
    }
}

// What an earlier repair that was cut off left: half a copy, or the damaged folder after the swap.
Result<> settle_leftovers(const std::string& folder) {
    const std::string copying = folder + std::string(kCopying);
    std::error_code error;
    if (!std::filesystem::exists(copying, error)) {
        return {};
    }
    if (!std::filesystem::exists(folder, error)) {  // Between the two renames of a swap by halves.
        TRY(rename_folder(copying, folder));
        return sync_folder(above(folder));
    }
    const bool is_worth_nothing =
        std::filesystem::exists(copying + std::string(kUnfinished), error) ||
        std::filesystem::is_empty(copying, error);
    if (is_worth_nothing) {
        std::filesystem::remove_all(copying, error);
        return error ? file_error("remove " + copying, error.value()) : Result<>();
    }
    TRY(keep_aside(folder, copying));
    return {};
}

// Both folders change names; gives where the damaged one is then.
Result<std::string> swap_in(const std::string& folder) {
    const std::string copying = folder + std::string(kCopying);
    if (::syscall(SYS_renameat2, AT_FDCWD, copying.c_str(), AT_FDCWD, folder.c_str(),
                  RENAME_EXCHANGE) == 0) {
        TRY(sync_folder(above(folder)));
        return keep_aside(folder, copying);
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return file_error("rename " + copying, errno);
    }
    // A file system that cannot swap: settle_leftovers() ends what is cut off between the two.
    const std::string kept = TRY(keep_aside(folder, folder));
    TRY(rename_folder(copying, folder));
    TRY(sync_folder(above(folder)));
    return kept;
}

// Of logs: what is known of their end.
struct Logs {
    bool is_damaged = false;
    std::uint64_t last_commit = 0;
    std::vector<std::string> remarks;
};
Result<std::string> read_log(const std::string& path) {
    std::string octets;
    const rocksdb::Status status =
        rocksdb::ReadFileToString(rocksdb::Env::Default(), path, &octets);
    if (!status.ok()) {
        return std::unexpected(rocks_error(status, "rocksdb log " + path));
    }
    return octets;
}
Result<Logs> look_at_logs(const std::string& folder, const RocksFolder& names) {
    Logs found;
    std::uint64_t last = 0;
    for (const std::string& name : names.logs) {
        const std::string path = folder + "/" + name;
        const EngineLog log = read_engine_log(TRY(read_log(path)), commit_seq_key());
        if (log.is_damaged_before_end) {
            found.is_damaged = true;
            found.remarks.push_back(path + " is damaged: changes after commit " +
                                    std::to_string(std::max(last, log.last_commit)) + " are lost");
        }
        if (last != 0 && log.first_commit > last + 1) {
            found.remarks.push_back("commits " + std::to_string(last + 1) + " to " +
                                    std::to_string(log.first_commit - 1) + " are missing before " +
                                    path);
        }
        last = std::max(last, log.last_commit);
    }
    found.last_commit = last;
    return found;
}

/// Into a fresh engine, without a log of its own: it counts when it is whole.
class Copy {
public:
    static Result<std::unique_ptr<Copy>> create(rocksdb::Options engine,
                                                const std::string& folder) {
        std::error_code error;
        std::filesystem::create_directory(folder, error);
        if (error) {
            return file_error("make " + folder, error.value());
        }
        TRY(write_whole(folder + std::string(kUnfinished), ""));
        TRY(sync_folder(above(folder)));
        engine.error_if_exists = true;
        rocksdb::DB* opened = nullptr;
        const rocksdb::Status status = rocksdb::DB::Open(engine, folder, &opened);
        if (!status.ok()) {
            return std::unexpected(rocks_error(status, "rocksdb open " + folder));
        }
        auto copy = std::unique_ptr<Copy>(new Copy());
        copy->folder_ = folder;
        copy->database_.reset(opened);
        return copy;
    }
    /// Put so far.
    [[nodiscard]] std::uint64_t rows() const { return rows_; }
    Result<> put(std::string_view key, std::string_view value) {
        ++rows_;
        if (const auto added = batch_.Put(slice(key), slice(value)); !added.ok()) {
            return std::unexpected(rocks_error(added, "rocksdb copy"));
        }
        return batch_.GetDataSize() >= kCopyOctets ? write() : Result<>();
    }
    /// All of it is on disk, and the folder says so.
    Result<> finish() {
        TRY(write());
        const rocksdb::Status flushed = database_->Flush(rocksdb::FlushOptions());
        if (!flushed.ok()) {
            return std::unexpected(rocks_error(flushed, "rocksdb copy"));
        }
        if (const auto closed = database_->Close(); !closed.ok()) {
            return std::unexpected(rocks_error(closed, "rocksdb copy"));
        }
        database_.reset();
        TRY(sync_folder(folder_));
        crash_point<"rescue.copied">();
        std::error_code error;
        std::filesystem::remove(folder_ + std::string(kUnfinished), error);
        return error ? file_error("remove in " + folder_, error.value()) : sync_folder(folder_);
    }

private:
    Copy() = default;
    Result<> write() {
        rocksdb::WriteOptions options;
        options.disableWAL = true;
        const rocksdb::Status status = database_->Write(options, &batch_);
        batch_.Clear();
        return status.ok() ? Result<>() : std::unexpected(rocks_error(status, "rocksdb copy"));
    }
    std::string folder_;
    std::unique_ptr<rocksdb::DB> database_;
    rocksdb::WriteBatch batch_;
    std::uint64_t rows_ = 0;
};

// Rows within what is lost may still be in other tables or in logs: each key that is known from
// there is asked for by itself, which looks no further down than its newest value.
class StrayRows {
public:
    StrayRows(rocksdb::DB* source, Copy* copy, Rescue* rescue)
        : source_(source), copy_(copy), rescue_(rescue) {}

    Result<> from_tables(const rocksdb::Options& engine) {
        std::vector<rocksdb::LiveFileMetaData> tables;
        source_->GetLiveFilesMetaData(&tables);
        for (const auto& table : tables) {
            rocksdb::SstFileReader reader(engine);
            const std::string path = table.db_path + table.name;
            if (!reader.Open(path).ok()) {
                continue;  // Listed already.
            }
            rocksdb::ReadOptions options;
            options.verify_checksums = true;
            options.fill_cache = false;
            const CursorMaker make = [&] {
                return make_rocks_cursor(
                    std::unique_ptr<rocksdb::Iterator>(reader.NewIterator(options)));
            };
            for (const LostRows& lost : rescue_->lost) {
                TRY(from_table(make, lost));
            }
        }
        return {};
    }
    Result<> from_log(std::string_view octets) {
        Result<> done;
        for_each_log_key(octets, [&](std::string_view key) {
            if (done && is_lost(key)) {
                done = ask_for(key);
            }
        });
        return done;
    }

private:
    Result<> from_table(const CursorMaker& make, const LostRows& lost) {
        const Result<> done = each_readable(
            make, lost.after,
            [&](std::string_view key, std::string_view) -> Result<> {
                if (!lost.before.empty() && key >= lost.before) {
                    return internal_error(ErrorCode::Closed, "enough");
                }
                return ask_for(key);
            },
            [](const LostRows&) { return Result<>(); });
        return done || done.error().code == ErrorCode::Closed ? Result<>() : done;
    }
    [[nodiscard]] bool is_lost(std::string_view key) const {
        return std::ranges::any_of(rescue_->lost, [key](const LostRows& lost) {
            return key > lost.after && (lost.before.empty() || key < lost.before);
        });
    }
    Result<> ask_for(std::string_view key) {
        const auto value = read_row(*source_, key);
        if (!value) {
            return is_unreadable(value.error()) ? Result<>() : std::unexpected(value.error());
        }
        if (!*value) {
            return {};
        }
        ++rescue_->saved;
        return copy_->put(key, **value);
    }

    rocksdb::DB* source_;
    Copy* copy_;
    Rescue* rescue_;
};

// Tables that do not open at all: each is many rows.
std::vector<std::string> lost_tables(const rocksdb::Options& reader, rocksdb::DB& source) {
    std::vector<std::string> lost;
    std::vector<rocksdb::LiveFileMetaData> tables;
    source.GetLiveFilesMetaData(&tables);
    for (const auto& table : tables) {
        const std::string path = table.db_path + table.name;
        if (const auto opened = rocksdb::SstFileReader(reader).Open(path); !opened.ok()) {
            lost.push_back(path + " cannot be opened, its " + std::to_string(table.num_entries) +
                           " rows are lost: " + opened.ToString());
        }
    }
    return lost;
}

Result<> copy_rows(rocksdb::DB& source, Copy& copy, Rescue& rescue) {
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    options.fill_cache = false;
    return each_readable(
        [&] {
            return make_rocks_cursor(
                std::unique_ptr<rocksdb::Iterator>(source.NewIterator(options)));
        },
        std::string_view(),
        [&](std::string_view key, std::string_view value) { return copy.put(key, value); },
        [&](LostRows lost) {
            probe<"kv.rows_lost">();
            rescue.lost.push_back(std::move(lost));
            return Result<>();
        });
}

Result<> rescue_rows(const rocksdb::Options& engine, const rocksdb::Options& reader,
                     rocksdb::DB& source, const std::string& folder, LostTables lost_tables_are,
                     Rescue& rescue) {
    const std::vector<std::string> lost = lost_tables(reader, source);
    if (!lost.empty() && lost_tables_are == LostTables::Refused) {
        return internal_error(ErrorCode::Corrupt,
                              lost.front() +
                                  "; restore a backup, or give up those rows with "
                                  "--drop-lost");
    }
    rescue.remarks.insert(rescue.remarks.end(), lost.begin(), lost.end());
    const auto copy = TRY(Copy::create(engine, folder + std::string(kCopying)));
    TRY(copy_rows(source, *copy, rescue));
    StrayRows strays(&source, copy.get(), &rescue);
    TRY(strays.from_tables(reader));
    for (const std::string& name : TRY(look_into(*engine.env, folder)).logs) {
        TRY(strays.from_log(TRY(read_log(folder + "/" + name))));
    }
    if (copy->rows() == 0) {
        return internal_error(ErrorCode::Corrupt,
                              "no row in " + folder + " can be read: restore a backup");
    }
    return copy->finish();
}

// Whole tables that the list does not name and that must not go: one knows a later commit than what
// the list leads to, or took the place of one that the list names and that is not there.
std::vector<UnnamedTable> worth_naming(const rocksdb::Options& reader, rocksdb::DB& source,
                                       const std::string& folder, const RocksFolder& names,
                                       const Logs& logs) {
    const std::set<std::string> named = named_tables(source);
    std::vector<UnnamedTable> unnamed = unnamed_tables(reader, folder, names, named);
    const bool is_one_missing = !std::ranges::all_of(named, [&](const std::string& name) {
        return std::ranges::find(names.tables, name) != names.tables.end();
    });
    const auto row = read_row(source, commit_seq_key());
    const auto seq = row && *row ? decode_commit_seq(**row) : Result<CommitSeq>(CommitSeq{});
    const std::uint64_t last = std::max(logs.last_commit, seq ? seq->value() : 0);
    const bool is_one_later = std::ranges::any_of(
        unnamed, [&](const UnnamedTable& table) { return table.last_commit > last; });
    return is_one_later || is_one_missing ? std::move(unnamed) : std::vector<UnnamedTable>();
}

Result<> sync_file(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return file_error("open " + path, errno);
    }
    const int done = ::fsync(descriptor);
    const int number = errno;
    ::close(descriptor);
    return done == 0 ? Result<>() : file_error("sync " + path, number);
}

// Tables and logs under further names in the copy's folder: none of them is written to again.
Result<> link_rows(const std::string& folder, const std::string& copying,
                   const RocksFolder& names) {
    for (const auto* list : {&names.tables, &names.logs}) {
        for (const std::string& name : *list) {
            const std::string from = folder + "/" + name;
            const std::string to = copying + "/" + name;
            std::error_code error;
            std::filesystem::create_hard_link(from, to, error);
            if (error) {  // A file system without.
                std::filesystem::copy_file(from, to, error);
            }
            if (error) {
                return file_error("link " + from, error.value());
            }
        }
    }
    return {};
}

// A fresh engine, made of all tables and logs in the folder: for a list that is not whole. What is
// newer is told by the numbers of the rows, as always.
Result<> rebuild_list(rocksdb::Options engine, const std::string& folder, const RocksFolder& names,
                      LostTables lost_tables_are, Rescue& rescue) {
    const std::string copying = folder + std::string(kCopying);
    std::error_code error;
    std::filesystem::create_directory(copying, error);
    if (error) {
        return file_error("make " + copying, error.value());
    }
    TRY(write_whole(copying + std::string(kUnfinished), ""));
    TRY(sync_folder(above(copying)));
    TRY(link_rows(folder, copying, names));
    const rocksdb::Status repaired = rocksdb::RepairDB(copying, engine);
    if (!repaired.ok()) {
        return std::unexpected(rocks_error(repaired, "rocksdb repair " + folder));
    }
    // What the engine could not take it put aside; all of it is in the damaged folder.
    const std::string aside = copying + "/lost";
    for (const std::string& name : names.tables) {
        if (!std::filesystem::exists(aside + "/" + name, error)) {
            continue;
        }
        rescue.remarks.push_back(folder + "/" + name + " cannot be read, its rows are lost");
        if (lost_tables_are == LostTables::Refused) {
            return internal_error(ErrorCode::Corrupt,
                                  rescue.remarks.back() +
                                      "; restore a backup, or give up those rows with --drop-lost");
        }
    }
    std::filesystem::remove_all(aside, error);
    for (const auto& entry : std::filesystem::directory_iterator(copying, error)) {
        TRY(sync_file(entry.path().string()));
    }
    TRY(sync_folder(copying));
    crash_point<"rescue.copied">();
    std::filesystem::remove(copying + std::string(kUnfinished), error);
    TRY(error ? file_error("remove in " + copying, error.value()) : sync_folder(copying));
    probe<"kv.list_rebuilt">();
    rescue.remarks.push_back(
        folder +
        ": the list of tables (MANIFEST) did not name all of them; it was made anew from the " +
        std::to_string(names.tables.size()) + " there are: rows erased before may be there again");
    return {};
}

// True when all that is in tables can be read.
Result<bool> is_whole(rocksdb::DB& source) {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    const rocksdb::Status status = source.VerifyChecksum(options);
    if (status.ok()) {
        return true;
    }
    Error error = rocks_error(status, "rocksdb checksums");
    return is_unreadable(error) ? Result<bool>(false) : std::unexpected(std::move(error));
}

}  // namespace

Result<RescuedKv> open_rocks_kv_for_repair(const std::string& folder, RocksOptions options,
                                           LostTables lost_tables) {
    TRY(settle_leftovers(folder));
    RescuedKv rescued;
    rocksdb::Options engine = rocks_options(options);
    const std::shared_ptr<rocksdb::Env> machine(std::shared_ptr<void>(), rocksdb::Env::Default());
    const auto env = with_files(machine, TRY(past_torn_list(*machine, folder)));
    engine.env = env.get();
    engine.info_log = make_silent_logger();
    const RocksFolder names = TRY(look_into(*engine.env, folder));
    if (!names.has_current && names.has_rows) {
        return internal_error(ErrorCode::Corrupt, folder + " has rows and no CURRENT");
    }
    if (names.has_current) {
        Logs logs = TRY(look_at_logs(folder, names));
        rescued.rescue.remarks = std::move(logs.remarks);
        rocksdb::Options reader = engine;
        reader.create_if_missing = false;
        reader.paranoid_checks = false;  // A table that cannot be opened costs its own rows.
        // Filters only save time: one that is damaged costs nothing.
        rocksdb::BlockBasedTableOptions table;
        table.cache_index_and_filter_blocks = false;
        reader.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
        rocksdb::DB* opened = nullptr;
        const auto status = rocksdb::DB::OpenForReadOnly(reader, folder, &opened);
        std::unique_ptr<rocksdb::DB> source(opened);
        // A list that makes no sense, with tables there.
        const bool is_listless = status.IsCorruption() && !names.tables.empty();
        if (!status.ok() && !is_listless) {
            return std::unexpected(rocks_error(status, "rocksdb open " + folder));
        }
        const bool must_relist =
            is_listless || !worth_naming(reader, *source, folder, names, logs).empty();
        const bool must_move = must_relist || logs.is_damaged || !TRY(is_whole(*source));
        const Result<> copied =
            must_relist ? rebuild_list(engine, folder, names, lost_tables, rescued.rescue)
            : must_move ? rescue_rows(engine, reader, *source, folder, lost_tables, rescued.rescue)
                        : Result<>();
        source.reset();
        if (!copied) {
            // Gives its room back; if not now, then at the next try.
            (void)settle_leftovers(folder);
            return std::unexpected(copied.error());
        }
        const Rescue& found = rescued.rescue;
        rescued.rescue.are_rows_missing = !found.lost.empty() || !found.remarks.empty() ||
                                          TRY(has_file(folder + std::string(kIncompleteFile)));
        if (must_move) {
            if (rescued.rescue.are_rows_missing) {
                TRY(write_whole(folder + std::string(kCopying) + std::string(kIncompleteFile), ""));
            }
            crash_point<"rescue.before_swap">();
            rescued.rescue.kept = TRY(swap_in(folder));
            crash_point<"rescue.after_swap">();
            log::warn("store.keys_rescued", {{"damaged_folder", rescued.rescue.kept}});
        }
    }
    rescued.kv = TRY(open_rocks(folder, options, CommitCheck::None));
    return rescued;
}

Result<> end_rescue(const std::string& folder) {
    std::error_code error;
    std::filesystem::remove(folder + std::string(kIncompleteFile), error);
    return error ? file_error("remove in " + folder, error.value()) : sync_folder(folder);
}

Result<> allow_first_commit(const std::string& folder, CommitSeq first) {
    const std::string path = folder + std::string(kRestoredFile);
    const std::string fresh = path + ".new";
    TRY(write_whole(fresh, std::to_string(first.value())));
    TRY(rename_folder(fresh, path));
    return sync_folder(folder);
}

}  // namespace godwit::store
