#include "store/repair/bodies.h"

#include <algorithm>

#include "base/crypto.h"
#include "store/blob/segment_files.h"

namespace godwit::store {
namespace {

constexpr std::string_view kRecordMagic{"BODY\0\0\0\0", 8};
// Octets read at once while a record's beginning is searched for.
constexpr std::size_t kSearchStep = 1024 * 1024;

std::unexpected<Error> corrupt(std::string text) {
    return internal_error(ErrorCode::Corrupt, std::move(text));
}

// The next place from `from` on where a record could begin; the file's size when there is none.
Result<std::uint64_t> next_magic(const File& file, std::uint64_t from, std::uint64_t size) {
    std::string octets;
    while (from < size) {
        octets.clear();
        TRY(file.read_at(from, kSearchStep, ReadTier::Disk, octets));
        if (const std::size_t at = octets.find(kRecordMagic); at != std::string::npos) {
            return from + at;
        }
        if (octets.size() < kSearchStep) {
            break;
        }
        from += kSearchStep - (kRecordMagic.size() - 1);
    }
    return size;
}

}  // namespace

Result<const File*> BodyReader::open(std::uint32_t segment) {
    if (files_ == nullptr) {
        return internal_error(ErrorCode::NotFound, "there are no segments");
    }
    if (file_ == nullptr || opened_ != segment) {
        const SegmentFiles names(files_, folder_, 0, BlobSizes{});
        file_ = TRY(files_->open(names.path(segment), OpenMode::Read));
        opened_ = segment;
    }
    return file_.get();
}

Result<std::uint64_t> BodyReader::size_of(std::uint32_t segment) {
    return TRY(open(segment))->size();
}

Result<std::string> BodyReader::read(const BlobId& id, const BlobLocation& location) {
    std::string body;
    if (const auto* octets = std::get_if<std::string>(&location.place)) {
        body = *octets;
    } else {
        const auto& place = std::get<SegmentPlace>(location.place);
        TRY(look(id, location));
        const RecordRange range = range_of(location.size, 0, location.size);
        std::string raw;
        TRY(TRY(open(place.segment))
                ->read_at(place.offset + range.start, range.size, ReadTier::Disk, raw));
        body = TRY(open_range(std::move(raw), range, id, location.size));
    }
    if (body.size() != location.size || sha256(body) != id.hash) {
        return corrupt("body does not have the hash " + id.to_hex());
    }
    return body;
}

Result<> BodyReader::look(const BlobId& id, const BlobLocation& location) {
    const auto* place = std::get_if<SegmentPlace>(&location.place);
    if (place == nullptr) {
        return {};
    }
    std::string raw;
    TRY(TRY(open(place->segment))->read_at(place->offset, record_header_size, ReadTier::Disk, raw));
    const RecordHeader header = TRY(decode_record_header(raw));
    if (header.id != id || header.size != location.size) {
        return corrupt("record is of another body than its key says");
    }
    return {};
}

Result<std::vector<std::uint32_t>> BodyReader::segments() {
    std::vector<std::uint32_t> found;
    if (files_ == nullptr) {
        return found;
    }
    TRY(files_->make_folder(folder_));
    for (const std::string& name : TRY(files_->list(folder_))) {
        if (const auto segment = SegmentFiles::parse_name(name)) {
            found.push_back(*segment);
        }
    }
    return found;
}

Result<std::vector<std::pair<RecordHeader, std::uint64_t>>> BodyReader::records(
    std::uint32_t segment) {
    const File& file = *TRY(open(segment));
    const std::uint64_t size = TRY(file.size());
    std::vector<std::pair<RecordHeader, std::uint64_t>> found;
    std::string octets;
    for (std::uint64_t at = segment_header_size; at < size;) {
        octets.clear();
        TRY(file.read_at(at, record_header_size, ReadTier::Disk, octets));
        const auto header = decode_record_header(octets);
        if (header) {
            found.emplace_back(*header, at);
            at += record_size(header->size);
        } else {
            at = TRY(next_magic(file, at + 1, size));
        }
    }
    return found;
}

Result<std::optional<SegmentHeader>> BodyReader::header_of(std::uint32_t segment) {
    std::string octets;
    TRY(TRY(open(segment))->read_at(0, segment_header_size, ReadTier::Disk, octets));
    const auto header = decode_segment_header(octets);
    return header ? std::optional(*header) : std::nullopt;
}

}  // namespace godwit::store
