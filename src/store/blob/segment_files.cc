#include "store/blob/segment_files.h"

#include <charconv>

#include "base/limits.h"

namespace godwit::store {
namespace {

constexpr std::string_view kShared = "seg-";
constexpr std::string_view kOwn = "own-";
constexpr std::size_t kDigits = 8;

void raise(std::atomic<std::uint32_t>& next, std::uint32_t above) {
    if (next.load() <= above) {
        next.store(above + 1);
    }
}

}  // namespace

SegmentFiles::SegmentFiles(FileSystem* files, std::string folder, std::uint64_t store,
                           BlobSizes sizes)
    : files_(files), folder_(std::move(folder)), store_(store), sizes_(sizes) {}

std::string SegmentFiles::path(std::uint32_t segment) const {
    std::string digits(kDigits, '0');
    for (std::size_t i = 0; i < kDigits; ++i) {
        digits[kDigits - 1 - i] = "0123456789abcdef"[segment >> (4 * i) & 0xFU];
    }
    return folder_ + "/" + std::string((segment & own_segment_bit) != 0 ? kOwn : kShared) + digits;
}

std::optional<std::uint32_t> SegmentFiles::parse_name(std::string_view name) {
    if (name.size() != kShared.size() + kDigits) {
        return std::nullopt;
    }
    const std::string_view digits = name.substr(kShared.size());
    std::uint32_t segment = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), segment, 16);
    const bool is_own = (segment & own_segment_bit) != 0;
    if (error != std::errc() || end != digits.data() + digits.size() ||
        !name.starts_with(is_own ? kOwn : kShared)) {
        return std::nullopt;
    }
    return segment;
}

void SegmentFiles::note(std::uint32_t segment) {
    if ((segment & own_segment_bit) != 0) {
        raise(next_own_, segment & ~own_segment_bit);
    } else {
        raise(next_shared_, segment);
    }
}

Result<std::shared_ptr<const File>> SegmentFiles::reader(std::uint32_t segment, ReadTier tier) {
    {
        const std::scoped_lock lock(mutex_);
        const auto found = by_segment_.find(segment);
        if (found != by_segment_.end()) {
            open_.splice(open_.begin(), open_, found->second);
            return found->second->file;
        }
    }
    if (tier == ReadTier::Cached) {
        return temporary_error(ErrorCode::WouldBlock, path(segment) + " is not open");
    }
    std::shared_ptr<const File> file = TRY(files_->open(path(segment), OpenMode::Read));
    const std::scoped_lock lock(mutex_);
    if (!by_segment_.contains(segment)) {
        open_.push_front({segment, file});
        by_segment_[segment] = open_.begin();
        if (open_.size() > sizes_.open_files_max) {
            by_segment_.erase(open_.back().segment);
            open_.pop_back();
        }
    }
    return file;
}

Result<> SegmentFiles::remove(std::uint32_t segment) {
    {
        const std::scoped_lock lock(mutex_);
        const auto found = by_segment_.find(segment);
        if (found != by_segment_.end()) {
            open_.erase(found->second);
            by_segment_.erase(found);
        }
    }
    return files_->unlink(path(segment));
}

}  // namespace godwit::store
