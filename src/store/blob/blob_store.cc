// Bodies in files: inline in their X row when small, else in segments.
// Law: STORE.md "Decided" 2-3 and "The commit path"; docs/storage.md.
// Only the commit thread decides whether a body is written or is there already.
#include "base/limits.h"
#include "base/log.h"
#include "base/probe.h"
#include "base/recent.h"
#include "store/blob/segment_log.h"
#include "store/blob/spool.h"
#include "store/kv/key.h"
#include "store/kv/meta.h"
#include "store/kv/record.h"

namespace godwit::store {
namespace {

struct Moved {
    BlobId id;
    SegmentPlace from;
    std::string body;
};

class FileBlobStore final : public BlobStore {
public:
    FileBlobStore(std::shared_ptr<SegmentFiles> files, Kv* kv)
        : files_(std::move(files)), log_(files_), kv_(kv) {}

    [[nodiscard]] Result<> recover() {
        const CommitSeq durable = TRY(load_commit_seq(*kv_));
        durable_.store(durable.value());
        return log_.recover(*kv_, durable);
    }

    [[nodiscard]] std::unique_ptr<BlobWriter> writer() override {
        return std::make_unique<FileBlobWriter>(files_, budget_, &durable_);
    }

    [[nodiscard]] Result<std::string> read(const BlobId& id, std::uint64_t offset,
                                           std::uint64_t length, ReadTier tier) const override {
        auto found = read_once(id, offset, length, tier);
        if (!found && found.error().code == ErrorCode::NotFound) {
            // Between the look-up and the open the body may have moved to another segment.
            found = read_once(id, offset, length, tier);
        }
        if (!found && found.error().code == ErrorCode::Corrupt) {
            damage_met_.fetch_add(1);
        }
        return found;
    }
    [[nodiscard]] Result<std::uint64_t> size(const BlobId& id, ReadTier tier) const override {
        return TRY(locate(id, tier)).size;
    }

    [[nodiscard]] Result<Staged> stage(NewBody body, Batch& batch) override;
    [[nodiscard]] Result<> mend(NewBody body, Batch& batch) override;
    [[nodiscard]] Result<> stage_removal(const BlobId& id, Batch& batch) override;
    [[nodiscard]] Result<bool> sync(Batch& batch) override { return log_.sync(batch); }
    void committed(CommitSeq seq) override {
        durable_.store(seq.value());
        group_.clear();
        log_.committed();
    }
    [[nodiscard]] Result<TendStep> tend(MonoTime now, std::uint64_t bytes_max) override;
    [[nodiscard]] SegmentHold hold_segments() override { return log_.hold(); }

private:
    [[nodiscard]] Result<BlobLocation> locate(const BlobId& id, ReadTier tier) const {
        const auto value = TRY(kv_->get(blob_location_key(id), tier));
        if (!value) {
            return internal_error(ErrorCode::NotFound, "no body " + id.to_hex());
        }
        return decode_blob_location(*value);
    }
    [[nodiscard]] Result<std::string> read_once(const BlobId& id, std::uint64_t offset,
                                                std::uint64_t length, ReadTier tier) const;
    [[nodiscard]] Result<std::string> read_segment(const BlobId& id, SegmentPlace place,
                                                   std::uint64_t body_size,
                                                   const RecordRange& range, ReadTier tier) const;
    struct Standing {
        bool has_row = false;
        std::optional<BlobLocation> location;  // None without a row, or with one that is damaged.
    };
    // Commit thread: as the open group has it.
    [[nodiscard]] Result<Standing> current(const BlobId& id) const;
    [[nodiscard]] bool holds(const BlobId& id, const BlobLocation& location);
    [[nodiscard]] Result<> put_anew(NewBody body, Batch& batch);
    void put(const BlobId& id, BlobLocation location, Batch& batch);
    [[nodiscard]] Result<TendStep> compact(std::uint32_t segment, std::uint64_t bytes_max);
    [[nodiscard]] Result<> relocate(std::vector<Moved> bodies, Batch& batch);

    std::shared_ptr<SegmentFiles> files_;  // Shared with bodies on their way in.
    std::shared_ptr<BodyBudget> budget_ = std::make_shared<BodyBudget>();
    SegmentLog log_;
    Kv* kv_;
    std::atomic<std::uint64_t> durable_ = 0;
    std::unordered_map<BlobId, std::optional<BlobLocation>> group_;
    // Locations, without inline bytes, that the last groups wrote.
    mutable Recent<BlobId, BlobLocation> recent_{kRecentBound};

    // Commit thread: stored copies whose hash was compared. Forgotten as a whole once a reader met
    // a damaged body, which may be one of them.
    Recent<BlobId, bool> checked_{kRecentBound};
    std::uint64_t damage_known_ = 0;
    mutable std::atomic<std::uint64_t> damage_met_ = 0;

    // Housekeeping: how far the segment at hand was copied out, and those that are through: copied
    // whole, or damaged and left for fsck.
    std::uint32_t compacting_ = 0;
    std::uint64_t compacted_to_ = 0;
    std::set<std::uint32_t> compacted_;
};

bool is_whole(std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
    return offset == 0 && length >= size;
}

Result<> check_hash(const BlobId& id, std::string_view body) {
    if (sha256(body) != id.hash) {
        return internal_error(ErrorCode::Corrupt, "body does not have the hash " + id.to_hex());
    }
    return {};
}

Result<std::string> FileBlobStore::read_once(const BlobId& id, std::uint64_t offset,
                                             std::uint64_t length, ReadTier tier) const {
    BlobLocation location = TRY(locate(id, tier));
    std::string body;
    if (auto* bytes = std::get_if<std::string>(&location.place)) {
        body = std::move(*bytes);
        if (!is_whole(offset, length, location.size)) {
            body = offset >= body.size() ? std::string()
                                         : body.substr(static_cast<std::size_t>(offset),
                                                       static_cast<std::size_t>(length));
        }
    } else {
        const RecordRange range = range_of(location.size, offset, length);
        if (range.length == 0 && location.size != 0) {
            return std::string();
        }
        body = TRY(
            read_segment(id, std::get<SegmentPlace>(location.place), location.size, range, tier));
    }
    if (is_whole(offset, length, location.size)) {
        TRY(check_hash(id, body));
    }
    return body;
}

Result<std::string> FileBlobStore::read_segment(const BlobId& id, SegmentPlace place,
                                                std::uint64_t body_size, const RecordRange& range,
                                                ReadTier tier) const {
    const auto file = TRY(files_->reader(place.segment, tier));
    std::string raw;
    TRY(file->read_at(place.offset + range.start, range.size, tier, raw));
    auto body = open_range(std::move(raw), range, id, body_size);
    if (!body) {
        return std::unexpected(std::move(body).error().within(files_->path(place.segment)));
    }
    return body;
}

Result<FileBlobStore::Standing> FileBlobStore::current(const BlobId& id) const {
    const auto staged = group_.find(id);
    if (staged != group_.end()) {
        return Standing{.has_row = staged->second.has_value(), .location = staged->second};
    }
    if (const BlobLocation* known = recent_.find(id)) {
        return Standing{.has_row = true, .location = *known};
    }
    const auto value = TRY(kv_->get(blob_location_key(id), ReadTier::Disk));
    if (!value) {
        return Standing();
    }
    // A damaged row is no place: the same body, should it come again, is stored anew.
    auto location = TRY(if_sound(blob_location_key(id), decode_blob_location(*value)));
    return Standing{.has_row = true, .location = std::move(location)};
}

// Whether the stored copy is what its name says. Bodies in rows have the row's seal. One in a
// segment is read and hashed, by the commit thread and once for each id that checked_ remembers: as
// many octets as it would write if the body were new, at most limits::message_size_max. A group's
// own bodies are not on disk yet.
bool FileBlobStore::holds(const BlobId& id, const BlobLocation& location) {
    const auto* place = std::get_if<SegmentPlace>(&location.place);
    if (place == nullptr || group_.contains(id)) {
        return true;
    }
    if (const std::uint64_t met = damage_met_.load(); met != damage_known_) {
        damage_known_ = met;
        checked_.clear();
    }
    if (checked_.find(id) != nullptr) {
        return true;
    }
    constexpr std::uint64_t kCheckAtOnce = 1024 * 1024;
    Sha256Stream hash;
    for (std::uint64_t at = 0; at < location.size; at += kCheckAtOnce) {
        const auto part = read_segment(id, *place, location.size,
                                       range_of(location.size, at, kCheckAtOnce), ReadTier::Disk);
        if (!part) {
            log::error("store.body_damaged", {{"body", id.to_hex()}, {"error", part.error().text}});
            return false;
        }
        hash.update(*part);
    }
    if (hash.finish() != id.hash) {
        log::error("store.body_damaged", {{"body", id.to_hex()}, {"error", "another hash"}});
        return false;
    }
    checked_.set(id, true);
    return true;
}

void FileBlobStore::put(const BlobId& id, BlobLocation location, Batch& batch) {
    batch.put(blob_location_key(id), encode(location));
    if (std::holds_alternative<std::string>(location.place)) {
        // The group only needs to know that it is there.
        location.place = std::string();
    }
    recent_.set(id, location);
    checked_.erase(id);
    group_[id] = std::move(location);
}

// What is acknowledged must be there to read: a copy that the disk has damaged since is no
// reason to throw a good one away.
Result<BlobStore::Staged> FileBlobStore::stage(NewBody body, Batch& batch) {
    const Standing standing = TRY(current(body.id));
    if (standing.location && holds(body.id, *standing.location)) {
        return Staged::Known;
    }
    const auto* damaged =
        standing.location ? std::get_if<SegmentPlace>(&standing.location->place) : nullptr;
    if (damaged != nullptr) {
        probe<"blob.damaged_stored_anew">();
        log_.release(*damaged, standing.location->size);
    }
    TRY(put_anew(std::move(body), batch));
    return standing.has_row ? Staged::Known : Staged::New;
}

Result<> FileBlobStore::mend(NewBody body, Batch& batch) {
    bool is_wanted = TRY(current(body.id)).has_row;
    if (!is_wanted) {
        const std::string links = link_prefix(body.id);
        const auto snapshot = kv_->snapshot();
        const auto cursor = snapshot->cursor(ReadTier::Disk);
        cursor->seek(links);
        TRY(cursor->status());
        is_wanted = cursor->is_valid() && cursor->key().starts_with(links);
    }
    if (is_wanted) {
        TRY(stage(std::move(body), batch));
    }
    return {};
}

Result<> FileBlobStore::put_anew(NewBody body, Batch& batch) {
    BlobLocation location{.size = body.size, .place = {}};
    std::string bytes;
    if (auto* spool = std::get_if<std::shared_ptr<SpooledBody>>(&body.content)) {
        if ((*spool)->size() >= files_->sizes().own_file_min) {
            probe<"blob.own_file_kept">();
            (*spool)->keep();
            crash_point<"blob.body_kept">();
            location.place = (*spool)->place();
            log_.adopt((*spool)->place(), body.size);
            put(body.id, std::move(location), batch);
            return {};
        }
        probe<"blob.spool_copied">();
        bytes = TRY((*spool)->read_all(body.id));
    } else {
        bytes = std::move(std::get<std::string>(body.content));
    }
    if (bytes.size() <= files_->sizes().inline_max) {
        location.place = std::move(bytes);
    } else {
        location.place = TRY(log_.append(body.id, std::move(bytes), CommitSeq(durable_.load())));
    }
    put(body.id, std::move(location), batch);
    return {};
}

Result<> FileBlobStore::stage_removal(const BlobId& id, Batch& batch) {
    const auto location = TRY(current(id)).location;
    const auto* place = location ? std::get_if<SegmentPlace>(&location->place) : nullptr;
    if (place != nullptr) {
        log_.release(*place, location->size);
    }
    // Also one that is damaged; what its octets take up stays counted until a repair.
    crash_point<"blob.body_released">();
    batch.erase(blob_location_key(id));
    recent_.erase(id);
    checked_.erase(id);
    group_[id] = std::nullopt;
    return {};
}

Result<BlobStore::TendStep> FileBlobStore::tend(MonoTime now, std::uint64_t bytes_max) {
    TRY(log_.unlink_dropped());
    TendStep step;
    std::vector<std::uint32_t> dead = log_.take_dead(now);
    if (!dead.empty()) {
        step.work = [this, segments = std::move(dead)](Batch& batch) -> Result<> {
            for (const std::uint32_t segment : segments) {
                log_.drop(segment, batch);
            }
            return {};
        };
        step.is_more_to_do = true;  // Their files.
        return step;
    }
    if (bytes_max == 0) {
        return TendStep{};
    }
    const auto segment = log_.pick_for_compaction(compacted_);
    return segment ? compact(*segment, bytes_max) : Result<TendStep>(TendStep{});
}

// STORE.md: copy live records, sync, commit "location := new if still old" in one batch.
Result<BlobStore::TendStep> FileBlobStore::compact(std::uint32_t segment, std::uint64_t bytes_max) {
    if (compacting_ != segment) {
        compacting_ = segment;
        compacted_to_ = segment_header_size;
    }
    const auto file = TRY(files_->reader(segment, ReadTier::Disk));
    const std::uint64_t end = log_.committed_end(segment);
    std::vector<Moved> bodies;
    std::uint64_t bytes = 0;
    Result<> problem;
    compacted_to_ = TRY(
        walk_records(*file, compacted_to_, [&](std::uint64_t offset, const RecordHeader& header) {
            if (offset >= end || bytes >= bytes_max) {
                return false;
            }
            const auto location = locate(header.id, ReadTier::Disk);
            const auto* place = location ? std::get_if<SegmentPlace>(&location->place) : nullptr;
            if (place == nullptr || place->segment != segment || place->offset != offset) {
                return true;
            }
            auto body = read_segment(header.id, *place, header.size,
                                     range_of(header.size, 0, header.size), ReadTier::Disk);
            Result<> holds = body ? check_hash(header.id, *body) : Result<>();
            if (!body || !holds) {
                problem = std::unexpected(body ? holds.error() : body.error());
                return false;
            }
            bytes += header.size;
            bodies.push_back({header.id, *place, *std::move(body)});
            return true;
        }));
    if (!problem || bodies.empty() || compacted_to_ >= end) {
        compacted_.insert(segment);
        compacting_ = 0;
    }
    TRY(problem);
    TendStep step;
    step.is_more_to_do = compacting_ != 0;
    if (!bodies.empty()) {
        crash_point<"blob.live_bodies_read">();
        step.work = [this, moved = std::move(bodies)](Batch& batch) mutable -> Result<> {
            return relocate(std::move(moved), batch);
        };
    }
    return step;
}

Result<> FileBlobStore::relocate(std::vector<Moved> bodies, Batch& batch) {
    for (Moved& moved : bodies) {
        // One damaged row does not stop the others, half of which are counted by now.
        const auto location = TRY(current(moved.id)).location;
        const auto* place = location ? std::get_if<SegmentPlace>(&location->place) : nullptr;
        if (place == nullptr || place->segment != moved.from.segment ||
            place->offset != moved.from.offset) {
            probe<"blob.gone_while_copied">();
            continue;
        }
        probe<"blob.segment_copied">();
        log_.release(moved.from, location->size);
        const SegmentPlace target =
            TRY(log_.append(moved.id, std::move(moved.body), CommitSeq(durable_.load())));
        put(moved.id, BlobLocation{.size = location->size, .place = target}, batch);
        crash_point<"blob.body_relocated">();
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<BlobStore>> open_file_blob_store(FileSystem* files, std::string folder,
                                                        Kv* kv, BlobSizes sizes) {
    const FormatRow format = TRY(load_format(*kv)).value_or(FormatRow{});
    auto blobs = std::make_unique<FileBlobStore>(
        std::make_shared<SegmentFiles>(files, std::move(folder), format.store, sizes), kv);
    TRY(blobs->recover());
    return blobs;
}

}  // namespace godwit::store
