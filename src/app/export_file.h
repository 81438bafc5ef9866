// A file that an export writes. Blocking; what fails names the path.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::app {

class ExportFile {
public:
    /// A new one, with the folders above it; AlreadyExists when it is there.
    static Result<ExportFile> create(const std::string& path);
    Result<> write(std::string_view octets);
    Result<> close();

private:
    struct Close {
        void operator()(std::FILE* file) const { (void)std::fclose(file); }
    };
    ExportFile(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}
    std::string path_;
    std::unique_ptr<std::FILE, Close> file_;
};

/// A name that a file system takes (NAME_MAX octets): as it is when it is short enough, else its
/// front with a digest of all of it behind.
std::string file_name_of(std::string name);
std::string long_name_reason(const std::string& name);

}  // namespace godwit::app
