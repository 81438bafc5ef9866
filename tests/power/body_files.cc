#include "power/body_files.h"

#include <utility>

namespace godwit::power {
namespace {

using store::FileHold;
using store::OpenMode;
using store::ReadTier;

class BodyFile final : public store::File {
public:
    BodyFile(std::shared_ptr<Disk> disk, Disk::File file)
        : disk_(std::move(disk)), file_(std::move(file)) {}

    [[nodiscard]] Result<> write_at(std::uint64_t offset,
                                    std::span<const std::string_view> pieces) override {
        return disk_->write(file_, offset, pieces);
    }
    [[nodiscard]] Result<> read_at(std::uint64_t offset, std::size_t length, ReadTier /*tier*/,
                                   std::string& out) const override {
        return disk_->read(file_, offset, length, out);
    }
    [[nodiscard]] Result<> sync() override { return disk_->sync(file_); }
    [[nodiscard]] Result<std::uint64_t> size() const override { return disk_->size(file_); }

private:
    std::shared_ptr<Disk> disk_;
    Disk::File file_;
};

class Hold final : public FileHold {
public:
    Hold(std::shared_ptr<Disk> disk, std::string path)
        : disk_(std::move(disk)), path_(std::move(path)) {}
    ~Hold() override { disk_->let_go(path_); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

private:
    std::shared_ptr<Disk> disk_;
    std::string path_;
};

class BodyFiles final : public store::FileSystem {
public:
    explicit BodyFiles(std::shared_ptr<Disk> disk) : disk_(std::move(disk)) {}

    [[nodiscard]] Result<std::unique_ptr<store::File>> open(const std::string& path,
                                                            OpenMode mode) override {
        Disk::File file = TRY(mode == OpenMode::Read ? disk_->open(path)
                                                     : disk_->create(path, Disk::Taken::Refuse));
        return std::make_unique<BodyFile>(disk_, std::move(file));
    }
    [[nodiscard]] Result<> unlink(const std::string& path) override {
        const auto done = disk_->unlink(path);
        if (!done && done.error().code != ErrorCode::NotFound) {
            return done;
        }
        return {};
    }
    [[nodiscard]] Result<> rename(const std::string& from, const std::string& to) override {
        return disk_->rename(from, to);
    }
    [[nodiscard]] Result<> make_folder(const std::string& path) override {
        for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
            const std::string part = path.substr(0, end);
            if (TRY(disk_->make_folder(part))) {
                const std::size_t slash = part.rfind('/');
                TRY(disk_->sync_folder(slash == 0 ? "/" : part.substr(0, slash)));
            }
            if (end == std::string::npos) {
                return {};
            }
        }
    }
    [[nodiscard]] Result<> sync_folder(const std::string& path) override {
        return disk_->sync_folder(path);
    }
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& path) override {
        return disk_->list(path);
    }
    [[nodiscard]] Result<std::uint64_t> free_space(const std::string& path) override {
        TRY(disk_->look(path));
        return std::uint64_t{1} << 40U;
    }
    [[nodiscard]] Result<std::unique_ptr<FileHold>> hold(const std::string& path) override {
        if (!disk_->hold(path)) {
            return temporary_error(ErrorCode::Unavailable, path + " is in use");
        }
        auto hold = std::make_unique<Hold>(disk_, path);
        TRY(disk_->create(path, Disk::Taken::Empty));
        return hold;
    }
    /// Takes no room here.
    [[nodiscard]] Result<> reserve(const std::string& path, std::uint64_t /*size*/) override {
        TRY(disk_->create(path, Disk::Taken::Empty));
        return {};
    }

private:
    std::shared_ptr<Disk> disk_;
};

}  // namespace

std::unique_ptr<store::FileSystem> make_body_files(std::shared_ptr<Disk> disk) {
    return std::make_unique<BodyFiles>(std::move(disk));
}

}  // namespace godwit::power
