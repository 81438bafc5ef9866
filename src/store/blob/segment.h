// The format of segment files: a file header, then records of one body each: header, frames of 64
// KiB with a checksum after each, tail. Law: docs/storage.md "Segments"; STORE.md "The commit
// path". Pure: octets in, octets out. Decoding is total. All integers big-endian.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace godwit::store {

inline constexpr std::size_t segment_header_size = 32;
inline constexpr std::size_t record_header_size = 64;
inline constexpr std::size_t record_tail_size = 8;
inline constexpr std::size_t frame_checksum_size = 4;

/// First in each file.
struct SegmentHeader {
    std::uint32_t number = 0;
    CommitSeq durable;        ///< The last durable commit when the file was made.
    std::uint64_t store = 0;  ///< Whose it is: FormatRow::store.
};
std::string encode(const SegmentHeader& header);
Result<SegmentHeader> decode_segment_header(std::string_view octets);

/// Before each body. `durable` is the last durable commit when the record was written: a store
/// whose keys end before it has lost a synced tail of its log.
struct RecordHeader {
    std::uint64_t size = 0;  ///< Of the body.
    CommitSeq durable;
    BlobId id;
};
std::string encode(const RecordHeader& header);
Result<RecordHeader> decode_record_header(std::string_view octets);
/// After the last frame; says that the record was written to its end.
std::string encode_record_tail(const RecordHeader& header);
bool is_record_tail(const RecordHeader& header, std::string_view octets);

/// Octets of a whole record: header, frames with checksums, tail.
std::uint64_t record_size(std::uint64_t body_size);
/// Where octet `body_offset` of the body is, counted from the record's start.
std::uint64_t offset_in_record(std::uint64_t body_offset);
/// What follows a frame whose checksum is `crc`.
std::string frame_checksum(std::uint32_t crc);
/// The seed of a frame's CRC-32C: frames that change places are noticed.
std::uint32_t frame_seed(std::uint64_t index);

/// The octets of a record that hold [offset, offset + length) of its body: whole frames, and the
/// header too when the first frame is among them.
struct RecordRange {
    std::uint64_t start = 0;  ///< From the record's start.
    std::size_t size = 0;
    std::uint64_t first_frame = 0;
    bool has_header = false;
    std::size_t skip = 0;    ///< Body octets before `offset` in the first frame.
    std::size_t length = 0;  ///< What was asked for, cut at the body's end.
};
RecordRange range_of(std::uint64_t body_size, std::uint64_t offset, std::uint64_t length);
/// Checks the frames in `raw` (what the file holds at `range`) and leaves only the body octets
/// asked for, in place. Corrupt when it is short or a checksum does not hold.
Result<std::string> open_range(std::string raw, const RecordRange& range, const BlobId& id,
                               std::uint64_t body_size);

/// What a record of `body` is made of, as views into `body` (which must stay) and its own strings.
class RecordPieces {
public:
    RecordPieces(const RecordHeader& header, std::string_view body);
    RecordPieces(RecordPieces&&) noexcept = default;
    RecordPieces& operator=(RecordPieces&&) noexcept = default;
    RecordPieces(const RecordPieces&) = delete;
    RecordPieces& operator=(const RecordPieces&) = delete;
    ~RecordPieces() = default;
    [[nodiscard]] const std::vector<std::string_view>& views() const { return views_; }

private:
    std::vector<std::string> scratch_;
    std::vector<std::string_view> views_;  ///< Into scratch_ and the caller's body.
};

}  // namespace godwit::store
