#include "app/export_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>

#include "base/crypto.h"
#include "base/encoding.h"

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

std::string file_name_of(std::string name) {
    constexpr std::size_t kFrontMax = 200;
    constexpr std::size_t kDigestSize = 16;
    if (name.size() <= NAME_MAX) {
        return name;
    }
    std::size_t front = kFrontMax;
    while (front > 0 && (static_cast<unsigned char>(name[front]) & 0xC0U) == 0x80U) {
        --front;  // Not within a character.
    }
    return name.substr(0, front) + "~" + hex_encode(sha256_bytes(name)).substr(0, kDigestSize);
}

std::string long_name_reason(const std::string& name) {
    return "its name is too long for a file: it is written as " + name;
}

}  // namespace godwit::app
