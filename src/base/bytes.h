// Reading and writing the fixed forms of binary records: big-endian integers, varints, strings with
// a length. One writer and one reader for every record on disk; a short or overlong record is an
// error, never a read past the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit {

/// Appends to a string it owns. Fixed integers are big-endian, so that keys sort as numbers.
class ByteWriter {
public:
    ByteWriter& u8(std::uint8_t value);
    ByteWriter& u16(std::uint16_t value);
    ByteWriter& u32(std::uint32_t value);
    ByteWriter& u64(std::uint64_t value);
    /// LEB128, 1-10 bytes.
    ByteWriter& varint(std::uint64_t value);
    /// Zigzag, for signed numbers.
    ByteWriter& svarint(std::int64_t value);
    /// As it is, without a length.
    ByteWriter& raw(std::string_view bytes);
    /// With a varint length before it.
    ByteWriter& bytes(std::string_view bytes);

    [[nodiscard]] std::string_view view() const { return out_; }
    [[nodiscard]] std::string take() && { return std::move(out_); }

private:
    std::string out_;
};

/// Reads what ByteWriter wrote. Sticky: after one failure every read gives zero or empty and ok()
/// is false, so a decoder checks once at its end. Views are into the input, which must outlive
/// them.
class ByteReader {
public:
    explicit ByteReader(std::string_view input) : rest_(input) {}
    std::uint8_t u8();
    std::uint16_t u16();
    std::uint32_t u32();
    std::uint64_t u64();
    std::uint64_t varint();
    std::int64_t svarint();
    /// A varint that must be at most `max` (a count about to be reserved).
    std::uint64_t varint_at_most(std::uint64_t max);
    std::string_view raw(std::size_t count);
    std::string_view bytes();
    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    [[nodiscard]] std::size_t remaining() const { return rest_.size(); }
    /// Corrupt error naming `record` unless all reads succeeded (and, if asked, all was read).
    [[nodiscard]] Result<> finish(std::string_view record, bool whole = true) const;

private:
    std::uint64_t fixed(std::size_t width);
    std::string_view rest_;
    bool ok_ = true;
};

/// CRC-32C (Castagnoli), as in RFC 3720; the checksum in every stored value. Hardware where there
/// is.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

}  // namespace godwit
