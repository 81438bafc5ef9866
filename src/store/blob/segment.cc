#include "store/blob/segment.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"

namespace godwit::store {
namespace {

constexpr std::string_view kFileMagic = "GODWSEG1";
constexpr std::uint32_t kRecordMagic = 0x424F4459;  // BODY
constexpr std::uint32_t kTailMagic = 0x454E4442;    // ENDB
constexpr std::uint64_t kFrame = limits::blob_frame_size;
constexpr std::uint64_t kFrameOnDisk = kFrame + frame_checksum_size;

std::string with_checksum(ByteWriter&& writer) {
    const std::uint32_t sum = crc32c(writer.view());
    writer.u32(sum);
    return std::move(writer).take();
}

bool checksum_holds(std::string_view octets) {
    ByteReader sum(octets.substr(octets.size() - 4));
    return sum.u32() == crc32c(octets.substr(0, octets.size() - 4));
}

std::unexpected<Error> corrupt(std::string text) {
    return internal_error(ErrorCode::Corrupt, std::move(text));
}

std::uint64_t frame_count(std::uint64_t body_size) {
    return (body_size + kFrame - 1) / kFrame;
}

}  // namespace

std::string encode(const SegmentHeader& header) {
    ByteWriter out;
    out.raw(kFileMagic).u32(header.number).u64(header.durable.value()).u64(header.store);
    return with_checksum(std::move(out));
}

Result<SegmentHeader> decode_segment_header(std::string_view octets) {
    if (octets.size() != segment_header_size || !checksum_holds(octets)) {
        return corrupt("segment header does not hold");
    }
    ByteReader in(octets);
    if (in.raw(kFileMagic.size()) != kFileMagic) {
        return corrupt("segment file does not begin with GODWSEG1");
    }
    SegmentHeader header;
    header.number = in.u32();
    header.durable = CommitSeq(in.u64());
    header.store = in.u64();
    return header;
}

std::string encode(const RecordHeader& header) {
    ByteWriter out;
    out.u32(kRecordMagic).u32(0).u64(header.size).u64(header.durable.value());
    out.raw(header.id.bytes()).u32(0);
    return with_checksum(std::move(out));
}

Result<RecordHeader> decode_record_header(std::string_view octets) {
    if (octets.size() != record_header_size || !checksum_holds(octets)) {
        return corrupt("record header does not hold");
    }
    ByteReader in(octets);
    if (in.u32() != kRecordMagic || in.u32() != 0) {
        return corrupt("record header is of an unknown kind");
    }
    RecordHeader header;
    header.size = in.u64();
    header.durable = CommitSeq(in.u64());
    header.id = BlobId::from_bytes(in.raw(32));
    if (header.size > limits::blob_size_max) {
        return corrupt("record of " + std::to_string(header.size) + " octets");
    }
    return header;
}

std::string encode_record_tail(const RecordHeader& header) {
    ByteWriter out;
    out.u32(kTailMagic).u32(crc32c(encode(header)));
    return std::move(out).take();
}

bool is_record_tail(const RecordHeader& header, std::string_view octets) {
    return octets == encode_record_tail(header);
}

std::uint64_t record_size(std::uint64_t body_size) {
    return record_header_size + body_size + frame_count(body_size) * frame_checksum_size +
           record_tail_size;
}

std::uint64_t offset_in_record(std::uint64_t body_offset) {
    return record_header_size + body_offset + (body_offset / kFrame) * frame_checksum_size;
}

std::string frame_checksum(std::uint32_t crc) {
    ByteWriter out;
    out.u32(crc);
    return std::move(out).take();
}

std::uint32_t frame_seed(std::uint64_t index) {
    return static_cast<std::uint32_t>(index);
}

RecordRange range_of(std::uint64_t body_size, std::uint64_t offset, std::uint64_t length) {
    RecordRange range;
    if (offset >= body_size) {
        return range;
    }
    length = std::min(length, body_size - offset);
    if (length == 0) {
        return range;
    }
    range.first_frame = offset / kFrame;
    const std::uint64_t end_frame = frame_count(offset + length);
    const std::uint64_t body_end = std::min(end_frame * kFrame, body_size);
    const std::uint64_t end = record_header_size + body_end + end_frame * frame_checksum_size;
    range.has_header = range.first_frame == 0;
    range.start = range.has_header ? 0 : offset_in_record(range.first_frame * kFrame);
    range.size = static_cast<std::size_t>(end - range.start);
    range.skip = static_cast<std::size_t>(offset - range.first_frame * kFrame);
    range.length = static_cast<std::size_t>(length);
    return range;
}

Result<std::string> open_range(std::string raw, const RecordRange& range, const BlobId& id,
                               std::uint64_t body_size) {
    if (raw.size() != range.size) {
        return corrupt("segment ends within a body");
    }
    std::size_t from = 0;
    if (range.has_header) {
        const RecordHeader header =
            TRY(decode_record_header(std::string_view(raw).substr(0, record_header_size)));
        if (header.id != id || header.size != body_size) {
            return corrupt("record is of another body than its key says");
        }
        from = record_header_size;
    }
    std::size_t to = 0;
    for (std::uint64_t frame = range.first_frame; from < raw.size(); ++frame) {
        const std::size_t left = raw.size() - from;
        const std::size_t size =
            left >= kFrameOnDisk ? kFrame : left - std::min(left, frame_checksum_size);
        const std::string_view payload(raw.data() + from, size);
        ByteReader sum(std::string_view(raw).substr(from + size, frame_checksum_size));
        if (sum.u32() != crc32c(payload, frame_seed(frame)) || !sum.ok()) {
            return corrupt("checksum of frame " + std::to_string(frame) + " does not hold");
        }
        std::copy_n(raw.begin() + static_cast<std::ptrdiff_t>(from), size,
                    raw.begin() + static_cast<std::ptrdiff_t>(to));
        to += size;
        from += size + frame_checksum_size;
    }
    if (to < range.skip + range.length) {
        return corrupt("frames hold less than the range");
    }
    raw.resize(range.skip + range.length);
    raw.erase(0, range.skip);
    return raw;
}

RecordPieces::RecordPieces(const RecordHeader& header, std::string_view body) {
    const std::uint64_t frames = frame_count(body.size());
    scratch_.reserve(static_cast<std::size_t>(frames) + 2);
    views_.reserve(static_cast<std::size_t>(frames) * 2 + 2);
    views_.push_back(scratch_.emplace_back(encode(header)));
    for (std::uint64_t frame = 0; frame < frames; ++frame) {
        const std::string_view payload =
            body.substr(static_cast<std::size_t>(frame * kFrame), kFrame);
        views_.push_back(payload);
        views_.push_back(scratch_.emplace_back(frame_checksum(crc32c(payload, frame_seed(frame)))));
    }
    views_.push_back(scratch_.emplace_back(encode_record_tail(header)));
}

}  // namespace godwit::store
