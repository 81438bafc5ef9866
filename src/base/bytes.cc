#include "base/bytes.h"

#include <array>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace godwit {

namespace {

void append_fixed(std::string& out, std::uint64_t value, std::size_t width) {
    for (std::size_t i = width; i-- > 0;) {
        out += static_cast<char>((value >> (i * 8)) & 0xFFU);
    }
}

constexpr std::array<std::uint32_t, 256> make_crc_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc & 1U) != 0 ? (crc >> 1U) ^ 0x82F63B78U : crc >> 1U;
        }
        table[i] = crc;
    }
    return table;
}
constexpr auto kCrcTable = make_crc_table();

std::uint32_t crc32c_table(std::string_view bytes, std::uint32_t crc) {
    for (const char c : bytes) {
        crc = kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xFFU] ^ (crc >> 8U);
    }
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_hardware(std::string_view bytes,
                                                                std::uint32_t crc) {
    std::uint64_t wide = crc;
    while (bytes.size() >= 8) {
        std::uint64_t word = 0;
        __builtin_memcpy(&word, bytes.data(), 8);
        wide = _mm_crc32_u64(wide, word);
        bytes.remove_prefix(8);
    }
    auto narrow = static_cast<std::uint32_t>(wide);
    for (const char c : bytes) {
        narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(c));
    }
    return narrow;
}
#endif

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) {
        return ~crc32c_hardware(bytes, ~seed);
    }
#endif
    return ~crc32c_table(bytes, ~seed);
}

ByteWriter& ByteWriter::u8(std::uint8_t value) {
    out_ += static_cast<char>(value);
    return *this;
}
ByteWriter& ByteWriter::u16(std::uint16_t value) {
    append_fixed(out_, value, 2);
    return *this;
}
ByteWriter& ByteWriter::u32(std::uint32_t value) {
    append_fixed(out_, value, 4);
    return *this;
}
ByteWriter& ByteWriter::u64(std::uint64_t value) {
    append_fixed(out_, value, 8);
    return *this;
}
ByteWriter& ByteWriter::varint(std::uint64_t value) {
    while (value >= 0x80) {
        out_ += static_cast<char>((value & 0x7FU) | 0x80U);
        value >>= 7U;
    }
    out_ += static_cast<char>(value);
    return *this;
}
ByteWriter& ByteWriter::svarint(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    return varint((bits << 1U) ^ (value < 0 ? ~std::uint64_t{0} : 0));
}
ByteWriter& ByteWriter::raw(std::string_view bytes) {
    out_ += bytes;
    return *this;
}
ByteWriter& ByteWriter::bytes(std::string_view bytes) {
    varint(bytes.size());
    out_ += bytes;
    return *this;
}

std::uint64_t ByteReader::fixed(std::size_t width) {
    if (!ok_ || rest_.size() < width) {
        ok_ = false;
        return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i) {
        value = value << 8U | static_cast<unsigned char>(rest_[i]);
    }
    rest_.remove_prefix(width);
    return value;
}
std::uint8_t ByteReader::u8() {
    return static_cast<std::uint8_t>(fixed(1));
}
std::uint16_t ByteReader::u16() {
    return static_cast<std::uint16_t>(fixed(2));
}
std::uint32_t ByteReader::u32() {
    return static_cast<std::uint32_t>(fixed(4));
}
std::uint64_t ByteReader::u64() {
    return fixed(8);
}

std::uint64_t ByteReader::varint() {
    // Most numbers are small.
    if (ok_ && !rest_.empty() && static_cast<unsigned char>(rest_.front()) < 0x80) {
        const auto small = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        return small;
    }
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (!ok_ || rest_.empty()) {
            break;
        }
        const auto byte = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        if (shift == 63 && byte > 1) {
            break;
        }
        value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    ok_ = false;
    return 0;
}
std::int64_t ByteReader::svarint() {
    const std::uint64_t bits = varint();
    return static_cast<std::int64_t>((bits >> 1U) ^ ((bits & 1U) != 0 ? ~std::uint64_t{0} : 0));
}
std::uint64_t ByteReader::varint_at_most(std::uint64_t max) {
    const std::uint64_t value = varint();
    if (value > max) {
        ok_ = false;
        return 0;
    }
    return value;
}
std::string_view ByteReader::raw(std::size_t count) {
    if (!ok_ || rest_.size() < count) {
        ok_ = false;
        return {};
    }
    const std::string_view piece = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return piece;
}
std::string_view ByteReader::bytes() {
    const std::uint64_t size = varint();
    if (size > rest_.size()) {
        ok_ = false;
        return {};
    }
    return raw(static_cast<std::size_t>(size));
}
Result<> ByteReader::finish(std::string_view record, bool whole) const {
    if (!ok_ || (whole && !rest_.empty())) {
        return internal_error(ErrorCode::Corrupt, "record does not decode: " + std::string(record));
    }
    return {};
}

}  // namespace godwit
