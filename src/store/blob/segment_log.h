// The segments as a whole: which files there are, how much of each is alive, and the open one that
// records are appended to. Law: STORE.md "The commit path" (Segment compaction), docs/storage.md.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "store/blob/blob.h"
#include "store/blob/segment.h"
#include "store/blob/segment_files.h"
#include "store/kv/kv.h"
#include "store/kv/meta.h"

namespace godwit::store {

/// Appending and counting: commit thread only, but for what is marked.
class SegmentLog {
public:
    explicit SegmentLog(std::shared_ptr<SegmentFiles> files) : files_(std::move(files)) {}

    /// Reads the counters, compares them with the files, removes files that nothing refers to.
    /// Corrupt when a file lacks what was committed, or holds records newer than the keys know.
    [[nodiscard]] Result<> recover(const Kv& kv, CommitSeq durable);

    /// Where the body will be once sync() returns. Takes the bytes and holds them until then.
    [[nodiscard]] Result<SegmentPlace> append(const BlobId& id, std::string body,
                                              CommitSeq durable);
    /// A finished file of one body becomes part of the store.
    void adopt(SegmentPlace place, std::uint64_t body_size);
    /// The body at `place` is no longer referred to.
    void release(SegmentPlace place, std::uint64_t body_size);
    /// Puts what was appended on disk and the counters that moved into `batch`; true when synced.
    [[nodiscard]] Result<bool> sync(Batch& batch);
    void committed();

    /// Housekeeping thread: segments without a live body that have been so for the grace time.
    [[nodiscard]] std::vector<std::uint32_t> take_dead(MonoTime now);
    /// Commit thread: forget a dead segment; its file goes with the next unlink_dropped().
    void drop(std::uint32_t segment, Batch& batch);
    /// Housekeeping thread. Nothing while somebody holds the segments.
    [[nodiscard]] Result<> unlink_dropped();
    /// Any thread.
    [[nodiscard]] SegmentHold hold();
    /// Housekeeping thread: the shared segment with the largest dead share, if it is large enough.
    /// Never one of `except`.
    [[nodiscard]] std::optional<std::uint32_t> pick_for_compaction(
        const std::set<std::uint32_t>& except) const;
    /// Housekeeping thread: octets of committed records in the segment.
    [[nodiscard]] std::uint64_t committed_end(std::uint32_t segment) const;

private:
    struct Pending {
        std::string body;
        RecordPieces pieces;
    };
    [[nodiscard]] Result<> open_next(CommitSeq durable);
    [[nodiscard]] Result<> flush();
    [[nodiscard]] Result<> recall_numbers(const Kv& kv);
    void name(std::uint32_t segment);
    [[nodiscard]] Result<> check_tail(std::uint32_t segment, std::uint64_t from, CommitSeq durable);

    std::shared_ptr<SegmentFiles> files_;  // Shared with bodies on their way in.
    std::unique_ptr<File> file_;
    std::uint64_t flush_from_ = 0;
    std::uint64_t end_ = 0;
    std::vector<std::unique_ptr<Pending>> pending_;
    bool is_folder_dirty_ = false;
    bool was_synced_ = false;
    std::set<std::uint32_t> touched_;
    SegmentNumbers numbers_;
    bool is_number_new_ = false;
    std::vector<std::uint32_t> dropping_;

    mutable std::mutex mutex_;  // Of what follows: housekeeping looks at it.
    std::uint32_t open_ = 0;
    std::unordered_map<std::uint32_t, SegmentRow> rows_;
    std::unordered_map<std::uint32_t, MonoTime> dead_since_;
    std::vector<std::uint32_t> dropped_;
    std::weak_ptr<const void> hold_;  // Alive while any holder is.
};

/// Walks the records of a file from `from`, header by header, while they hold. `visit` returns
/// false to stop. Gives the offset after the last whole record.
template <class Visit>
Result<std::uint64_t> walk_records(const File& file, std::uint64_t from, Visit visit) {
    std::string octets;
    for (;;) {
        octets.clear();
        TRY(file.read_at(from, record_header_size, ReadTier::Disk, octets));
        const auto header = decode_record_header(octets);
        if (!header || !visit(from, *header)) {
            return from;
        }
        from += record_size(header->size);
    }
}

}  // namespace godwit::store
