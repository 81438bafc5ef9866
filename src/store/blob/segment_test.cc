#include "store/blob/segment.h"

#include <gtest/gtest.h>

#include "base/crypto.h"
#include "base/limits.h"
#include "base/random.h"
#include "store/blob/blob.h"

namespace godwit::store {
namespace {

struct Record {
    BlobId id;
    std::string body;
    std::string octets;
};

Record make_record(std::size_t size) {
    SeededRandom random(size);
    Record record;
    record.body = random.bytes(size);
    record.id.hash = sha256(record.body);
    const RecordPieces pieces({.size = size, .durable = CommitSeq{9}, .id = record.id},
                              record.body);
    for (const std::string_view piece : pieces.views()) {
        record.octets += piece;
    }
    return record;
}

TEST(Segment, Headers_survive_the_round_trip) {
    const auto segment =
        decode_segment_header(encode(SegmentHeader{.number = 5, .durable = CommitSeq{8}}));
    ASSERT_TRUE(segment);
    EXPECT_EQ(segment->number, 5U);
    EXPECT_EQ(segment->durable, CommitSeq{8});
    const RecordHeader written{.size = 70000, .durable = CommitSeq{3}, .id = make_record(1).id};
    const auto header = decode_record_header(encode(written));
    ASSERT_TRUE(header);
    EXPECT_EQ(header->size, 70000U);
    EXPECT_EQ(header->durable, CommitSeq{3});
    EXPECT_EQ(header->id, written.id);
    EXPECT_EQ(encode(written).size(), record_header_size);
    EXPECT_EQ(encode(SegmentHeader{}).size(), segment_header_size);
}

TEST(Segment, Record_is_as_long_as_it_says) {
    for (const std::size_t size : {0UL, 1UL, 65535UL, 65536UL, 65537UL, 200000UL}) {
        EXPECT_EQ(make_record(size).octets.size(), record_size(size)) << size;
    }
}

TEST(Segment, Any_range_gives_the_octets_of_the_body) {
    SeededRandom random(3);
    const Record record = make_record(300000);
    for (int i = 0; i < 300; ++i) {
        const std::uint64_t offset = random.below(310000);
        const std::uint64_t length = random.below(random.below(2) == 0 ? 100 : 310000);
        const RecordRange range = range_of(record.body.size(), offset, length);
        const auto got =
            open_range(record.octets.substr(static_cast<std::size_t>(range.start), range.size),
                       range, record.id, record.body.size());
        ASSERT_TRUE(got) << got.error().text;
        const std::string expected = offset >= record.body.size()
                                         ? std::string()
                                         : record.body.substr(static_cast<std::size_t>(offset),
                                                              static_cast<std::size_t>(length));
        ASSERT_EQ(*got, expected) << offset << ' ' << length;
    }
}

TEST(Segment, Flipped_bits_are_noticed) {
    SeededRandom random(4);
    const Record record = make_record(140000);
    const RecordRange range = range_of(record.body.size(), 0, record.body.size());
    for (int i = 0; i < 300; ++i) {
        std::string raw = record.octets.substr(0, range.size);
        const std::size_t at = random.below(raw.size());
        raw[at] = static_cast<char>(raw[at] ^ (1 << random.below(8)));
        EXPECT_FALSE(open_range(std::move(raw), range, record.id, record.body.size())) << at;
    }
}

TEST(Segment, Swapped_frames_are_noticed) {
    const Record record = make_record(3 * limits::blob_frame_size);
    const RecordRange range =
        range_of(record.body.size(), limits::blob_frame_size, 2 * limits::blob_frame_size);
    const std::string raw = record.octets.substr(static_cast<std::size_t>(range.start), range.size);
    const std::size_t half = raw.size() / 2;
    EXPECT_FALSE(
        open_range(raw.substr(half) + raw.substr(0, half), range, record.id, record.body.size()));
}

TEST(BlobLocation, Survives_the_round_trip_and_refuses_damage) {
    const BlobLocation small{.size = 3, .place = std::string("abc")};
    const auto back = decode_blob_location(encode(small));
    ASSERT_TRUE(back);
    EXPECT_EQ(std::get<std::string>(back->place), "abc");
    const auto placed =
        decode_blob_location(encode(BlobLocation{.size = 9, .place = SegmentPlace{7, 1234567}}));
    ASSERT_TRUE(placed);
    EXPECT_EQ(std::get<SegmentPlace>(placed->place).offset, 1234567U);
    EXPECT_FALSE(
        decode_blob_location(encode(BlobLocation{.size = 4, .place = std::string("abc")})));
}

}  // namespace
}  // namespace godwit::store
