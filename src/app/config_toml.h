// TOML text as a flat list of entries with their lines. config_toml.cc is the door of toml++.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/config_keys.h"

namespace godwit::app {

struct TomlEntry {
    std::string table;      ///< Name of the [[table]] it stands in, or empty.
    std::size_t index = 0;  ///< Which [[table]] of that name, from 0.
    std::string path;       ///< "limits.message_size"; within a [[table]] "protocol". Empty: the
                            ///< header of the [[table]] itself.
    std::uint32_t line = 0;
    ConfigValue value;
};

struct TomlError {
    std::uint32_t line = 0;
    std::string text;
};

struct TomlText {
    std::vector<TomlEntry> entries;  ///< In the order of their lines.
    std::vector<TomlError> errors;   ///< Not empty: the text is no TOML, or goes past our bounds.
};

/// At most limits::config_file_size_max octets and config_entries_max entries.
TomlText parse_toml(std::string_view text);

}  // namespace godwit::app
