// Reads a backup whole and says of every promise how often it was checked and how often it did not
// hold. Needs neither server nor configuration, and changes nothing. Law: docs/storage.md
// "Backups".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/backup/folder.h"

namespace godwit::store {

/// Rows or files named of each check.
inline constexpr std::size_t backup_examples_max = 10;

struct BackupFinding {
    std::string check;
    std::uint64_t checked = 0;
    std::uint64_t faults = 0;
    std::vector<std::string> examples;
};

struct BackupReport {
    std::string generation;
    BackupManifest manifest;  ///< Without parts.
    std::vector<BackupFinding> findings;
    [[nodiscard]] bool is_good() const;
};

/// Of the named backup, or the newest. Memory: the key file's index and the list of parts. Blocks
/// on the disk for as long as reading everything twice takes. NotFound, Unsupported; Corrupt when
/// identity or manifest do not hold, so that nothing else can be looked at.
Result<BackupReport> verify_backup(FileSystem* files, const std::string& folder,
                                   const std::optional<std::string>& generation);

}  // namespace godwit::store
