#include "store/blob/watched_files.h"

namespace godwit::store {
namespace {

// Shared by the file system and its open files: a reader keeps a file past the store.
using Tell = std::shared_ptr<const std::function<void(const Error&)>>;

Result<> told(Result<> synced, const Tell& tell) {
    if (!synced) {
        (*tell)(synced.error());
    }
    return synced;
}

class WatchedFile final : public File {
public:
    WatchedFile(std::unique_ptr<File> file, Tell tell)
        : file_(std::move(file)), tell_(std::move(tell)) {}
    [[nodiscard]] Result<> write_at(std::uint64_t offset,
                                    std::span<const std::string_view> pieces) override {
        return file_->write_at(offset, pieces);
    }
    [[nodiscard]] Result<> read_at(std::uint64_t offset, std::size_t length, ReadTier tier,
                                   std::string& out) const override {
        return file_->read_at(offset, length, tier, out);
    }
    [[nodiscard]] Result<> sync() override { return told(file_->sync(), tell_); }
    [[nodiscard]] Result<std::uint64_t> size() const override { return file_->size(); }

private:
    std::unique_ptr<File> file_;
    Tell tell_;
};

class WatchedFiles final : public FileSystem {
public:
    WatchedFiles(FileSystem* files, Tell tell) : files_(files), tell_(std::move(tell)) {}
    [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path,
                                                     OpenMode mode) override {
        return std::make_unique<WatchedFile>(TRY(files_->open(path, mode)), tell_);
    }
    [[nodiscard]] Result<> unlink(const std::string& path) override { return files_->unlink(path); }
    [[nodiscard]] Result<> rename(const std::string& from, const std::string& to) override {
        return files_->rename(from, to);
    }
    [[nodiscard]] Result<> make_folder(const std::string& path) override {
        return files_->make_folder(path);
    }
    [[nodiscard]] Result<> sync_folder(const std::string& path) override {
        return told(files_->sync_folder(path), tell_);
    }
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& path) override {
        return files_->list(path);
    }
    [[nodiscard]] Result<std::uint64_t> free_space(const std::string& path) override {
        return files_->free_space(path);
    }
    [[nodiscard]] Result<std::unique_ptr<FileHold>> hold(const std::string& path) override {
        return files_->hold(path);
    }
    [[nodiscard]] Result<> reserve(const std::string& path, std::uint64_t size) override {
        return files_->reserve(path, size);
    }

private:
    FileSystem* files_;
    Tell tell_;
};

}  // namespace

std::unique_ptr<FileSystem> watch_files(FileSystem* files,
                                        std::function<void(const Error&)> on_failed_sync) {
    return std::make_unique<WatchedFiles>(
        files,
        std::make_shared<const std::function<void(const Error&)>>(std::move(on_failed_sync)));
}

}  // namespace godwit::store
