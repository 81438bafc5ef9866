#include "app/source_file.h"

#include <sys/stat.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace godwit::app {

namespace {

constexpr std::size_t kPiece = 64 * 1024;

std::unexpected<Error> cannot_read(const std::string& path, int code) {
    // ENOTDIR: O_DIRECTORY and O_NOFOLLOW together say so of a link.
    return peer_error(
        code == ENOENT ? ErrorCode::NotFound : ErrorCode::Denied,
        "cannot read " + path + ": " +
            (code == ELOOP ? "a symbolic link, which is not followed" : std::strerror(code)));
}

// Step by step from the root, so that no link is followed although one is laid in the midst. Not
// openat2(2), which containers' filters may refuse.
Result<int> open_plainly(const std::string& path, int flags) {
    int above = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    std::size_t at = 1;
    for (std::size_t end = path.find('/', at); above >= 0 && end != std::string::npos;
         end = path.find('/', at)) {
        const std::string level = path.substr(at, end - at);
        at = end + 1;
        if (!level.empty()) {
            const int next =
                ::openat(above, level.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            const int code = errno;
            ::close(above);
            errno = code;
            above = next;
        }
    }
    if (above < 0) {
        return cannot_read(path, errno);
    }
    const std::string last = at < path.size() ? path.substr(at) : ".";
    // O_NONBLOCK: who opens a FIFO waits for its other end.
    const int fd = ::openat(above, last.c_str(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const int code = errno;
    ::close(above);
    if (fd < 0) {
        return cannot_read(path, code);
    }
    return fd;
}

}  // namespace

Result<SourceFile> SourceFile::open(const std::string& path) {
    const int fd = TRY(open_plainly(path, O_RDONLY));
    struct stat facts{};
    const bool is_known = ::fstat(fd, &facts) == 0;
    SourceFile file(fd, path, facts.st_mtime);
    if (!is_known || !S_ISREG(facts.st_mode)) {
        return peer_error(ErrorCode::Denied, "cannot read " + path + ": no regular file");
    }
    return file;
}

SourceFile::SourceFile(SourceFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      date_(other.date_),
      block_(std::move(other.block_)) {}

SourceFile::~SourceFile() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

Result<std::string_view> SourceFile::read() {
    block_.resize(kPiece);
    const ssize_t count = ::read(fd_, block_.data(), block_.size());
    if (count < 0) {
        return cannot_read(path_, errno);
    }
    return std::string_view(block_).substr(0, static_cast<std::size_t>(count));
}

bool SourceLines::next(std::string& line) {
    line.clear();
    for (;;) {
        const std::size_t end = rest_.find('\n', at_);
        if (!is_long_) {
            line.append(rest_, at_, end - at_);
        }
        is_long_ = is_long_ || line.size() > line_max_;
        if (end != std::string::npos) {
            at_ = end + 1;
            if (!std::exchange(is_long_, false)) {
                return true;
            }
            line.clear();
            continue;
        }
        const auto more = file_.read();
        rest_ = more.value_or(std::string_view());
        at_ = 0;
        if (rest_.empty()) {
            return !std::exchange(is_long_, false) && !line.empty();
        }
    }
}

Result<std::string> read_source(const std::string& path, std::size_t size_max) {
    auto file = TRY(SourceFile::open(path));
    std::string text;
    for (;;) {
        const std::string_view more = TRY(file.read());
        if (more.empty()) {
            return text;
        }
        text.append(more);
        if (text.size() > size_max) {
            return peer_error(ErrorCode::LimitExceeded,
                              path + " is larger than " + std::to_string(size_max) + " octets");
        }
    }
}

Result<std::vector<std::string>> list_source(const std::string& path) {
    const int fd = TRY(open_plainly(path, O_RDONLY | O_DIRECTORY));
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(fd), ::closedir);
    if (!folder) {
        const int code = errno;
        ::close(fd);
        return cannot_read(path, code);
    }
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(folder.get());
        if (entry == nullptr && errno != 0) {
            return cannot_read(path, errno);
        }
        if (entry == nullptr) {
            return names;
        }
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") {
            names.emplace_back(name);
        }
    }
}

}  // namespace godwit::app
