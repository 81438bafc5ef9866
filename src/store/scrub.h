// Reads the whole store again, a little at a time, so that damage is found while there is still a
// copy elsewhere: the seal of every row, and each body by its hash. What it finds stays in rows
// until it is found mended. Law: RELIABILITY.md 3; docs/storage.md; docs/operating/repair.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/blob/blob.h"
#include "store/commit/plan.h"
#include "store/kv/kv.h"

namespace godwit::store {

/// How fast a pass may read: a disk gives a hundred times as much, and 1 TiB takes three days.
inline constexpr std::uint64_t scrub_octets_per_second = 4ULL * 1024 * 1024;
/// A step ends with the row that passes this: an eighth of a second of the rate above. One body may
/// be larger (blob_size_max); the rest after it is as much longer.
inline constexpr std::uint64_t scrub_step_octets = 512ULL * 1024;
inline constexpr std::size_t scrub_step_rows = 2048;
/// From the beginning of one pass to that of the next: disks lose octets over months.
inline constexpr std::chrono::days scrub_every(7);
/// Places that are remembered; a disk that lost more is dead, and fsck counts them all.
inline constexpr std::size_t scrub_damaged_max = 1000;

/// Where the scrubber is, and what its last whole pass was. A row (G), so that a new process goes
/// on where the old one stopped.
struct ScrubState {
    std::string next;  ///< The first key not looked at; empty between passes.
    bool is_under_way = false;
    bool is_wanted = false;     ///< `godwit scrub`: do not wait for the week to end.
    WallTime begun{};           ///< The pass under way, or the last one.
    std::uint64_t bodies = 0;   ///< Read in this pass.
    std::uint64_t damaged = 0;  ///< Rows and bodies, in this pass.
    WallTime last_end{};        ///< Of the last whole pass; zero: there was none.
    std::uint64_t last_bodies = 0;
    std::uint64_t last_damaged = 0;
    bool operator==(const ScrubState&) const = default;
};
std::string encode(const ScrubState& state);
Result<ScrubState> decode_scrub_state(std::string_view value);
/// As it begins where there is no row, or a damaged one.
Result<ScrubState> read_scrub_state(const Snapshot& snapshot, ReadTier tier);

/// Something found damaged and not yet found mended.
struct Damaged {
    std::string key;  ///< Of the row; for a body, of its place (X).
    WallTime found{};
    std::string error;
};
Result<std::vector<Damaged>> read_damaged(const Snapshot& snapshot, ReadTier tier);

struct ScrubStep {
    ScrubState state;  ///< After the step.
    std::uint64_t octets = 0;
    std::vector<Damaged> found;
    std::vector<std::string> mended;  ///< Keys of rows of damage that is no more.
};
/// True when a pass is under way or to begin.
bool is_scrub_due(const ScrubState& state, WallTime now);
/// The next rows of the pass, or the beginning of one. Blocks on the disk. Fails only when the
/// engine fails as a whole.
Result<ScrubStep> scrub_step(const Kv& kv, const BlobStore& blobs, ScrubState state, WallTime now);
/// What a step changed, as rows.
Plan plan_scrub(const ScrubStep& step);
/// Asks for a pass now.
Plan plan_scrub_request(ScrubState state);

}  // namespace godwit::store
