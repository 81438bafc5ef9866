#include "store/kv/rocks_files.h"

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
std::shared_ptr<rocksdb::Logger> make_silent_logger() {
    return std::make_shared<Silence>();
}

}  // namespace godwit::store
