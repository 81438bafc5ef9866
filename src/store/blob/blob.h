// Bodies of messages: content-addressed, written once, verified on reading. Small ones ride in the
// key commit, others go to append-only segment files, the largest keep the file they arrived in.
// Law: STORE.md "Decided" 2-3 and "The commit path"; docs/storage.md has the record format.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/result.h"
#include "store/kv/kv.h"

namespace godwit::store {

/// A file below <data>/blobs that holds one body, synced with its directory, not yet referred to.
/// Deletes its file when dropped before a commit took it.
class SpooledBody;

/// A part of limits::body_memory_total_max, given back when the last copy goes.
class BodyCharge;

/// A finished body that no commit has named yet.
struct NewBody {
    BlobId id;
    std::uint64_t size = 0;
    /// In memory (at most limits::body_memory_size_max), or in a file of its own.
    /// The spooled body is shared between the plan and whoever may have to plan again.
    std::variant<std::string, std::shared_ptr<SpooledBody>> content;
    /// Shared like the content; empty for bodies that did not come through a writer.
    std::shared_ptr<BodyCharge> charge;
};

/// Takes a body while it arrives: hashes it, holds up to limits::body_memory_size_max in memory and
/// goes on to a file. One writer, one thread at a time; append() and finish() may touch the disk
/// once spooling began: run those on the offload pool when is_spooling().
class BlobWriter {
public:
    virtual ~BlobWriter() = default;
    [[nodiscard]] virtual Result<> append(std::string_view bytes) = 0;
    [[nodiscard]] virtual bool is_spooling() const = 0;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    /// Ends the body; a spooled one is synced here. Call once.
    [[nodiscard]] virtual Result<NewBody> finish() = 0;
};

/// A record in a segment file.
struct SegmentPlace {
    std::uint32_t segment = 0;
    std::uint64_t offset = 0;  ///< Of the record's header in the file.
};
/// Where a stored body is; the value of its X row.
struct BlobLocation {
    std::uint64_t size = 0;
    std::variant<std::string /*inline bytes*/, SegmentPlace> place;
};

/// While one lives, no segment file that was there when it was made is unlinked. Held for as long
/// as a backup copies: the space of dead bodies comes back afterwards.
using SegmentHold = std::shared_ptr<const void>;

/// A seam (virtual): files in production, memory in tests. Reading and writer() from any thread;
/// the staging functions from the commit thread alone.
class BlobStore {
public:
    virtual ~BlobStore() = default;
    [[nodiscard]] virtual std::unique_ptr<BlobWriter> writer() = 0;

    /// Octets [offset, offset + length) of a body, cut at its end. Frames are checked by checksum,
    /// a whole read by hash too. NotFound, Corrupt, Io; WouldBlock under Cached.
    [[nodiscard]] virtual Result<std::string> read(const BlobId& id, std::uint64_t offset,
                                                   std::uint64_t length, ReadTier tier) const = 0;
    [[nodiscard]] virtual Result<std::uint64_t> size(const BlobId& id, ReadTier tier) const = 0;

    /// Commit thread: makes `body` part of the group: nothing when it is stored already and reads
    /// right, its bytes in the X row when small, else appended to the open segment by the next
    /// sync(). Known when it had a row, also one whose body is damaged and was stored anew.
    enum class Staged : std::uint8_t { New, Known };
    [[nodiscard]] virtual Result<Staged> stage(NewBody body, Batch& batch) = 0;
    /// Commit thread: stores `body` anew if it is stored already and does not read right. Nothing
    /// when it is not stored at all.
    [[nodiscard]] virtual Result<> mend(NewBody body, Batch& batch) = 0;
    /// Commit thread: the last link to `id` goes away in this group: erase its row, count its bytes
    /// dead. Nothing when it is not stored.
    [[nodiscard]] virtual Result<> stage_removal(const BlobId& id, Batch& batch) = 0;
    /// Commit thread: puts everything staged on disk and the counters of touched segments into
    /// `batch`. Before the key commit. True when a file was synced.
    [[nodiscard]] virtual Result<bool> sync(Batch& batch) = 0;
    /// Commit thread: the group's key commit succeeded; `seq` is durable.
    virtual void committed(CommitSeq seq) = 0;

    /// Housekeeping, in bounded steps, by one caller at a time (not the commit thread): what a step
    /// found to do goes to the commit thread as work for its batch.
    using CommitWork = std::move_only_function<Result<>(Batch&)>;
    struct TendStep {
        CommitWork work;             ///< Null when nothing is to be committed.
        bool is_more_to_do = false;  ///< Another step at once would find work.
    };
    /// Unlinks dead segments after their grace time, or copies up to `bytes_max` out of the segment
    /// with the most dead bytes (limits::segment_dead_share_max); 0 copies nothing.
    [[nodiscard]] virtual Result<TendStep> tend(MonoTime now, std::uint64_t bytes_max) = 0;
    /// Any thread. A snapshot taken after it refers to no segment that goes before it does.
    [[nodiscard]] virtual SegmentHold hold_segments() = 0;
};

/// Bodies of any size in the rows of `kv` itself: tests and the simulator. `kv` must outlive it.
std::unique_ptr<BlobStore> make_memory_blob_store(Kv* kv);

class FileSystem;

/// Where one way to keep a body ends and the next begins. Tests make them small, so that all ways
/// are gone soon.
struct BlobSizes {
    std::uint64_t inline_max = limits::blob_inline_size_max;
    std::uint64_t memory_max = limits::body_memory_size_max;
    std::uint64_t own_file_min = limits::blob_own_file_size_min;
    std::uint64_t segment_max = limits::blob_segment_size_max;
    /// Descriptors kept for reading.
    std::size_t open_files_max = limits::blob_open_files_max;
};

/// Bodies in files below `folder` of `files`; see blob/file.h. Both pointers must outlive it.
/// Refuses (Corrupt) when the segments and the keys disagree about what was durable.
Result<std::unique_ptr<BlobStore>> open_file_blob_store(FileSystem* files, std::string folder,
                                                        Kv* kv, BlobSizes sizes = {});

/// The X row of a body.
std::string encode(const BlobLocation& location);
Result<BlobLocation> decode_blob_location(std::string_view value);

}  // namespace godwit::store
