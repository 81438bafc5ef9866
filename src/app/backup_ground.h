// Where the machine keeps backups: its files, and what its folders are really called.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "serve/admin/api.h"

namespace godwit::app {

serve::BackupGround backup_ground();

/// Something that lies in the folder, file or folder, whatever it is called but for `except` and
/// "lost+found", which every new disk has. nullopt when there is nothing, or no such folder.
std::optional<std::string> something_in(const std::string& folder,
                                        std::initializer_list<std::string_view> except);

}  // namespace godwit::app
