// The X row: where a stored body is. Law: docs/storage.md.
#include "base/bytes.h"
#include "base/limits.h"
#include "store/blob/blob.h"
#include "store/kv/record.h"

namespace godwit::store {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kInline = 0;
constexpr std::uint8_t kSegment = 1;

}  // namespace

std::string encode(const BlobLocation& location) {
    ByteWriter out = begin_record(kVersion);
    if (const auto* place = std::get_if<SegmentPlace>(&location.place)) {
        out.u8(kSegment).varint(location.size).u32(place->segment).varint(place->offset);
    } else {
        out.u8(kInline).varint(location.size).raw(std::get<std::string>(location.place));
    }
    return seal(std::move(out));
}

Result<BlobLocation> decode_blob_location(std::string_view value) {
    ByteReader in = TRY(read_record(value, kVersion, "blob location"));
    const std::uint8_t kind = in.u8();
    BlobLocation location;
    location.size = in.varint_at_most(limits::blob_size_max);
    if (kind == kSegment) {
        SegmentPlace place;
        place.segment = in.u32();
        place.offset = in.varint();
        location.place = place;
    } else if (kind == kInline && in.ok() && in.remaining() == location.size) {
        location.place = std::string(in.raw(in.remaining()));
    } else {
        return internal_error(ErrorCode::Corrupt, "blob location of no known kind");
    }
    TRY(in.finish("blob location"));
    return location;
}

}  // namespace godwit::store
