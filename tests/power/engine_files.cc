#include "power/engine_files.h"

#include <algorithm>
#include <utility>

namespace godwit::power {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus status_of(const Error& error) {
    switch (error.code) {
        case ErrorCode::NotFound: return IOStatus::PathNotFound(error.text);
        case ErrorCode::DiskFull: return IOStatus::NoSpace(error.text);
        default: return IOStatus::IOError(error.text);
    }
}
template <class T>
IOStatus status_of(const Result<T>& result) {
    return result ? IOStatus::OK() : status_of(result.error());
}

// RocksDB writes folders with and without their last slash.
std::string plain(std::string path) {
    while (path.size() > 1 && path.back() == '/') {
        path.pop_back();
    }
    return path;
}

class Opened {
public:
    Opened(std::shared_ptr<Disk> disk, Disk::File file)
        : disk_(std::move(disk)), file_(std::move(file)) {}

    IOStatus read(std::uint64_t offset, std::size_t length, Slice* result, char* scratch) const {
        std::string octets;
        const auto done = disk_->read(file_, offset, length, octets);
        if (!done) {
            *result = Slice();
            return status_of(done);
        }
        std::ranges::copy(octets, scratch);
        *result = Slice(scratch, octets.size());
        return IOStatus::OK();
    }
    [[nodiscard]] Disk& disk() const { return *disk_; }
    [[nodiscard]] const Disk::File& file() const { return file_; }

private:
    std::shared_ptr<Disk> disk_;
    Disk::File file_;
};

class Sequential final : public rocksdb::FSSequentialFile {
public:
    explicit Sequential(Opened opened) : opened_(std::move(opened)) {}
    IOStatus Read(std::size_t length, const IOOptions& /*options*/, Slice* result, char* scratch,
                  IODebugContext* /*context*/) override {
        const IOStatus done = opened_.read(at_, length, result, scratch);
        at_ += result->size();
        return done;
    }
    IOStatus Skip(std::uint64_t length) override {
        at_ += length;
        return IOStatus::OK();
    }

private:
    Opened opened_;
    std::uint64_t at_ = 0;
};

class RandomAccess final : public rocksdb::FSRandomAccessFile {
public:
    explicit RandomAccess(Opened opened) : opened_(std::move(opened)) {}
    IOStatus Read(std::uint64_t offset, std::size_t length, const IOOptions& /*options*/,
                  Slice* result, char* scratch, IODebugContext* /*context*/) const override {
        return opened_.read(offset, length, result, scratch);
    }

private:
    Opened opened_;
};

class Writable final : public rocksdb::FSWritableFile {
public:
    Writable(Opened opened, std::uint64_t size) : opened_(std::move(opened)), size_(size) {}
    IOStatus Append(const Slice& octets, const IOOptions& /*options*/,
                    IODebugContext* /*context*/) override {
        const std::string_view view(octets.data(), octets.size());
        const auto done = opened_.disk().write(opened_.file(), size_, {&view, 1});
        size_ += done ? view.size() : 0;
        return status_of(done);
    }
    IOStatus Append(const Slice& octets, const IOOptions& options,
                    const rocksdb::DataVerificationInfo& /*verification*/,
                    IODebugContext* context) override {
        return Append(octets, options, context);
    }
    IOStatus Truncate(std::uint64_t size, const IOOptions& /*options*/,
                      IODebugContext* /*context*/) override {
        const auto done = opened_.disk().truncate(opened_.file(), size);
        size_ = done ? size : size_;
        return status_of(done);
    }
    IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
        return IOStatus::OK();
    }
    IOStatus Flush(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
        return IOStatus::OK();
    }
    IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
        return status_of(opened_.disk().sync(opened_.file()));
    }
    std::uint64_t GetFileSize(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
        return size_;
    }
    bool IsSyncThreadSafe() const override { return true; }

private:
    Opened opened_;
    std::uint64_t size_;
};

class Folder final : public rocksdb::FSDirectory {
public:
    Folder(std::shared_ptr<Disk> disk, std::string path)
        : disk_(std::move(disk)), path_(std::move(path)) {}
    IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
        return status_of(disk_->sync_folder(path_));
    }
    IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
        return IOStatus::OK();
    }

private:
    std::shared_ptr<Disk> disk_;
    std::string path_;
};

class Lock final : public rocksdb::FileLock {
public:
    explicit Lock(std::string path) : path_(std::move(path)) {}
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

class Silence final : public rocksdb::Logger {
public:
    using rocksdb::Logger::Logv;
    void Logv(const char* /*format*/, va_list /*arguments*/) override {}
    std::size_t GetLogFileSize() const override { return 0; }
};

class EngineFiles final : public rocksdb::FileSystem {
public:
    explicit EngineFiles(std::shared_ptr<Disk> disk) : disk_(std::move(disk)) {}
    const char* Name() const override { return "LyingDisk"; }

    IOStatus NewSequentialFile(const std::string& path, const FileOptions& /*options*/,
                               std::unique_ptr<rocksdb::FSSequentialFile>* result,
                               IODebugContext* /*context*/) override {
        return open<Sequential>(path, result);
    }
    IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& /*options*/,
                                 std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                 IODebugContext* /*context*/) override {
        return open<RandomAccess>(path, result);
    }
    IOStatus NewWritableFile(const std::string& path, const FileOptions& /*options*/,
                             std::unique_ptr<rocksdb::FSWritableFile>* result,
                             IODebugContext* /*context*/) override {
        auto file = disk_->create(plain(path), Disk::Taken::Empty);
        if (file) {
            *result = std::make_unique<Writable>(Opened(disk_, *std::move(file)), 0);
        }
        return status_of(file);
    }
    IOStatus ReopenWritableFile(const std::string& path, const FileOptions& /*options*/,
                                std::unique_ptr<rocksdb::FSWritableFile>* result,
                                IODebugContext* /*context*/) override {
        auto file = disk_->open(plain(path));
        if (!file) {
            return status_of(file);
        }
        const auto size = disk_->size(*file);
        if (size) {
            *result = std::make_unique<Writable>(Opened(disk_, *std::move(file)), *size);
        }
        return status_of(size);
    }
    IOStatus NewDirectory(const std::string& path, const IOOptions& /*options*/,
                          std::unique_ptr<rocksdb::FSDirectory>* result,
                          IODebugContext* /*context*/) override {
        const auto kind = disk_->look(plain(path));
        if (kind && *kind != Disk::Kind::Folder) {
            return IOStatus::PathNotFound(path);
        }
        *result = std::make_unique<Folder>(disk_, plain(path));
        return status_of(kind);
    }
    IOStatus FileExists(const std::string& path, const IOOptions& /*options*/,
                        IODebugContext* /*context*/) override {
        const auto kind = disk_->look(plain(path));
        return kind && *kind == Disk::Kind::None ? IOStatus::NotFound(path) : status_of(kind);
    }
    IOStatus GetChildren(const std::string& path, const IOOptions& /*options*/,
                         std::vector<std::string>* result, IODebugContext* /*context*/) override {
        auto names = disk_->list(plain(path));
        if (names) {
            *result = *std::move(names);
        }
        return status_of(names);
    }
    IOStatus DeleteFile(const std::string& path, const IOOptions& /*options*/,
                        IODebugContext* /*context*/) override {
        return status_of(disk_->unlink(plain(path)));
    }
    IOStatus CreateDir(const std::string& path, const IOOptions& /*options*/,
                       IODebugContext* /*context*/) override {
        const auto made = disk_->make_folder(plain(path));
        return made && !*made ? IOStatus::IOError("is there: " + path) : status_of(made);
    }
    IOStatus CreateDirIfMissing(const std::string& path, const IOOptions& /*options*/,
                                IODebugContext* /*context*/) override {
        return status_of(disk_->make_folder(plain(path)));
    }
    IOStatus DeleteDir(const std::string& path, const IOOptions& /*options*/,
                       IODebugContext* /*context*/) override {
        return status_of(disk_->remove_folder(plain(path)));
    }
    IOStatus GetFileSize(const std::string& path, const IOOptions& /*options*/,
                         std::uint64_t* result, IODebugContext* /*context*/) override {
        const auto size = size_of(plain(path));
        *result = size.value_or(0);
        return status_of(size);
    }
    IOStatus GetFileModificationTime(const std::string& path, const IOOptions& /*options*/,
                                     std::uint64_t* result, IODebugContext* /*context*/) override {
        *result = 0;
        return status_of(size_of(plain(path)));
    }
    IOStatus RenameFile(const std::string& source, const std::string& target,
                        const IOOptions& /*options*/, IODebugContext* /*context*/) override {
        return status_of(disk_->rename(plain(source), plain(target)));
    }
    IOStatus LinkFile(const std::string& source, const std::string& target,
                      const IOOptions& /*options*/, IODebugContext* /*context*/) override {
        return status_of(disk_->link(plain(source), plain(target)));
    }
    IOStatus LockFile(const std::string& path, const IOOptions& /*options*/,
                      rocksdb::FileLock** lock, IODebugContext* /*context*/) override {
        *lock = nullptr;
        const auto made = disk_->create(plain(path), Disk::Taken::Empty);
        if (!made) {
            return status_of(made);
        }
        if (!disk_->hold(plain(path))) {
            return IOStatus::IOError("is in use: " + path);
        }
        *lock = std::make_unique<Lock>(plain(path)).release();
        return IOStatus::OK();
    }
    IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions& /*options*/,
                        IODebugContext* /*context*/) override {
        const std::unique_ptr<Lock> ours(static_cast<Lock*>(lock));
        disk_->let_go(ours->path());
        return IOStatus::OK();
    }
    IOStatus GetTestDirectory(const IOOptions& /*options*/, std::string* path,
                              IODebugContext* /*context*/) override {
        *path = "/";
        return IOStatus::OK();
    }
    IOStatus NewLogger(const std::string& /*path*/, const IOOptions& /*options*/,
                       std::shared_ptr<rocksdb::Logger>* result,
                       IODebugContext* /*context*/) override {
        *result = std::make_shared<Silence>();
        return IOStatus::OK();
    }
    IOStatus GetAbsolutePath(const std::string& path, const IOOptions& /*options*/,
                             std::string* result, IODebugContext* /*context*/) override {
        *result = plain(path);
        return IOStatus::OK();
    }
    IOStatus IsDirectory(const std::string& path, const IOOptions& /*options*/, bool* is_folder,
                         IODebugContext* /*context*/) override {
        const auto kind = disk_->look(plain(path));
        *is_folder = kind && *kind == Disk::Kind::Folder;
        return status_of(kind);
    }
    IOStatus GetFreeSpace(const std::string& /*path*/, const IOOptions& /*options*/,
                          std::uint64_t* free, IODebugContext* /*context*/) override {
        *free = std::uint64_t{1} << 40U;
        return IOStatus::OK();
    }

private:
    template <class T, class Base>
    IOStatus open(const std::string& path, std::unique_ptr<Base>* result) {
        auto file = disk_->open(plain(path));
        if (file) {
            *result = std::make_unique<T>(Opened(disk_, *std::move(file)));
        }
        return status_of(file);
    }
    Result<std::uint64_t> size_of(const std::string& path) {
        return disk_->size(TRY(disk_->open(path)));
    }

    std::shared_ptr<Disk> disk_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> make_engine_files(std::shared_ptr<Disk> disk) {
    return std::make_shared<EngineFiles>(std::move(disk));
}

SteppedEnv::SteppedEnv(std::shared_ptr<rocksdb::FileSystem> files)
    : EnvWrapper(rocksdb::NewCompositeEnv(files)) {
    file_system_ = std::move(files);
}

SteppedEnv::~SteppedEnv() = default;

void SteppedEnv::work(Amount amount, const std::function<bool()>& is_over) {
    while (!is_over()) {
        const auto job = std::ranges::find_if(jobs_, [&](const Job& each) {
            return amount == Amount::All || each.priority == Priority::HIGH;
        });
        if (job == jobs_.end()) {
            return;
        }
        const Job taken = *job;
        jobs_.erase(job);
        taken.function(taken.argument);
    }
}

void SteppedEnv::Schedule(void (*function)(void*), void* argument, Priority priority, void* tag,
                          void (*unscheduled)(void*)) {
    jobs_.push_back({function, argument, priority, tag, unscheduled});
}

int SteppedEnv::UnSchedule(void* tag, Priority priority) {
    int count = 0;
    for (auto job = jobs_.begin(); job != jobs_.end();) {
        if (job->tag != tag || job->priority != priority) {
            ++job;
            continue;
        }
        if (job->unscheduled != nullptr) {
            job->unscheduled(job->argument);
        }
        job = jobs_.erase(job);
        ++count;
    }
    return count;
}

unsigned int SteppedEnv::GetThreadPoolQueueLen(Priority priority) const {
    return static_cast<unsigned int>(
        std::ranges::count_if(jobs_, [&](const Job& job) { return job.priority == priority; }));
}

}  // namespace godwit::power
