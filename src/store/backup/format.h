// The files of a backup: identity, keys, manifest, and the names of all. Law: docs/storage.md
// "Backups". Pure: octets in, octets out. Decoding is total: what lies in a backup folder comes
// from outside. All integers big-endian.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/ids.h"
#include "base/result.h"

namespace godwit::store {

/// What this program writes, and the oldest program that may read what it wrote.
inline constexpr std::uint32_t backup_format_version = 1;
inline constexpr std::uint32_t backup_format_lowest_reader = 1;

/// Rows are collected to about this size before a block ends: one block is read to find one row.
inline constexpr std::size_t backup_block_size = 64 * 1024;
/// Of one block: the last row may be as large as a plan (plan_bytes_max), with room to grow.
inline constexpr std::size_t backup_block_size_max = 16 * 1024 * 1024;
inline constexpr std::size_t backup_key_size_max = 4096;  ///< A mailbox name and its fields: 600.
/// First keys of all blocks, held in memory while a backup is read: about 50 octets a block, so a
/// store with 100 GiB of rows needs 80 MiB.
inline constexpr std::size_t backup_index_size_max = 512 * 1024 * 1024;
/// Segment files of one generation: 128 MiB each, bodies of 1 MiB and more one each; 60 octets each
/// in memory.
inline constexpr std::size_t backup_parts_max = 4 * 1000 * 1000;
inline constexpr std::size_t backup_manifest_size_max = 256 * 1024 * 1024;

/// First in a backup folder: whose it is. Written once.
struct BackupIdentity {
    std::uint32_t version = backup_format_version;
    std::uint32_t lowest_reader = backup_format_lowest_reader;
    std::uint64_t store = 0;  ///< FormatRow::store: one folder holds backups of one store.
};
std::string encode(const BackupIdentity& identity);
/// Unsupported when only a newer program may read the folder.
Result<BackupIdentity> decode_backup_identity(std::string_view octets);
inline constexpr std::size_t backup_identity_size = 28;

/// First in a file of keys.
struct KeyFileHeader {
    std::uint64_t store = 0;
    CommitSeq commit;  ///< The last commit that the snapshot saw.
};
inline constexpr std::size_t key_file_header_size = 36;
std::string encode(const KeyFileHeader& header);
Result<KeyFileHeader> decode_key_file_header(std::string_view octets);

/// A row in a block. Views into the block's octets, which must stay.
struct BackupRowView {
    std::string_view key;
    std::string_view value;
};
/// Collects rows, whose keys rise, to one block.
class BlockBuilder {
public:
    void add(std::string_view key, std::string_view value);
    [[nodiscard]] bool is_empty() const { return rows_ == 0; }
    [[nodiscard]] std::size_t size() const { return payload_.size(); }
    [[nodiscard]] const std::string& first_key() const { return first_key_; }
    /// The whole block; begins the next one.
    std::string take(std::uint32_t number);

private:
    std::string payload_;
    std::string first_key_;
    std::uint32_t rows_ = 0;
};
/// Octets that a block begins with: "BLOK", its number, rows, and octets of rows.
inline constexpr std::size_t block_head_size = 16;
/// The rows of a whole block. Corrupt when its checksum, its number or the order of its keys does
/// not hold.
Result<std::vector<BackupRowView>> decode_block(std::string_view octets, std::uint32_t number);

/// Of a block that decode_block() refuses: the rows whose own checksums hold, when damage was found
/// that explains the refusal. Else none: then a key may be wrong, and a row under a wrong key is
/// worse than no row. Of a block that ends with the file, all rows before the cut.
enum class BlockEnd : std::uint8_t { Whole, Cut };
std::vector<BackupRowView> rest_of_block(std::string_view octets, std::uint32_t number,
                                         BlockEnd end = BlockEnd::Whole);

/// Where a block is.
struct BlockPlace {
    std::uint64_t offset = 0;
    std::string first_key;
};
std::string encode(const std::vector<BlockPlace>& index);
Result<std::vector<BlockPlace>> decode_block_index(std::string_view octets);
/// May an index begin so, with `size` octets up to the file's end?
inline constexpr std::size_t block_index_head_size = 10;
bool decode_block_index_head(std::string_view head, std::uint64_t size);

/// Last in a file of keys.
struct KeyFileTrailer {
    std::uint64_t index_offset = 0;
    std::uint64_t rows = 0;
    std::uint32_t blocks = 0;
};
inline constexpr std::size_t key_file_trailer_size = 32;
std::string encode(const KeyFileTrailer& trailer);
Result<KeyFileTrailer> decode_key_file_trailer(std::string_view octets);

/// Octets [from, to) of a segment file, in a file of their own that never changes.
struct BackupPart {
    std::uint32_t segment = 0;
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    Sha256Digest sha256{};
    bool operator==(const BackupPart&) const = default;
};

/// What one backup consists of. Written last: while it is not there, the backup is not.
struct BackupManifest {
    std::uint64_t store = 0;
    CommitSeq commit;
    WallTime taken_at{};
    std::uint64_t accounts = 0;
    std::uint64_t messages = 0;
    std::uint64_t rows = 0;
    /// Rows whose seal did not hold in the store itself: copied as they were.
    std::uint64_t damaged_rows = 0;
    std::uint64_t key_file_size = 0;
    Sha256Digest key_file_sha256{};
    /// By segment and offset. Those of one segment follow each other from 0 on, without a gap.
    std::vector<BackupPart> parts;
};
std::string encode(const BackupManifest& manifest);
/// Unsupported when only a newer program may read it.
Result<BackupManifest> decode_backup_manifest(std::string_view octets);

inline constexpr std::string_view backup_identity_name = "GODWIT-BACKUP";
inline constexpr std::string_view backup_manifest_suffix = ".manifest";
inline constexpr std::string_view backup_keys_suffix = ".keys";
/// Of a file that is being written.
inline constexpr std::string_view backup_unfinished_suffix = ".new";
/// "20260131T100000.123Z": names sort as times do.
std::string generation_name(WallTime at);
std::optional<WallTime> parse_generation_name(std::string_view name);
/// "seg-0000002a.0-1048576".
std::string part_name(const BackupPart& part);

}  // namespace godwit::store
