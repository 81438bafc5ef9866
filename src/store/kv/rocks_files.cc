#include "store/kv/rocks_files.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace godwit::store {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class EnvWithFiles final : public rocksdb::EnvWrapper {
public:
    EnvWithFiles(std::shared_ptr<rocksdb::Env> base, std::shared_ptr<rocksdb::FileSystem> files)
        : EnvWrapper(base) {
        system_clock_ = base->GetSystemClock();
        file_system_ = std::move(files);
    }
};

class NamesFirst final : public rocksdb::FileSystemWrapper {
public:
    explicit NamesFirst(const std::shared_ptr<rocksdb::FileSystem>& files)
        : FileSystemWrapper(files) {}
    const char* Name() const override { return "NamesFirst"; }
    IOStatus RenameFile(const std::string& source, const std::string& target,
                        const IOOptions& options, IODebugContext* context) override {
        const std::size_t slash = target.rfind('/');
        if (slash != std::string::npos && target.substr(slash + 1) == "CURRENT") {
            std::unique_ptr<rocksdb::FSDirectory> folder;
            IOStatus synced = NewDirectory(target.substr(0, slash), options, &folder, context);
            if (synced.ok()) {
                synced = folder->Fsync(options, context);
            }
            if (!synced.ok()) {
                return synced;
            }
        }
        return FileSystemWrapper::RenameFile(source, target, options, context);
    }
};

class WithoutLogs final : public rocksdb::FileSystemWrapper {
public:
    explicit WithoutLogs(const std::shared_ptr<rocksdb::FileSystem>& files)
        : FileSystemWrapper(files) {}
    const char* Name() const override { return "WithoutLogs"; }
    IOStatus GetChildren(const std::string& folder, const IOOptions& options,
                         std::vector<std::string>* names, IODebugContext* context) override {
        const IOStatus done = FileSystemWrapper::GetChildren(folder, options, names, context);
        if (done.ok()) {
            std::erase_if(*names, [](std::string_view name) { return name.ends_with(".log"); });
        }
        return done;
    }
};

class EndingFile final : public rocksdb::FSSequentialFileOwnerWrapper {
public:
    EndingFile(std::unique_ptr<rocksdb::FSSequentialFile> file, std::uint64_t size)
        : FSSequentialFileOwnerWrapper(std::move(file)), size_(size) {}
    IOStatus Read(std::size_t count, const IOOptions& options, rocksdb::Slice* result,
                  char* scratch, IODebugContext* context) override {
        const std::size_t left = size_ > at_ ? static_cast<std::size_t>(size_ - at_) : 0;
        const IOStatus done = FSSequentialFileOwnerWrapper::Read(std::min(count, left), options,
                                                                 result, scratch, context);
        at_ += done.ok() ? result->size() : 0;
        return done;
    }
    IOStatus Skip(std::uint64_t count) override {
        at_ += count;
        return FSSequentialFileOwnerWrapper::Skip(count);
    }
    IOStatus PositionedRead(std::uint64_t offset, std::size_t count, const IOOptions& options,
                            rocksdb::Slice* result, char* scratch,
                            IODebugContext* context) override {
        const std::size_t left = size_ > offset ? static_cast<std::size_t>(size_ - offset) : 0;
        return FSSequentialFileOwnerWrapper::PositionedRead(offset, std::min(count, left), options,
                                                            result, scratch, context);
    }

private:
    std::uint64_t size_;
    std::uint64_t at_ = 0;
};

class WithEnd final : public rocksdb::FileSystemWrapper {
public:
    WithEnd(const std::shared_ptr<rocksdb::FileSystem>& files, std::string path, std::uint64_t size)
        : FileSystemWrapper(files), path_(std::move(path)), size_(size) {}
    const char* Name() const override { return "WithEnd"; }
    IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                               std::unique_ptr<rocksdb::FSSequentialFile>* file,
                               IODebugContext* context) override {
        IOStatus done = FileSystemWrapper::NewSequentialFile(path, options, file, context);
        if (done.ok() && path == path_) {
            *file = std::make_unique<EndingFile>(std::move(*file), size_);
        }
        return done;
    }
    IOStatus GetFileSize(const std::string& path, const IOOptions& options, std::uint64_t* size,
                         IODebugContext* context) override {
        const IOStatus done = FileSystemWrapper::GetFileSize(path, options, size, context);
        if (done.ok() && path == path_) {
            *size = std::min(*size, size_);
        }
        return done;
    }

private:
    std::string path_;
    std::uint64_t size_;
};

class Silence final : public rocksdb::Logger {
public:
    using rocksdb::Logger::Logv;
    void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

}  // namespace

std::shared_ptr<rocksdb::Env> with_files(std::shared_ptr<rocksdb::Env> base,
                                         std::shared_ptr<rocksdb::FileSystem> files) {
    return std::make_shared<EnvWithFiles>(std::move(base), std::move(files));
}
std::shared_ptr<rocksdb::FileSystem> with_names_first(std::shared_ptr<rocksdb::FileSystem> files) {
    return std::make_shared<NamesFirst>(files);
}
std::shared_ptr<rocksdb::FileSystem> without_logs(std::shared_ptr<rocksdb::FileSystem> files) {
    return std::make_shared<WithoutLogs>(files);
}
std::shared_ptr<rocksdb::FileSystem> with_end(std::shared_ptr<rocksdb::FileSystem> files,
                                              std::string path, std::uint64_t size) {
    return std::make_shared<WithEnd>(files, std::move(path), size);
}
std::shared_ptr<rocksdb::Logger> make_silent_logger() {
    return std::make_shared<Silence>();
}

}  // namespace godwit::store
