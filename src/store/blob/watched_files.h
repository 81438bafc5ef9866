// Files that tell when a sync fails, whoever asked for it.
// What a failed sync leaves on the disk is unknown, and the next one may say yes to it (a folder is
// synced by many): none is believed any more. RELIABILITY.md 1, 3.
#pragma once

#include <functional>
#include <memory>

#include "store/blob/file.h"

namespace godwit::store {

/// `files` outlives it. `on_failed_sync`: any thread; outlives all files opened.
std::unique_ptr<FileSystem> watch_files(FileSystem* files,
                                        std::function<void(const Error&)> on_failed_sync);

}  // namespace godwit::store
