// Names and descriptors of segment files. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "store/blob/blob.h"
#include "store/blob/file.h"

namespace godwit::store {

/// Numbers with this bit are files of one body ("own-XXXXXXXX"), the others shared
/// ("seg-XXXXXXXX").
inline constexpr std::uint32_t own_segment_bit = 0x80000000U;

class SegmentFiles {
public:
    /// `store` is FormatRow::store, put into each file.
    SegmentFiles(FileSystem* files, std::string folder, std::uint64_t store, BlobSizes sizes);

    [[nodiscard]] FileSystem& files() const { return *files_; }
    [[nodiscard]] std::uint64_t store() const { return store_; }
    [[nodiscard]] const BlobSizes& sizes() const { return sizes_; }
    [[nodiscard]] const std::string& folder() const { return folder_; }
    [[nodiscard]] std::string path(std::uint32_t segment) const;
    /// The number in a file's name; nullopt when it is no segment.
    static std::optional<std::uint32_t> parse_name(std::string_view name);

    /// Numbers already seen are not given again.
    void note(std::uint32_t segment);
    std::uint32_t next_shared() { return next_shared_.fetch_add(1); }
    std::uint32_t next_own() { return next_own_.fetch_add(1) | own_segment_bit; }

    /// An open file; the caller may keep it while it reads, also when it is unlinked meanwhile. At
    /// most BlobSizes::open_files_max stay open. Under Cached, WouldBlock unless open already.
    Result<std::shared_ptr<const File>> reader(std::uint32_t segment, ReadTier tier);
    /// Closes (for new readers) and unlinks.
    Result<> remove(std::uint32_t segment);

private:
    struct Open {
        std::uint32_t segment;
        std::shared_ptr<const File> file;  // Shared with readers that are under way.
    };
    FileSystem* files_;
    std::string folder_;
    std::uint64_t store_;
    BlobSizes sizes_;
    std::atomic<std::uint32_t> next_shared_ = 1;
    std::atomic<std::uint32_t> next_own_ = 1;
    std::mutex mutex_;
    std::list<Open> open_;  // Last used first.
    std::unordered_map<std::uint32_t, std::list<Open>::iterator> by_segment_;
};

}  // namespace godwit::store
