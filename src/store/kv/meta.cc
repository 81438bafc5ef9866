#include "store/kv/meta.h"

#include "base/bytes.h"
#include "store/kv/key.h"
#include "store/kv/record.h"

namespace godwit::store {
namespace {

constexpr std::uint8_t kVersion = 1;
// Second byte of a Z key.
constexpr std::string_view kFormat = "F";
constexpr std::string_view kCommitSeq = "C";
constexpr std::string_view kMailIds = "I";
constexpr std::string_view kSegment = "S";
constexpr std::string_view kSegmentNumbers = "N";

std::string encode_number(std::uint64_t number) {
    return seal(std::move(begin_record(kVersion).u64(number)));
}

Result<std::uint64_t> decode_number(std::string_view value, const char* what) {
    ByteReader in = TRY(read_record(value, kVersion, what));
    const std::uint64_t number = in.u64();
    TRY(in.finish(what));
    return number;
}

}  // namespace

std::string format_key() {
    return make_key(family::meta, kFormat);
}

std::string encode(const FormatRow& row) {
    return seal(
        std::move(begin_record(kVersion).u32(row.version).u32(row.lowest_reader).u64(row.store)));
}

Result<FormatRow> decode_format(std::string_view value) {
    ByteReader in = TRY(read_record(value, kVersion, "format row"));
    FormatRow row;
    row.version = in.u32();
    row.lowest_reader = in.u32();
    row.store = in.u64();
    TRY(in.finish("format row"));
    return row;
}

Result<std::optional<FormatRow>> load_format(const Kv& kv) {
    const auto value = TRY(kv.get(format_key(), ReadTier::Disk));
    if (!value) {
        return std::nullopt;
    }
    return TRY(decode_format(*value));
}

std::string commit_seq_key() {
    return make_key(family::meta, kCommitSeq);
}

std::string encode_commit_seq(CommitSeq seq) {
    return encode_number(seq.value());
}

Result<CommitSeq> decode_commit_seq(std::string_view value) {
    return CommitSeq(TRY(decode_number(value, "commit sequence row")));
}

Result<CommitSeq> load_commit_seq(const Kv& kv) {
    const auto value = TRY(kv.get(commit_seq_key(), ReadTier::Disk));
    return value ? decode_commit_seq(*value) : CommitSeq{};
}

std::string mail_id_reservation_key() {
    return make_key(family::meta, kMailIds);
}

std::string encode_mail_id_reservation(std::uint64_t bound) {
    return encode_number(bound);
}

Result<std::uint64_t> decode_mail_id_reservation(std::string_view value) {
    return decode_number(value, "mail id row");
}

std::string segment_key(std::uint32_t segment) {
    return make_key(family::meta, kSegment, segment);
}

std::string segment_prefix() {
    return make_key(family::meta, kSegment);
}

std::optional<std::uint32_t> parse_segment_key(std::string_view key) {
    if (key.size() != 6 || !key.starts_with(segment_prefix())) {
        return std::nullopt;
    }
    ByteReader in(key.substr(2));
    return in.u32();
}

std::string encode(const SegmentRow& row) {
    return seal(std::move(
        begin_record(kVersion).varint(row.end).varint(row.live_bytes).varint(row.live_bodies)));
}

Result<SegmentRow> decode_segment_row(std::string_view value) {
    ByteReader in = TRY(read_record(value, kVersion, "segment row"));
    SegmentRow row;
    row.end = in.varint();
    row.live_bytes = in.varint();
    row.live_bodies = in.varint();
    TRY(in.finish("segment row"));
    return row;
}

std::string segment_numbers_key() {
    return make_key(family::meta, kSegmentNumbers);
}

std::string encode(SegmentNumbers numbers) {
    return seal(std::move(begin_record(kVersion).u32(numbers.shared).u32(numbers.own)));
}

Result<SegmentNumbers> decode_segment_numbers(std::string_view value) {
    ByteReader in = TRY(read_record(value, kVersion, "segment numbers row"));
    SegmentNumbers numbers;
    numbers.shared = in.u32();
    numbers.own = in.u32();
    TRY(in.finish("segment numbers row"));
    return numbers;
}

}  // namespace godwit::store
