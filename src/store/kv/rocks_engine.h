// What the files of the engine's door share: the profile, errors, what lies in its folder.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/iterator.h>
#include <rocksdb/options.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/kv/kv.h"

namespace godwit::store {

/// Below the engine's folder while a repair after lost rows has not come to its end.
inline constexpr std::string_view kIncompleteFile = "/INCOMPLETE";

inline rocksdb::Slice slice(std::string_view bytes) {
    return {bytes.data(), bytes.size()};
}
Error rocks_error(const rocksdb::Status& status, std::string_view what);

/// The profile of RELIABILITY.md 3, without environment and listeners.
rocksdb::Options rocks_options(const RocksOptions& options);

struct RocksFolder {
    std::vector<std::string> logs;    ///< In the order of their numbers.
    std::vector<std::string> tables;  ///< In the order of their numbers.
    bool has_current = false;
    bool has_rows = false;  ///< Tables or logs.
};
/// Nothing is in a folder that is not there.
Result<RocksFolder> look_into(rocksdb::Env& env, const std::string& folder);

/// The files of `env`, where the engine's list of tables ends before a last record that is not
/// whole.
Result<std::shared_ptr<rocksdb::FileSystem>> past_torn_list(rocksdb::Env& env,
                                                            const std::string& folder);

/// Names of the tables that the engine's list has.
std::set<std::string> named_tables(rocksdb::DB& database);
/// A whole table in the folder that the engine's list does not have.
struct UnnamedTable {
    std::string name;
    std::uint64_t last_commit = 0;  ///< The newest whose number it has; 0: none.
};
std::vector<UnnamedTable> unnamed_tables(const rocksdb::Options& engine, const std::string& folder,
                                         const RocksFolder& names,
                                         const std::set<std::string>& named);

/// Walks with `iterator`, which `upper` (the caller's) bounds already.
std::unique_ptr<Cursor> make_rocks_cursor(std::unique_ptr<rocksdb::Iterator> iterator);
/// The newest value of a key, checksums looked at.
Result<std::optional<std::string>> read_row(rocksdb::DB& db, std::string_view key);

enum class CommitCheck : std::uint8_t { Strict, None };
/// Like open_rocks_kv(); without the check whatever commits are there, and whatever they call
/// themselves.
Result<std::unique_ptr<Kv>> open_rocks(const std::string& folder, const RocksOptions& options,
                                       CommitCheck check);

}  // namespace godwit::store
