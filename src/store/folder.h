// A store in a folder of this machine: RocksDB for the keys, files for the bodies.
#pragma once

#include <string>

#include "store/store.h"

namespace godwit::store {

struct FolderOptions {
    std::uint64_t cache_bytes = 32ULL * 1024 * 1024;         ///< See RocksOptions.
    std::uint64_t write_buffer_bytes = 16ULL * 1024 * 1024;  ///< See RocksOptions.
    int key_files_open_max = 256;                            ///< See RocksOptions.
};

/// Sets what `options` needs to open <folder> on the disk (files, folder, open_kv, judge_disk),
/// driven by its own thread.
void keep_in_folder(StoreOptions& options, std::string folder, FolderOptions how = {});

}  // namespace godwit::store
