// Files in memory with a power switch: what was not synced may be gone after crash().
// For tests and the simulator. Law: RELIABILITY.md 5.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/random.h"
#include "store/blob/file.h"

namespace godwit::store {

class MemoryFiles final : public FileSystem {
public:
    MemoryFiles();
    ~MemoryFiles() override;

    [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path,
                                                     OpenMode mode) override;
    [[nodiscard]] Result<> unlink(const std::string& path) override;
    [[nodiscard]] Result<> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] Result<> make_folder(const std::string& path) override;
    [[nodiscard]] Result<> sync_folder(const std::string& path) override;
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& path) override;
    [[nodiscard]] Result<std::uint64_t> free_space(const std::string& path) override;
    [[nodiscard]] Result<std::unique_ptr<FileHold>> hold(const std::string& path) override;
    /// The file has no content here.
    [[nodiscard]] Result<> reserve(const std::string& path, std::uint64_t size) override;

    /// The power fails: names made or unlinked since sync_folder() may be as before, unsynced
    /// writes may be lost or torn; `random` chooses. Files that are open write nowhere any more.
    void crash(Random& random);
    /// Of synced and unsynced content; for damage tests.
    [[nodiscard]] std::string content(const std::string& path) const;
    void set_content(const std::string& path, std::string content);
    void set_free_space(std::uint64_t octets);
    [[nodiscard]] std::uint64_t syncs() const;

    struct Content;

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Content>> names_;
    std::map<std::string, std::shared_ptr<Content>> synced_names_;
    std::uint64_t free_space_ = ~std::uint64_t{0};
    std::set<std::string> held_;
};

}  // namespace godwit::store
