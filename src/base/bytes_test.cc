#include "base/bytes.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(Bytes, What_was_written_is_read_back) {
    ByteWriter writer;
    writer.u8(7)
        .u16(65535)
        .u32(1U << 31U)
        .u64(UINT64_MAX)
        .varint(300)
        .svarint(-5)
        .bytes("abc")
        .raw("z");
    ByteReader reader(writer.view());
    EXPECT_EQ(reader.u8(), 7);
    EXPECT_EQ(reader.u16(), 65535);
    EXPECT_EQ(reader.u32(), 1U << 31U);
    EXPECT_EQ(reader.u64(), UINT64_MAX);
    EXPECT_EQ(reader.varint(), 300U);
    EXPECT_EQ(reader.svarint(), -5);
    EXPECT_EQ(reader.bytes(), "abc");
    EXPECT_EQ(reader.raw(1), "z");
    EXPECT_TRUE(reader.finish("test").has_value());
}

TEST(Bytes, Every_truncation_is_an_error_and_never_reads_past_the_end) {
    ByteWriter writer;
    writer.u32(1).varint(UINT64_MAX).bytes("hello");
    const std::string whole(writer.view());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        ByteReader reader(std::string_view(whole).substr(0, size));
        reader.u32();
        reader.varint();
        reader.bytes();
        EXPECT_FALSE(reader.finish("test").has_value()) << size;
    }
}

TEST(Bytes, Varint_of_eleven_bytes_is_an_error) {
    ByteReader reader("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
    reader.varint();
    EXPECT_FALSE(reader.ok());
}

TEST(Bytes, Crc32c_matches_the_published_vector) {
    // RFC 3720: 32 bytes of zeroes, and the usual check string.
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
    EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
    EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xE3069283U);
}

}  // namespace
}  // namespace godwit
