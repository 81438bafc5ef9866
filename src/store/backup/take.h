// Takes a backup of a store at work, in bounded steps: the rows of one snapshot, then the parts of
// segment files that they name and no earlier backup has, then the manifest.
// Law: docs/storage.md "Backups"; RELIABILITY.md 3 (no engine checkpoint: rows are iterated).
// One thread at a time; each step blocks on the disk (offload pool).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/backup/folder.h"
#include "store/store.h"

namespace godwit::store {

/// Read and written by one step, then synced: what mail's own syncs have to wait behind.
inline constexpr std::uint64_t backup_step_bytes = 8ULL * 1024 * 1024;
/// A backup that takes longer gives up: it holds back the space of dead segments.
inline constexpr std::chrono::hours backup_time_max{24};
/// Left free on the backup's disk, which may be the mail's own: there intake stops at 256 MiB
/// (StoreOptions::disk_low_bytes) and begins again with a quarter more. A backup ends before that,
/// with room for the mail that comes while one of its steps writes.
inline constexpr std::uint64_t backup_free_space_min = 512ULL * 1024 * 1024;
/// Parts of one segment: with more, it is copied anew as one. An hourly backup meets a segment that
/// is still being written a few times only.
inline constexpr std::size_t backup_parts_of_segment_max = 16;

struct BackupRequest {
    std::string folder;    ///< Absolute.
    std::size_t keep = 0;  ///< Of the finished backups, this one among them; 0: all. A backup
                           ///< with damaged rows ends none.
};

struct BackupProgress {
    std::uint64_t rows = 0;
    std::uint64_t key_bytes = 0;
    std::uint64_t segments_to_copy = 0;
    std::uint64_t bytes_to_copy = 0;
    std::uint64_t bytes_copied = 0;
};

struct BackupSummary {
    std::string generation;
    std::uint64_t accounts = 0;
    std::uint64_t messages = 0;
    std::uint64_t rows = 0;
    std::uint64_t damaged_rows = 0;  ///< See BackupManifest: the store needs a fsck.
    std::uint64_t key_bytes = 0;
    std::uint64_t segment_bytes = 0;  ///< Of all segments that the backup has.
    std::uint64_t copied_bytes = 0;   ///< Of these, not in an earlier backup.
    std::uint64_t copied_parts = 0;
    std::size_t removed = 0;  ///< Backups that `keep` ended; none when rows are damaged.
};

class BackupRun {
public:
    /// Takes the folder, holds the segments and takes the snapshot. Denied when the folder is the
    /// store's own, another store's, or not a backup's; Unavailable when another run writes there.
    /// All pointers outlive it.
    static Result<std::unique_ptr<BackupRun>> begin(Store* store, FileSystem* target,
                                                    const BackupRequest& request, Clock* clock);
    /// Removes what an unfinished run wrote, as far as it can.
    ~BackupRun();
    BackupRun(const BackupRun&) = delete;
    BackupRun& operator=(const BackupRun&) = delete;

    /// True when the backup is complete and durable. After an error the run is over.
    Result<bool> step();
    [[nodiscard]] const BackupProgress& progress() const { return progress_; }
    /// Once step() said true.
    [[nodiscard]] const BackupSummary& summary() const { return summary_; }

private:
    BackupRun(Store* store, BackupFolder folder, Clock* clock);
    Result<> start(std::size_t keep);
    Result<> check_room(std::uint64_t wanted) const;
    Result<> write_rows();
    void count_row(std::string_view key, std::string_view value);
    void need_uncounted();
    [[nodiscard]] bool is_same_segment(const BackupPart& first) const;
    Result<> plan_copies();
    Result<> copy_some();
    Result<> begin_part();
    Result<> end_part();
    Result<> finish();
    /// Finishing: the manifest may be there, so that nothing may be taken away any more.
    enum class Phase : std::uint8_t { Rows, Segments, Finishing, Done };

    Store* store_;
    BackupFolder folder_;
    Clock* clock_;
    MonoTime begun_;
    std::size_t keep_ = 0;
    Phase phase_ = Phase::Rows;
    SegmentHold hold_;
    std::string generation_;
    BackupManifest manifest_;
    BackupProgress progress_;
    BackupSummary summary_;

    std::unique_ptr<Snapshot> snapshot_;
    std::unique_ptr<Cursor> cursor_;  // Before the snapshot in destruction.
    std::unique_ptr<KeyFileWriter> keys_;
    // Behind the last body of each segment: what is needed of one whose own row is damaged or gone.
    std::map<std::uint32_t, std::uint64_t> body_ends_;
    std::vector<BackupPart> needed_;  // Whole segments: [0, end) of each, by number.
    std::vector<BackupPart> to_copy_;
    std::size_t copying_ = 0;
    std::unique_ptr<File> source_;
    std::unique_ptr<HashedWriter> part_;
};

}  // namespace godwit::store
