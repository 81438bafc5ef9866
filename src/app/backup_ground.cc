#include "app/backup_ground.h"

#include <algorithm>
#include <filesystem>

#include "store/backup/format.h"
#include "store/blob/file.h"

namespace godwit::app {
namespace {

namespace fs = std::filesystem;

/// As far as the path exists: two names of one folder must not look like two folders.
Result<std::string> real_path(const std::string& path) {
    std::error_code problem;
    fs::path real = fs::weakly_canonical(fs::absolute(path, problem), problem);
    if (problem) {
        return peer_error(ErrorCode::Invalid, "'" + path + "': " + problem.message());
    }
    if (!real.has_filename()) {
        real = real.parent_path();
    }
    return real.string();
}

/// Folders in it count too. One that cannot be looked into is told by what comes next.
bool is_taken(const std::string& folder) {
    std::error_code problem;
    const auto has = [&](std::string_view name) {
        return fs::exists(folder + "/" + std::string(name), problem);
    };
    return something_in(folder, {}) && !has(store::backup_identity_name) && !has("LOCK");
}

}  // namespace

std::optional<std::string> something_in(const std::string& folder,
                                        std::initializer_list<std::string_view> except) {
    std::error_code problem;
    fs::directory_iterator entry(folder, problem);
    for (; !problem && entry != fs::directory_iterator(); entry.increment(problem)) {
        std::string name = entry->path().filename().string();
        if (name != "lost+found" && std::ranges::find(except, name) == except.end()) {
            return name;
        }
    }
    return std::nullopt;
}

serve::BackupGround backup_ground() {
    return {.files = &store::system_files(), .real_path = real_path, .is_taken = is_taken};
}

}  // namespace godwit::app
