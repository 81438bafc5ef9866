#include "store/blob/segment_log.h"

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/probe.h"
#include "store/kv/key.h"
#include "store/kv/record.h"

namespace godwit::store {
namespace {

std::unexpected<Error> lost(std::string text) {
    return internal_error(ErrorCode::Corrupt, "the disk lost what it had promised: " + text);
}

Result<std::unordered_map<std::uint32_t, SegmentRow>> load_rows(const Kv& kv) {
    std::unordered_map<std::uint32_t, SegmentRow> rows;
    const auto snapshot = kv.snapshot();
    const std::string prefix = segment_prefix();
    const auto cursor = snapshot->cursor(ReadTier::Disk);
    for (cursor->seek(prefix); cursor->is_valid() && cursor->key().starts_with(prefix);
         cursor->next()) {
        const auto segment = parse_segment_key(cursor->key());
        if (!segment) {
            return internal_error(ErrorCode::Corrupt, "segment row with a strange key");
        }
        // One that is damaged is counted again below, like one that is missing.
        if (const auto row = TRY(if_sound(cursor->key(), decode_segment_row(cursor->value())))) {
            rows[*segment] = *row;
        }
    }
    TRY(cursor->status());
    return rows;
}

/// The row of a file that has none: what the keys say is in it. No live body: it holds what was
/// never committed, or what is dead.
Result<SegmentRow> count_again(const File& file, std::uint32_t segment, const Kv& kv) {
    SegmentRow row;
    Result<> failed;  // A file whose bodies nobody can tell must not be taken for one without.
    TRY(walk_records(
        file, segment_header_size, [&](std::uint64_t offset, const RecordHeader& header) {
            const auto value = kv.get(blob_location_key(header.id), ReadTier::Disk);
            if (!value) {
                failed = std::unexpected(value.error());
                return false;
            }
            if (!*value) {
                return true;
            }
            const auto location = decode_blob_location(**value);
            const auto* place = location ? std::get_if<SegmentPlace>(&location->place) : nullptr;
            // A place that is damaged may be this one.
            if (!location ||
                (place != nullptr && place->segment == segment && place->offset == offset)) {
                row.end = offset + record_size(header.size);
                row.live_bytes += header.size;
                ++row.live_bodies;
            }
            return true;
        }));
    TRY(std::move(failed));
    return row;
}

}  // namespace

// Files alone do not tell: the highest numbers may be of segments that were removed.
Result<> SegmentLog::recall_numbers(const Kv& kv) {
    const std::string key = segment_numbers_key();
    const auto value = TRY(kv.get(key, ReadTier::Disk));
    if (!value) {
        return {};
    }
    if (const auto numbers = TRY(if_sound(key, decode_segment_numbers(*value)))) {
        numbers_ = *numbers;
        files_->note(numbers_.shared);
        files_->note(numbers_.own | own_segment_bit);
    }
    return {};
}

void SegmentLog::name(std::uint32_t segment) {
    const bool is_own = (segment & own_segment_bit) != 0;
    std::uint32_t& highest = is_own ? numbers_.own : numbers_.shared;
    if (const std::uint32_t number = segment & ~own_segment_bit; number > highest) {
        highest = number;
        is_number_new_ = true;
    }
}

Result<> SegmentLog::recover(const Kv& kv, CommitSeq durable) {
    TRY(files_->files().make_folder(files_->folder()));
    TRY(recall_numbers(kv));
    auto rows = TRY(load_rows(kv));
    std::set<std::uint32_t> found;
    bool is_any_removed = false;
    for (const std::string& name : TRY(files_->files().list(files_->folder()))) {
        const auto segment = SegmentFiles::parse_name(name);
        if (!segment) {
            continue;
        }
        files_->note(*segment);
        found.insert(*segment);
        auto row = rows.find(*segment);
        if (row == rows.end()) {
            const auto file = TRY(files_->files().open(files_->path(*segment), OpenMode::Read));
            const SegmentRow counted = TRY(count_again(*file, *segment, kv));
            if (counted.live_bodies != 0) {
                probe<"store.segment_counted_again">();
                log::error("store.segment_row_damaged",
                           {{"file", files_->path(*segment)}, {"bodies", counted.live_bodies}});
                row = rows.emplace(*segment, counted).first;
            }
        }
        TRY(check_tail(*segment, row == rows.end() ? 0 : row->second.end, durable));
        if (row == rows.end()) {
            probe<"blob.orphan_removed">();
            TRY(files_->remove(*segment));
            crash_point<"blob.orphan_removed">();
            is_any_removed = true;
        }
    }
    for (const auto& [segment, row] : rows) {
        files_->note(segment);
        if (!found.contains(segment) && row.live_bodies != 0) {
            return lost(files_->path(segment) + " is not there");
        }
    }
    if (is_any_removed) {
        TRY(files_->files().sync_folder(files_->folder()));
        crash_point<"blob.orphans_gone">();
    }
    for (const auto& [segment, row] : rows) {
        name(segment);
    }
    const std::scoped_lock lock(mutex_);
    rows_ = std::move(rows);
    return {};
}

// Records behind the last committed one were written by a group that the keys do not know. That is
// what a crash leaves, unless a record says that later commits were durable.
Result<> SegmentLog::check_tail(std::uint32_t segment, std::uint64_t from, CommitSeq durable) {
    const auto file = TRY(files_->files().open(files_->path(segment), OpenMode::Read));
    const std::uint64_t size = TRY(file->size());
    if (size < from) {
        return lost(files_->path(segment) + " has " + std::to_string(size) + " octets of " +
                    std::to_string(from));
    }
    std::string octets;
    TRY(file->read_at(0, segment_header_size, ReadTier::Disk, octets));
    const auto segment_header = decode_segment_header(octets);
    if (segment_header && segment_header->store != files_->store()) {
        return internal_error(ErrorCode::Corrupt,
                              files_->path(segment) + " belongs to another store than the keys");
    }
    if (!segment_header && from != 0) {
        // A header that was hit costs nobody a body; where nothing follows it, all is gone.
        std::string first;
        TRY(file->read_at(segment_header_size, record_header_size, ReadTier::Disk, first));
        if (!decode_record_header(first)) {
            return lost(files_->path(segment) + " has no header");
        }
        log::error("store.segment_header_damaged", {{"file", files_->path(segment)}});
    }
    CommitSeq seen = segment_header ? segment_header->durable : CommitSeq{};
    TRY(walk_records(*file, std::max<std::uint64_t>(from, segment_header_size),
                     [&](std::uint64_t /*offset*/, const RecordHeader& header) {
                         seen = std::max(seen, header.durable);
                         return true;
                     }));
    if (seen > durable) {
        return lost("the keys end at commit " + std::to_string(durable.value()) + ", " +
                    files_->path(segment) + " knows " + std::to_string(seen.value()));
    }
    return {};
}

Result<> SegmentLog::open_next(CommitSeq durable) {
    TRY(flush());
    probe<"blob.segment_opened">();
    const std::uint32_t segment = files_->next_shared();
    file_ = TRY(files_->files().open(files_->path(segment), OpenMode::Create));
    crash_point<"blob.segment_made">();
    const std::string header =
        encode(SegmentHeader{.number = segment, .durable = durable, .store = files_->store()});
    const std::string_view view = header;
    TRY(file_->write_at(0, {&view, 1}));
    crash_point<"blob.segment_headed">();
    flush_from_ = end_ = segment_header_size;
    is_folder_dirty_ = true;
    name(segment);
    const std::scoped_lock lock(mutex_);
    open_ = segment;
    return {};
}

Result<SegmentPlace> SegmentLog::append(const BlobId& id, std::string body, CommitSeq durable) {
    const std::uint64_t size = record_size(body.size());
    if (file_ == nullptr || end_ + size > files_->sizes().segment_max) {
        TRY(open_next(durable));
    }
    const SegmentPlace place{open_, end_};
    const RecordHeader header{.size = body.size(), .durable = durable, .id = id};
    end_ += size;
    count(Metric::BlobBytesWritten, static_cast<std::int64_t>(size));
    const std::scoped_lock lock(mutex_);
    SegmentRow& row = rows_[open_];
    row.end = end_;
    row.live_bytes += body.size();
    ++row.live_bodies;
    touched_.insert(open_);
    // The pieces look into the body: both stay where they are until the flush.
    auto pending = std::make_unique<Pending>(Pending{std::move(body), RecordPieces(header, {})});
    pending->pieces = RecordPieces(header, pending->body);
    pending_.push_back(std::move(pending));
    return place;
}

void SegmentLog::adopt(SegmentPlace place, std::uint64_t body_size) {
    count(Metric::BlobBytesWritten, static_cast<std::int64_t>(record_size(body_size)));
    name(place.segment);
    const std::scoped_lock lock(mutex_);
    rows_[place.segment] = {
        .end = place.offset + record_size(body_size), .live_bytes = body_size, .live_bodies = 1};
    touched_.insert(place.segment);
}

void SegmentLog::release(SegmentPlace place, std::uint64_t body_size) {
    const std::scoped_lock lock(mutex_);
    SegmentRow& row = rows_[place.segment];
    check(row.live_bodies > 0 && row.live_bytes >= body_size, "segment counters below zero");
    row.live_bytes -= body_size;
    --row.live_bodies;
    touched_.insert(place.segment);
}

Result<> SegmentLog::flush() {
    if (pending_.empty()) {
        return {};
    }
    std::vector<std::string_view> pieces;
    for (const auto& pending : pending_) {
        pieces.insert(pieces.end(), pending->pieces.views().begin(), pending->pieces.views().end());
    }
    crash_point<"blob.records_gathered">();
    TRY(file_->write_at(flush_from_, pieces));
    crash_point<"blob.records_written">();
    TRY(file_->sync());
    crash_point<"blob.records_synced">();
    flush_from_ = end_;
    pending_.clear();
    was_synced_ = true;
    return {};
}

Result<bool> SegmentLog::sync(Batch& batch) {
    TRY(flush());
    if (is_folder_dirty_) {
        crash_point<"blob.folder_unsynced">();
        TRY(files_->files().sync_folder(files_->folder()));
        crash_point<"blob.folder_synced">();
        is_folder_dirty_ = false;
    }
    const std::scoped_lock lock(mutex_);
    for (const std::uint32_t segment : touched_) {
        batch.put(segment_key(segment), encode(rows_[segment]));
    }
    touched_.clear();
    if (std::exchange(is_number_new_, false)) {
        batch.put(segment_numbers_key(), encode(numbers_));
    }
    return std::exchange(was_synced_, false);
}

void SegmentLog::committed() {
    if (dropping_.empty()) {
        return;
    }
    const std::scoped_lock lock(mutex_);
    dropped_.insert(dropped_.end(), dropping_.begin(), dropping_.end());
    dropping_.clear();
}

std::vector<std::uint32_t> SegmentLog::take_dead(MonoTime now) {
    const std::scoped_lock lock(mutex_);
    std::vector<std::uint32_t> dead;
    for (const auto& [segment, row] : rows_) {
        if (row.live_bodies != 0 || segment == open_) {
            continue;
        }
        const auto since = dead_since_.try_emplace(segment, now).first->second;
        if (now - since >= limits::segment_unlink_grace) {
            dead.push_back(segment);
        }
    }
    return dead;
}

void SegmentLog::drop(std::uint32_t segment, Batch& batch) {
    const std::scoped_lock lock(mutex_);
    const auto row = rows_.find(segment);
    if (row == rows_.end() || row->second.live_bodies != 0 || segment == open_) {
        return;
    }
    rows_.erase(row);
    dead_since_.erase(segment);
    touched_.erase(segment);
    dropping_.push_back(segment);
    batch.erase(segment_key(segment));
    crash_point<"blob.segment_dropped">();
}

Result<> SegmentLog::unlink_dropped() {
    std::vector<std::uint32_t> dropped;
    {
        const std::scoped_lock lock(mutex_);
        if (!dropped_.empty() && !hold_.expired()) {
            return {};
        }
        dropped.swap(dropped_);
    }
    while (!dropped.empty()) {
        const std::uint32_t segment = dropped.back();
        crash_point<"blob.segment_unlinking">();
        if (const auto removed = files_->remove(segment); !removed) {
            // What is left is tried again at the next step, or goes at the next start.
            const std::scoped_lock lock(mutex_);
            dropped_.insert(dropped_.end(), dropped.begin(), dropped.end());
            return removed;
        }
        dropped.pop_back();
        probe<"blob.segment_unlinked">();
        crash_point<"blob.segment_unlinked">();
        log::info("store.segment_removed", {{"file", files_->path(segment)}});
    }
    return {};
}

// What stands in dropped_ was forgotten by a commit before this call: no later snapshot names it.
SegmentHold SegmentLog::hold() {
    const std::scoped_lock lock(mutex_);
    SegmentHold held = hold_.lock();
    if (held == nullptr) {
        held = std::make_shared<char>();
        hold_ = held;
    }
    return held;
}

std::optional<std::uint32_t> SegmentLog::pick_for_compaction(
    const std::set<std::uint32_t>& except) const {
    const std::scoped_lock lock(mutex_);
    std::optional<std::uint32_t> best;
    std::uint64_t best_share = limits::segment_dead_share_max;
    for (const auto& [segment, row] : rows_) {
        if ((segment & own_segment_bit) != 0 || segment == open_ || row.live_bodies == 0 ||
            row.end == 0 || except.contains(segment)) {
            continue;
        }
        const std::uint64_t share =
            100 - std::min<std::uint64_t>(100, row.live_bytes * 100 / row.end);
        if (share >= best_share) {
            best = segment;
            best_share = share;
        }
    }
    return best;
}

std::uint64_t SegmentLog::committed_end(std::uint32_t segment) const {
    const std::scoped_lock lock(mutex_);
    const auto row = rows_.find(segment);
    return row == rows_.end() ? 0 : row->second.end;
}

}  // namespace godwit::store
