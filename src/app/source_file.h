// Reads folders and files that others filled, for the importing commands: an administrator runs
// these over what users own. No symbolic link is followed anywhere below (it would give a user who
// lays one whatever the administrator may read), nothing but regular files is opened (a FIFO would
// be waited for, a device has no end). Paths are those of std::filesystem::canonical(). Blocking.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace godwit::app {

class SourceFile {
public:
    /// NotFound when it is not there, Denied when it is no regular file or a link leads to it.
    static Result<SourceFile> open(const std::string& path);
    SourceFile(SourceFile&& other) noexcept;
    SourceFile& operator=(SourceFile&&) = delete;
    SourceFile(const SourceFile&) = delete;
    SourceFile& operator=(const SourceFile&) = delete;
    ~SourceFile();

    /// The next octets, 64 KiB at most; none at the end.
    Result<std::string_view> read();
    /// When it was last changed, in Unix seconds.
    [[nodiscard]] std::int64_t date() const { return date_; }

private:
    SourceFile(int fd, std::string path, std::int64_t date)
        : fd_(fd), path_(std::move(path)), date_(date) {}
    int fd_;
    std::string path_;
    std::int64_t date_;
    std::string block_;
};

/// Lines without their ends; those longer than `line_max` are passed over.
class SourceLines {
public:
    SourceLines(SourceFile file, std::size_t line_max)
        : file_(std::move(file)), line_max_(line_max) {}
    /// False at the end, or when no more can be read.
    bool next(std::string& line);

private:
    SourceFile file_;
    std::size_t line_max_;
    std::string rest_;
    std::size_t at_ = 0;
    bool is_long_ = false;
};

/// All of a small file. LimitExceeded when it is larger.
Result<std::string> read_source(const std::string& path, std::size_t size_max);

/// What is in a folder, "." and ".." left out.
Result<std::vector<std::string>> list_source(const std::string& path);

}  // namespace godwit::app
