// The files of a backup: what is encoded is decoded, what is damaged or newer is refused.
#include "store/backup/format.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/bytes.h"

namespace godwit::store {
namespace {

BackupManifest sample_manifest() {
    BackupManifest manifest;
    manifest.store = 0x1122334455667788;
    manifest.commit = CommitSeq(99);
    manifest.taken_at = from_unix_seconds(1'769'853'600) + std::chrono::microseconds(123456);
    manifest.accounts = 3;
    manifest.messages = 1000;
    manifest.rows = 7000;
    manifest.key_file_size = 123456;
    manifest.key_file_sha256 = sha256("keys");
    manifest.parts = {{.segment = 1, .from = 0, .to = 500, .sha256 = sha256("a")},
                      {.segment = 1, .from = 500, .to = 900, .sha256 = sha256("b")},
                      {.segment = 0x80000002, .from = 0, .to = 2000000, .sha256 = sha256("c")}};
    return manifest;
}

std::string sample_block() {
    BlockBuilder block;
    block.add("Ka", "one");
    block.add("Kb", std::string(300, 'v'));
    block.add("Kc", "");
    return block.take(5);
}

/// Every octet matters: with one bit turned, or the end cut off, nothing decodes.
void expect_no_damage_passes(const std::string& whole,
                             const std::function<bool(std::string_view)>& decodes) {
    ASSERT_TRUE(decodes(whole));
    for (std::size_t i = 0; i < whole.size(); ++i) {
        std::string damaged = whole;
        damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
        EXPECT_FALSE(decodes(damaged)) << "octet " << i;
        EXPECT_FALSE(decodes(std::string_view(whole).substr(0, i))) << "cut at " << i;
    }
    EXPECT_FALSE(decodes(whole + "x"));
}

TEST(BackupFormat, Manifest_comes_back_whole) {
    const BackupManifest before = sample_manifest();
    const auto after = decode_backup_manifest(encode(before));
    ASSERT_TRUE(after) << after.error().text;
    EXPECT_EQ(after->store, before.store);
    EXPECT_EQ(after->commit, before.commit);
    EXPECT_EQ(after->taken_at, before.taken_at);
    EXPECT_EQ(after->messages, before.messages);
    EXPECT_EQ(after->key_file_sha256, before.key_file_sha256);
    EXPECT_EQ(after->parts, before.parts);
}

TEST(BackupFormat, Manifest_with_a_gap_between_parts_is_refused) {
    BackupManifest manifest = sample_manifest();
    manifest.parts[1].from = 600;
    EXPECT_FALSE(decode_backup_manifest(encode(manifest)));
    manifest = sample_manifest();
    manifest.parts[0].from = 1;
    EXPECT_FALSE(decode_backup_manifest(encode(manifest)));
    manifest = sample_manifest();
    std::swap(manifest.parts[0], manifest.parts[2]);
    EXPECT_FALSE(decode_backup_manifest(encode(manifest)));
}

TEST(BackupFormat, Block_comes_back_whole) {
    const std::string octets = sample_block();
    const auto rows = decode_block(octets, 5);
    ASSERT_TRUE(rows) << rows.error().text;
    ASSERT_EQ(rows->size(), 3U);
    EXPECT_EQ((*rows)[0].key, "Ka");
    EXPECT_EQ((*rows)[0].value, "one");
    EXPECT_EQ((*rows)[1].value, std::string(300, 'v'));
    EXPECT_EQ((*rows)[2].value, "");
    EXPECT_FALSE(decode_block(octets, 4)) << "a block in another one's place";
}

TEST(BackupFormat, Block_whose_keys_do_not_rise_is_refused) {
    BlockBuilder block;
    block.add("Kb", "1");
    block.add("Ka", "2");
    EXPECT_FALSE(decode_block(block.take(0), 0));
}

TEST(BackupFormat, No_damage_of_one_bit_passes) {
    expect_no_damage_passes(encode(BackupIdentity{.store = 42}), [](std::string_view octets) {
        return decode_backup_identity(octets).has_value();
    });
    expect_no_damage_passes(
        encode(KeyFileHeader{.store = 42, .commit = CommitSeq(7)}),
        [](std::string_view octets) { return decode_key_file_header(octets).has_value(); });
    expect_no_damage_passes(
        encode(KeyFileTrailer{.index_offset = 42, .rows = 7, .blocks = 1}),
        [](std::string_view octets) { return decode_key_file_trailer(octets).has_value(); });
    expect_no_damage_passes(
        encode(std::vector<BlockPlace>{{36, "A"}, {900, "M"}}),
        [](std::string_view octets) { return decode_block_index(octets).has_value(); });
    expect_no_damage_passes(sample_block(), [](std::string_view octets) {
        return decode_block(octets, 5).has_value();
    });
    expect_no_damage_passes(encode(sample_manifest()), [](std::string_view octets) {
        return decode_backup_manifest(octets).has_value();
    });
}

TEST(BackupFormat, Newer_format_is_refused_with_a_clear_word) {
    const auto identity = decode_backup_identity(
        encode(BackupIdentity{.version = 9, .lowest_reader = 8, .store = 1}));
    ASSERT_FALSE(identity);
    EXPECT_EQ(identity.error().code, ErrorCode::Unsupported);
    EXPECT_NE(identity.error().text.find("newer program"), std::string::npos);
    // A newer program's format that this one may read.
    EXPECT_TRUE(decode_backup_identity(
        encode(BackupIdentity{.version = 9, .lowest_reader = 1, .store = 1})));
}

TEST(BackupFormat, Generation_names_are_times) {
    const WallTime at = from_unix_seconds(1'769'853'600) + std::chrono::milliseconds(7);
    EXPECT_EQ(generation_name(at), "20260131T100000.007Z");
    EXPECT_EQ(parse_generation_name("20260131T100000.007Z"), at);
    for (const char* wrong :
         {"", "20260131T100000Z", "20261331T100000.007Z", "20260230T100000.007Z",
          "20260131T240000.007Z", "20260131T100000.007z", "../../etc/passwd.00Z"}) {
        EXPECT_FALSE(parse_generation_name(wrong)) << wrong;
    }
    EXPECT_EQ(part_name({.segment = 42, .from = 0, .to = 1048576}), "seg-0000002a.0-1048576");
    EXPECT_EQ(part_name({.segment = 0x80000001, .from = 0, .to = 9}), "own-80000001.0-9");
}

}  // namespace
}  // namespace godwit::store
