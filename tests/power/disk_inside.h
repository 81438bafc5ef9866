// The inside of the lying disk, for the file that cuts its power. Private to tests/power/disk*.
#pragma once

#include <algorithm>

#include "power/disk.h"

namespace godwit::power {

inline std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

struct Disk::Node {
    struct Write {
        std::uint64_t offset = 0;
        std::string octets;
        bool is_truncation = false;
    };
    std::string path;  // Where it was made, for messages.
    bool is_folder = false;
    std::string now;
    std::string durable;
    std::vector<Write> unsynced;

    static void put(std::string& content, const Write& write) {
        if (write.is_truncation) {
            content.resize(write.offset);
            return;
        }
        const std::size_t end = write.offset + write.octets.size();
        if (content.size() < end) {
            content.resize(end);
        }
        std::ranges::copy(write.octets,
                          content.begin() + static_cast<std::ptrdiff_t>(write.offset));
    }
    void take(Write write) {
        put(now, write);
        unsynced.push_back(std::move(write));
    }
};

struct Disk::NameChange {
    enum class Kind : std::uint8_t { Make, Unlink, Rename } kind = Kind::Make;
    std::string path;
    std::string target;  // Rename.
    File node;
};

}  // namespace godwit::power
