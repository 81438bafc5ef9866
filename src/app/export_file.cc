#include "app/export_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace godwit::app {

namespace {
std::unexpected<Error> failed(const std::string& path) {
    const int code = errno;
    const ErrorCode kind = code == EEXIST   ? ErrorCode::AlreadyExists
                           : code == ENOSPC ? ErrorCode::DiskFull
                                            : ErrorCode::Io;
    return temporary_error(kind, "cannot write " + path + ": " + std::strerror(code));
}
}  // namespace

Result<ExportFile> ExportFile::create(const std::string& path) {
    std::error_code problem;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), problem);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return failed(path);
    }
    return ExportFile(path, ::fdopen(fd, "wb"));
}

Result<> ExportFile::write(std::string_view octets) {
    if (std::fwrite(octets.data(), 1, octets.size(), file_.get()) != octets.size()) {
        return failed(path_);
    }
    return {};
}

Result<> ExportFile::close() {
    if (std::fclose(file_.release()) != 0) {
        return failed(path_);
    }
    return {};
}

}  // namespace godwit::app
