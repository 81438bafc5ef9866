// Small whole files: configuration, certificates, standard input. Blocking.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::app {

/// The whole file, or standard input for "-". Peer error naming the path when it cannot be read or
/// is larger than `size_max`.
Result<std::string> read_file(const std::string& path, std::size_t size_max);
/// Reads `fd` to its end.
Result<std::string> read_all(int fd, std::string_view name, std::size_t size_max);
/// Makes or replaces the file whole (a temporary name beside it, synced, renamed). `mode` as for
/// chmod.
Result<> write_file(const std::string& path, std::string_view content, mode_t mode);
/// Makes the folder, with just that mode, and those above it. Nothing when it is there.
Result<> make_folder(const std::string& path, mode_t mode);
bool file_exists(const std::string& path);
bool is_readable(const std::string& path);
/// Writes all of it, waiting as long as it takes; false when the other side is gone.
bool write_all(int fd, std::string_view bytes);

}  // namespace godwit::app
