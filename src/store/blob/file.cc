#include "store/blob/file.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace godwit::store {
namespace {

std::unexpected<Error> system_error(std::string_view what, const std::string& path) {
    const int number = errno;
    const ErrorCode code = number == ENOENT                       ? ErrorCode::NotFound
                           : number == EEXIST                     ? ErrorCode::AlreadyExists
                           : number == ENOSPC || number == EDQUOT ? ErrorCode::DiskFull
                                                                  : ErrorCode::Io;
    return internal_error(code, std::string(what) + " " + path + ": " + std::strerror(number));
}

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) {
            ::close(number_);
        }
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int number() const { return number_; }

private:
    int number_;
};

class SystemFile final : public File {
public:
    SystemFile(int number, std::string path) : descriptor_(number), path_(std::move(path)) {}

    [[nodiscard]] Result<> write_at(std::uint64_t offset,
                                    std::span<const std::string_view> pieces) override {
        std::array<iovec, kPiecesAtOnce> vectors{};
        std::size_t piece = 0;
        std::size_t done_of_piece = 0;
        while (piece < pieces.size()) {
            std::size_t count = 0;
            for (std::size_t i = piece; i < pieces.size() && count < vectors.size(); ++i, ++count) {
                const std::string_view rest = pieces[i].substr(i == piece ? done_of_piece : 0);
                vectors[count] = {const_cast<char*>(rest.data()), rest.size()};
            }
            const ssize_t written = ::pwritev(descriptor_.number(), vectors.data(),
                                              static_cast<int>(count), static_cast<off_t>(offset));
            if (written < 0) {
                if (errno == EINTR) {
                    continue;
                }
                return system_error("write", path_);
            }
            offset += static_cast<std::uint64_t>(written);
            done_of_piece += static_cast<std::size_t>(written);
            while (piece < pieces.size() && done_of_piece >= pieces[piece].size()) {
                done_of_piece -= pieces[piece].size();
                ++piece;
            }
        }
        return {};
    }

    [[nodiscard]] Result<> read_at(std::uint64_t offset, std::size_t length, ReadTier tier,
                                   std::string& out) const override {
        const std::size_t before = out.size();
        out.resize(before + length);
        std::size_t done = 0;
        while (done < length) {
            const iovec vector{out.data() + before + done, length - done};
            const int flags = tier == ReadTier::Cached ? RWF_NOWAIT : 0;
            const ssize_t count = ::preadv2(descriptor_.number(), &vector, 1,
                                            static_cast<off_t>(offset + done), flags);
            if (count < 0) {
                if (errno == EINTR) {
                    continue;
                }
                // EOPNOTSUPP: this file system cannot say, so it may block.
                if (tier == ReadTier::Cached && (errno == EAGAIN || errno == EOPNOTSUPP)) {
                    out.resize(before);
                    return temporary_error(ErrorCode::WouldBlock, path_);
                }
                out.resize(before);
                return system_error("read", path_);
            }
            if (count == 0) {
                break;
            }
            done += static_cast<std::size_t>(count);
        }
        out.resize(before + done);
        return {};
    }

    [[nodiscard]] Result<> sync() override {
        if (::fdatasync(descriptor_.number()) != 0) {
            return system_error("sync", path_);
        }
        return {};
    }

    [[nodiscard]] Result<std::uint64_t> size() const override {
        struct stat facts{};
        if (::fstat(descriptor_.number(), &facts) != 0) {
            return system_error("stat", path_);
        }
        return static_cast<std::uint64_t>(facts.st_size);
    }

private:
    static constexpr std::size_t kPiecesAtOnce = 512;  // Below IOV_MAX (1024).
    Descriptor descriptor_;
    std::string path_;
};

/// The lock goes with the descriptor; the file's text says who has it.
class SystemHold final : public FileHold {
public:
    explicit SystemHold(int number) : descriptor_(number) {}
    [[nodiscard]] int number() const { return descriptor_.number(); }
    [[nodiscard]] std::string holder() const {
        char text[16] = {};
        const ssize_t size = ::pread(number(), text, sizeof text - 1, 0);
        std::string pid(text, size > 0 ? static_cast<std::size_t>(size) : 0);
        while (!pid.empty() && (pid.back() < '0' || pid.back() > '9')) {
            pid.pop_back();
        }
        return pid.empty() ? "unknown" : pid;
    }

private:
    Descriptor descriptor_;
};

class SystemFiles final : public FileSystem {
public:
    [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path,
                                                     OpenMode mode) override {
        const int flags = mode == OpenMode::Read ? O_RDONLY : O_RDWR | O_CREAT | O_EXCL;
        const int number = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (number < 0) {
            return system_error("open", path);
        }
        return std::make_unique<SystemFile>(number, path);
    }
    [[nodiscard]] Result<> unlink(const std::string& path) override {
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
            return system_error("unlink", path);
        }
        return {};
    }
    [[nodiscard]] Result<> rename(const std::string& from, const std::string& to) override {
        if (::rename(from.c_str(), to.c_str()) != 0) {
            return system_error("rename", from);
        }
        return {};
    }
    [[nodiscard]] Result<> make_folder(const std::string& path) override {
        for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
            const std::string part = path.substr(0, end);
            if (::mkdir(part.c_str(), 0700) == 0) {
                const std::size_t slash = part.rfind('/');
                TRY(sync_folder(slash == std::string::npos ? "."
                                : slash == 0               ? "/"
                                                           : part.substr(0, slash)));
            } else if (errno != EEXIST) {
                return system_error("make folder", part);
            }
            if (end == std::string::npos) {
                return {};
            }
        }
    }
    [[nodiscard]] Result<> sync_folder(const std::string& path) override {
        const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (folder.number() < 0 || ::fsync(folder.number()) != 0) {
            return system_error("sync folder", path);
        }
        return {};
    }
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& path) override {
        const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
        if (folder == nullptr) {
            return system_error("list", path);
        }
        std::vector<std::string> names;
        while (const dirent* entry = ::readdir(folder.get())) {
            if (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN) {
                names.emplace_back(entry->d_name);
            }
        }
        std::ranges::sort(names);
        return names;
    }
    [[nodiscard]] Result<std::uint64_t> free_space(const std::string& path) override {
        struct statvfs facts{};
        if (::statvfs(path.c_str(), &facts) != 0) {
            return system_error("free space", path);
        }
        return static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize;
    }
    [[nodiscard]] Result<std::unique_ptr<FileHold>> hold(const std::string& path) override {
        const int number = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (number < 0) {
            return system_error("open", path);
        }
        auto hold = std::make_unique<SystemHold>(number);
        if (::flock(number, LOCK_EX | LOCK_NB) != 0) {
            return temporary_error(ErrorCode::Unavailable,
                                   path + " is in use by process " + hold->holder());
        }
        const std::string pid = std::to_string(::getpid()) + "\n";
        if (::ftruncate(number, 0) != 0 ||
            ::pwrite(number, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
            return system_error("write", path);
        }
        return hold;
    }
    [[nodiscard]] Result<> reserve(const std::string& path, std::uint64_t size) override {
        const Descriptor file(
            ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (file.number() < 0) {
            return system_error("open", path);
        }
        // It gives the error back, and leaves errno alone.
        errno = ::posix_fallocate(file.number(), 0, static_cast<off_t>(size));
        if (errno != 0) {
            auto error = system_error("reserve", path);
            ::unlink(path.c_str());
            return error;
        }
        return {};
    }
};

}  // namespace

FileSystem& system_files() {
    static SystemFiles files;
    return files;
}

}  // namespace godwit::store
