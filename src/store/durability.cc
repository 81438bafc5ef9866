#include "store/durability.h"

#include <array>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

#include "base/ascii.h"

namespace godwit::store {
namespace {

constexpr auto kForget = std::to_array<std::string_view>({"tmpfs", "ramfs", "devtmpfs"});
// Disks of other machines, and programs that play file system.
constexpr auto kElsewhere = std::to_array<std::string_view>(
    {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "virtiofs", "fuse", "fuseblk"});

/// A word of the table, with its octal escapes (\040 is a space) undone.
std::string plain(std::string_view word) {
    std::string out;
    for (std::size_t i = 0; i < word.size(); ++i) {
        const auto is_octal = [&](std::size_t at) { return word[at] >= '0' && word[at] <= '7'; };
        if (word[i] == '\\' && i + 3 < word.size() && is_octal(i + 1) && is_octal(i + 2) &&
            is_octal(i + 3)) {
            out += static_cast<char>((word[i + 1] - '0') * 64 + (word[i + 2] - '0') * 8 +
                                     (word[i + 3] - '0'));
            i += 3;
        } else {
            out += word[i];
        }
    }
    return out;
}

bool is_below(std::string_view path, std::string_view mount) {
    return mount == "/" ||
           (path.starts_with(mount) && (path.size() == mount.size() || path[mount.size()] == '/'));
}

bool has_option(std::string_view options, std::string_view wanted) {
    for (const std::string_view option : split(options, ',')) {
        if (option == wanted) {
            return true;
        }
    }
    return false;
}

Durability judge(std::string type, std::string_view options) {
    Durability found{.level = DurabilityLevel::Synced, .file_system = type, .remark = ""};
    const std::string_view family = std::string_view(type).substr(0, type.find('.'));
    if (std::ranges::find(kForget, family) != kForget.end()) {
        found.level = DurabilityLevel::Volatile;
        found.remark = type + " is memory: nothing survives a restart of the machine";
    } else if (has_option(options, "nobarrier") || has_option(options, "barrier=0")) {
        found.level = DurabilityLevel::Volatile;
        found.remark = "mounted without barriers: a power cut may take what was acknowledged";
    } else if (std::ranges::find(kElsewhere, family) != kElsewhere.end()) {
        found.level = DurabilityLevel::Unknown;
        found.remark = type + ": acknowledged mail is as safe as that file system's sync";
    }
    return found;
}

}  // namespace

std::string_view to_string(DurabilityLevel level) {
    switch (level) {
        case DurabilityLevel::Synced: return "synced";
        case DurabilityLevel::Unknown: return "unknown";
        case DurabilityLevel::Volatile: return "volatile";
    }
    return "unknown";
}

Durability durability_by_mounts(std::string_view mountinfo, std::string_view path) {
    Durability found{
        .level = DurabilityLevel::Unknown, .file_system = "", .remark = "no mount is known for it"};
    std::size_t longest = 0;
    for (const std::string_view line : split(mountinfo, '\n')) {
        const auto words = split(line, ' ');
        std::size_t dash = 6;  // Optional fields end with a word "-".
        while (dash < words.size() && words[dash] != "-") {
            ++dash;
        }
        if (dash + 3 >= words.size()) {
            continue;
        }
        const std::string mount = plain(words[4]);
        // The last of equal ones is on top.
        if (is_below(path, mount) && mount.size() >= longest) {
            longest = mount.size();
            found = judge(std::string(words[dash + 1]),
                          std::string(words[5]) + "," + std::string(words[dash + 3]));
        }
    }
    return found;
}

Durability durability_of(const std::string& folder) {
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(folder.c_str(), nullptr),
                                                           &std::free);
    std::ifstream table("/proc/self/mountinfo", std::ios::binary);
    std::stringstream text;
    text << table.rdbuf();
    return durability_by_mounts(text.str(), real ? real.get() : folder.c_str());
}

}  // namespace godwit::store
