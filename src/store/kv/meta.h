// Rows of the store about itself (family Z): format, commit sequence, reserved mail ids, segments.
// Law: STORE.md "From the first version"; docs/storage.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "store/kv/kv.h"

namespace godwit::store {

/// What this program writes, and the oldest program that may open what it wrote.
inline constexpr std::uint32_t format_version = 1;
inline constexpr std::uint32_t format_lowest_reader = 1;
/// Version and lowest reader of a folder that a backup is being restored into: no program opens it.
inline constexpr std::uint32_t unfinished_restore_format = 0xFFFFFFFFU;

struct FormatRow {
    std::uint32_t version = format_version;
    std::uint32_t lowest_reader = format_lowest_reader;
    /// Drawn when the store was made; in each segment file too, so that keys and bodies of two
    /// stores (a restored backup) cannot be mixed.
    std::uint64_t store = 0;
};
std::string format_key();
std::string encode(const FormatRow& row);
Result<FormatRow> decode_format(std::string_view value);
/// nullopt in an empty store.
Result<std::optional<FormatRow>> load_format(const Kv& kv);

/// The heartbeat: rides in every commit.
std::string commit_seq_key();
std::string encode_commit_seq(CommitSeq seq);
Result<CommitSeq> decode_commit_seq(std::string_view value);
/// 0 before the first commit.
Result<CommitSeq> load_commit_seq(const Kv& kv);

/// Mail ids below this number may have been given.
std::string mail_id_reservation_key();
std::string encode_mail_id_reservation(std::uint64_t bound);
Result<std::uint64_t> decode_mail_id_reservation(std::string_view value);

/// Counters of one segment file.
struct SegmentRow {
    std::uint64_t end = 0;         ///< Octets up to the end of the last committed record.
    std::uint64_t live_bytes = 0;  ///< Bodies that an X row points to.
    std::uint64_t live_bodies = 0;
    bool operator==(const SegmentRow&) const = default;
};
std::string segment_key(std::uint32_t segment);
std::string segment_prefix();
/// The number in a key made by segment_key().
std::optional<std::uint32_t> parse_segment_key(std::string_view key);
std::string encode(const SegmentRow& row);
Result<SegmentRow> decode_segment_row(std::string_view value);

/// The highest numbers that commits gave to segments. Never lowered: a backup tells segments apart
/// by their numbers, also those whose files are long gone.
struct SegmentNumbers {
    std::uint32_t shared = 0;
    std::uint32_t own = 0;  ///< Without own_segment_bit.
    bool operator==(const SegmentNumbers&) const = default;
};
std::string segment_numbers_key();
std::string encode(SegmentNumbers numbers);
Result<SegmentNumbers> decode_segment_numbers(std::string_view value);

}  // namespace godwit::store
