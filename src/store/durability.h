// What an acknowledgement is worth on this disk, in words for people.
#pragma once

#include <string>
#include <string_view>

namespace godwit::store {

enum class DurabilityLevel : std::uint8_t {
    Synced,    ///< Acknowledged means synced, on a disk that keeps what it synced.
    Unknown,   ///< Synced, but the file system is another machine's or a program's: its promise.
    Volatile,  ///< The disk forgets (tmpfs), or its barriers are switched off.
};

struct Durability {
    DurabilityLevel level = DurabilityLevel::Volatile;
    std::string file_system;  ///< "ext4"; "memory" for a store without files.
    std::string remark;       ///< Why it is not Synced; empty when it is.
};

/// "synced", "unknown", "volatile": an interface.
std::string_view to_string(DurabilityLevel level);

/// Asks the system what holds `folder`, which exists.
Durability durability_of(const std::string& folder);

/// The part of it that reads the system's table of mounts (proc_pid_mountinfo(5)): type and options
/// of the mount that holds `path`, which is absolute.
Durability durability_by_mounts(std::string_view mountinfo, std::string_view path);

}  // namespace godwit::store
