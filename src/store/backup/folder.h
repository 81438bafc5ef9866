// A backup folder: one store's backups, each a manifest and a file of keys, with parts of segment
// files that all of them share.
//     GODWIT-BACKUP                      whose it is
//     20260131T100000.123Z.manifest      one backup, complete
//     20260131T100000.123Z.keys          its rows
//     segments/seg-0000002a.0-1048576    octets of a segment file
//     LOCK                               held by the one process that writes
// Law: docs/storage.md "Backups". One thread at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/backup/format.h"
#include "store/backup/key_file.h"
#include "store/blob/blob.h"
#include "store/blob/file.h"

namespace godwit::store {

class BackupFolder {
public:
    /// For reading: nothing is written, nobody is kept out. NotFound when there is no backup;
    /// Corrupt; Unsupported.
    static Result<BackupFolder> open(FileSystem* files, std::string path);
    /// For writing: makes the folder if there is none, and keeps other writers out while it lives.
    /// Denied when it holds another store's backups or something else.
    static Result<BackupFolder> open_for_writing(FileSystem* files, std::string path,
                                                 std::uint64_t store);

    [[nodiscard]] FileSystem& files() const { return *files_; }
    [[nodiscard]] std::uint64_t store() const { return identity_.store; }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string keys_path(std::string_view generation) const;
    [[nodiscard]] std::string manifest_path(std::string_view generation) const;
    [[nodiscard]] std::string segments_path() const { return path_ + "/segments"; }
    [[nodiscard]] std::string part_path(const BackupPart& part) const;

    /// Complete backups, oldest first.
    [[nodiscard]] Result<std::vector<std::string>> generations() const;
    /// The named one, or the newest. NotFound.
    [[nodiscard]] Result<std::string> pick(const std::optional<std::string>& generation) const;
    [[nodiscard]] Result<BackupManifest> load(const std::string& generation) const;

    /// Writers: removes what an interrupted run or a removed backup left. Parts stay while a
    /// manifest cannot be read: it may name them.
    Result<std::size_t> remove_leftovers();
    /// Writers: all but the newest `keep` and the newest without damaged rows.
    Result<std::size_t> remove_old(std::size_t keep);
    /// Writers: makes or replaces a file in one step.
    Result<> write_whole(const std::string& path, std::string_view content);

private:
    BackupFolder(FileSystem* files, std::string path) : files_(files), path_(std::move(path)) {}
    Result<> make(std::uint64_t store);

    FileSystem* files_;
    std::string path_;
    BackupIdentity identity_;
    std::unique_ptr<FileHold> hold_;
};

/// The segment files of one backup, put together from their parts. One thread.
class BackupSegments {
public:
    /// Both outlive it.
    BackupSegments(const BackupFolder* folder, const BackupManifest* manifest);

    /// Octets of the segment that the backup holds; 0 when it has none of it.
    [[nodiscard]] std::uint64_t size(std::uint32_t segment) const;
    [[nodiscard]] std::vector<BackupPart> parts(std::uint32_t segment) const;
    [[nodiscard]] std::vector<std::uint32_t> numbers() const;
    Result<std::string> read(std::uint32_t segment, std::uint64_t offset, std::size_t length);
    /// Hands the body of a row X to `take`, at most a MiB at a time, and compares its hash.
    /// Corrupt.
    Result<> read_body(const BlobId& id, const BlobLocation& location,
                       const std::function<Result<>(std::string_view)>& take);

private:
    Result<const File*> file(const BackupPart& part);

    const BackupFolder* folder_;
    const BackupManifest* manifest_;
    std::map<std::string, std::unique_ptr<File>, std::less<>> open_;
};

/// Octets of a whole file that is not larger than `size_max`.
Result<std::string> read_whole(FileSystem& files, const std::string& path, std::uint64_t size_max);

/// SHA-256 of a file, read a MiB at a time.
Result<Sha256Digest> hash_file(FileSystem& files, const std::string& path, std::uint64_t size);

}  // namespace godwit::store
