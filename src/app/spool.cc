#include "app/spool.h"

#include <unistd.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <algorithm>

namespace godwit::app {

namespace {

constexpr std::size_t kPiece = 64 * 1024;

std::unexpected<Error> failed(std::string_view what) {
    return temporary_error(ErrorCode::Io,
                           std::string(what) + " a temporary file: " + std::strerror(errno));
}

}  // namespace

Result<> Spool::append(std::string_view octets) {
    size_ += octets.size();
    if (file_ == nullptr && size_ <= spool_memory_max) {
        memory_.append(octets);
        return {};
    }
    if (file_ == nullptr) {
        // Not /tmp, which may be memory.
        const char* const folder = std::getenv("TMPDIR");
        std::string path = std::string(folder != nullptr ? folder : "/var/tmp") + "/godwit-XXXXXX";
        const int fd = ::mkstemp(path.data());
        file_.reset(fd < 0 ? nullptr : ::fdopen(fd, "w+b"));
        if (file_ == nullptr) {
            return failed("cannot make");
        }
        (void)::unlink(path.c_str());
        if (std::fwrite(memory_.data(), 1, memory_.size(), file_.get()) != memory_.size()) {
            return failed("cannot write");
        }
        memory_ = std::string();
    }
    if (std::fwrite(octets.data(), 1, octets.size(), file_.get()) != octets.size()) {
        return failed("cannot write");
    }
    return {};
}

Result<std::string> Spool::next() {
    const std::size_t wanted = std::min<std::uint64_t>(kPiece, size_ - at_);
    if (wanted == 0) {
        at_ = 0;
        return std::string();
    }
    std::string piece;
    if (file_ == nullptr) {
        piece = memory_.substr(static_cast<std::size_t>(at_), wanted);
    } else {
        if (at_ == 0 && std::fseek(file_.get(), 0, SEEK_SET) != 0) {
            return failed("cannot read");
        }
        piece.resize(wanted);
        if (std::fread(piece.data(), 1, wanted, file_.get()) != wanted) {
            return failed("cannot read");
        }
    }
    at_ += wanted;
    return piece;
}

}  // namespace godwit::app
