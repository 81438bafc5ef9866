// What is put between the engine and its files. Part of the door of RocksDB.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <cstdint>
#include <memory>
#include <string>

namespace godwit::store {

/// `base` with other files. Time and threads are those of `base`, which it keeps.
std::shared_ptr<rocksdb::Env> with_files(std::shared_ptr<rocksdb::Env> base,
                                         std::shared_ptr<rocksdb::FileSystem> files);

/// Before CURRENT is moved to its name the folder is synced: the engine syncs it only afterwards,
/// so that the new CURRENT might be there without the MANIFEST it names.
std::shared_ptr<rocksdb::FileSystem> with_names_first(std::shared_ptr<rocksdb::FileSystem> files);

/// Without the engine's logs: what is in its tables alone.
std::shared_ptr<rocksdb::FileSystem> without_logs(std::shared_ptr<rocksdb::FileSystem> files);

/// The file `path` ends after `size` octets, for who reads it.
std::shared_ptr<rocksdb::FileSystem> with_end(std::shared_ptr<rocksdb::FileSystem> files,
                                              std::string path, std::uint64_t size);

/// Says nothing.
std::shared_ptr<rocksdb::Logger> make_silent_logger();

}  // namespace godwit::store
