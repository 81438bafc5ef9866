#include "store/kv/record.h"

#include <gtest/gtest.h>

#include "store/kv/key.h"
#include "store/kv/meta.h"

namespace godwit::store {
namespace {

TEST(Record, Sealed_opens_to_the_same_payload) {
    const std::string value = seal(7, "payload");
    const auto record = open_record(value);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->version, 7);
    EXPECT_EQ(record->payload, "payload");
    EXPECT_EQ(value, seal(std::move(begin_record(7).raw("payload"))));
}

TEST(Record, Every_flipped_bit_is_noticed) {
    const std::string value = seal(1, "some bytes that matter");
    for (std::size_t bit = 0; bit < value.size() * 8; ++bit) {
        std::string damaged = value;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_FALSE(open_record(damaged)) << bit;
    }
}

TEST(Record, Other_versions_are_unsupported_and_named) {
    const std::string value = seal(2, "abc");
    Result<ByteReader> reader = read_record(value, 2, "a row");
    ASSERT_TRUE(reader);
    EXPECT_EQ(reader->raw(3), "abc");
    const Result<ByteReader> older = read_record(value, 1, "a row");
    ASSERT_FALSE(older);
    EXPECT_EQ(older.error().code, ErrorCode::Unsupported);
    EXPECT_EQ(older.error().text, "a row of version 2; this program reads 1");
    const Result<ByteReader> damaged = read_record(value.substr(1), 2, "a row");
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().code, ErrorCode::Corrupt);
}

TEST(Record, Short_values_are_corrupt) {
    const std::string value = seal(1, "abc");
    for (std::size_t size = 0; size < value.size(); ++size) {
        const auto record = open_record(std::string_view(value).substr(0, size));
        ASSERT_FALSE(record);
        EXPECT_EQ(record.error().code, ErrorCode::Corrupt);
    }
}

TEST(Key, Orders_as_numbers_and_bounds_prefixes) {
    EXPECT_LT(make_key('U', std::uint32_t{255}), make_key('U', std::uint32_t{256}));
    EXPECT_EQ(prefix_end("ab"), "ac");
    EXPECT_EQ(prefix_end("a\xff"), "b");
    EXPECT_EQ(prefix_end("\xff\xff"), "");
    EXPECT_EQ(link_key(BlobId{}, AccountId{1}, EmailId{2}).size(), link_key_size);
    EXPECT_EQ(blob_location_key(BlobId{}).size(), blob_location_key_size);
}

TEST(Meta, Rows_survive_the_round_trip) {
    const SegmentRow row{.end = 1234567, .live_bytes = 99, .live_bodies = 3};
    EXPECT_EQ(decode_segment_row(encode(row)).value(), row);
    const SegmentNumbers numbers{.shared = 7, .own = 0x7FFFFFFF};
    EXPECT_EQ(decode_segment_numbers(encode(numbers)).value(), numbers);
    EXPECT_EQ(decode_commit_seq(encode_commit_seq(CommitSeq{42})).value(), CommitSeq{42});
    EXPECT_EQ(parse_segment_key(segment_key(77)), 77U);
    EXPECT_EQ(parse_segment_key(format_key()), std::nullopt);
    EXPECT_EQ(decode_format(encode(FormatRow{})).value().version, format_version);
}

}  // namespace
}  // namespace godwit::store
