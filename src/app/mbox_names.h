// How an export calls the mbox files of folders, and how an import reads the names back:
// "Work/2024" is Work/2024.mbox; octets that a file should not have are %XX, dots as well, so that
// no folder looks like a file.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace godwit::app {

/// "Work/2024.mbox".
std::string mbox_path(std::string_view folder);
/// "Work/2024" of "Work/2024.mbox"; of a file of another name, the name.
std::string mbox_folder(std::string_view path);

}  // namespace godwit::app
