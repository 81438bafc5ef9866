// The files that bodies live in: the few calls that the blob store makes, and nothing more.
// A seam (virtual): the system's in production, memory with a crash model in tests; a faulty one is
// put under the store by the reliability tests. Law: RELIABILITY.md 5.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/kv/kv.h"

namespace godwit::store {

/// An open file. Reading from any thread; writing and syncing by one thread at a time.
class File {
public:
    virtual ~File() = default;
    /// Puts all pieces, in order, at `offset`.
    [[nodiscard]] virtual Result<> write_at(std::uint64_t offset,
                                            std::span<const std::string_view> pieces) = 0;
    /// Appends to `out` up to `length` octets from `offset`; fewer only at the end of the file.
    /// WouldBlock under Cached when the page cache does not hold all of it.
    [[nodiscard]] virtual Result<> read_at(std::uint64_t offset, std::size_t length, ReadTier tier,
                                           std::string& out) const = 0;
    /// Data and size are on disk (fdatasync).
    [[nodiscard]] virtual Result<> sync() = 0;
    [[nodiscard]] virtual Result<std::uint64_t> size() const = 0;
};

enum class OpenMode : std::uint8_t {
    Read,
    Create,  ///< For writing and reading; fails when the name is taken.
};

/// A file that one process holds; see FileSystem::hold.
class FileHold {
public:
    virtual ~FileHold() = default;
};

/// Names are paths. Callable from any thread.
class FileSystem {
public:
    virtual ~FileSystem() = default;
    /// NotFound, AlreadyExists, Io.
    [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path,
                                                             OpenMode mode) = 0;
    /// Done also when the name is not there.
    [[nodiscard]] virtual Result<> unlink(const std::string& path) = 0;
    /// Gives a file another name in one step, in place of a file that has that name. Durable after
    /// sync_folder().
    [[nodiscard]] virtual Result<> rename(const std::string& from, const std::string& to) = 0;
    /// Makes a folder and those above it; done also when it is there. The names of those that were
    /// made are on disk.
    [[nodiscard]] virtual Result<> make_folder(const std::string& path) = 0;
    /// Names made and unlinked in the folder are on disk.
    [[nodiscard]] virtual Result<> sync_folder(const std::string& path) = 0;
    /// Names of the files in a folder, in byte order.
    [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
    /// Octets an ordinary process may still write where `path` is.
    [[nodiscard]] virtual Result<std::uint64_t> free_space(const std::string& path) = 0;
    /// Makes the file and has this process hold it until the handle dies. Unavailable, naming the
    /// other process, when one holds it.
    [[nodiscard]] virtual Result<std::unique_ptr<FileHold>> hold(const std::string& path) = 0;
    /// Makes a file that takes up `size` octets; leaves none behind when there is no room
    /// (DiskFull).
    [[nodiscard]] virtual Result<> reserve(const std::string& path, std::uint64_t size) = 0;
};

/// The machine's. Lives as long as the process.
FileSystem& system_files();

}  // namespace godwit::store
