#include "store/backup/take.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/probe.h"
#include "store/blob/segment.h"
#include "store/blob/segment_files.h"
#include "store/directory/schema.h"
#include "store/kv/key.h"
#include "store/kv/meta.h"
#include "store/kv/record.h"
#include "store/mailbox/schema.h"

namespace godwit::store {
namespace {

constexpr std::size_t kCopyAtOnce = 1024 * 1024;

/// "/a/b" holds "/a/b" and "/a/b/c".
bool holds(std::string_view folder, std::string_view path) {
    return path == folder ||
           (path.starts_with(folder) && path.substr(folder.size()).starts_with('/'));
}

Result<> check_place(const Store& store, const FileSystem* target, const std::string& folder) {
    if (folder.size() < 2 || folder.front() != '/' || folder.back() == '/') {
        return peer_error(ErrorCode::Invalid,
                          "the backup's folder must be an absolute path: '" + folder + "'");
    }
    const std::string& own = store.options().folder;
    if (target == store.options().files && (holds(own, folder) || holds(folder, own))) {
        return peer_error(ErrorCode::Denied, folder + " and the data folder " + own +
                                                 " lie in each other; a backup needs a folder, and "
                                                 "better a disk, of its own");
    }
    return {};
}

/// Later than all that are there, also when the clock was set back.
Result<WallTime> draw_time(const BackupFolder& folder, WallTime now) {
    const auto all = TRY(folder.generations());
    if (all.empty()) {
        return now;
    }
    const auto newest = parse_generation_name(all.back());
    return newest ? std::max(now, *newest + std::chrono::milliseconds(1)) : now;
}

/// A part that somebody took away or cut is copied again.
bool is_there(const BackupFolder& folder, const BackupPart& part) {
    const auto file = folder.files().open(folder.part_path(part), OpenMode::Read);
    const auto size = file ? (*file)->size() : Result<std::uint64_t>(0);
    return size && *size == part.to - part.from;
}

}  // namespace

BackupRun::BackupRun(Store* store, BackupFolder folder, Clock* clock)
    : store_(store), folder_(std::move(folder)), clock_(clock), begun_(clock->mono()) {}

Result<std::unique_ptr<BackupRun>> BackupRun::begin(Store* store, FileSystem* target,
                                                    const BackupRequest& request, Clock* clock) {
    TRY(check_place(*store, target, request.folder));
    const FormatRow format = TRY(load_format(store->kv())).value_or(FormatRow{});
    BackupFolder folder = TRY(BackupFolder::open_for_writing(target, request.folder, format.store));
    std::unique_ptr<BackupRun> run(new BackupRun(store, std::move(folder), clock));
    TRY(run->start(request.keep));
    return run;
}

Result<> BackupRun::start(std::size_t keep) {
    keep_ = keep;
    TRY(folder_.remove_leftovers());
    TRY(check_room(0));
    // In this order: a segment that the snapshot names is there as long as the hold is.
    hold_ = store_->blobs().hold_segments();
    snapshot_ = store_->snapshot();
    manifest_.store = folder_.store();
    manifest_.taken_at = TRY(draw_time(folder_, clock_->wall()));
    manifest_.commit = TRY(read_commit_seq(*snapshot_, ReadTier::Disk));
    generation_ = generation_name(manifest_.taken_at);
    auto file = TRY(folder_.files().open(folder_.keys_path(generation_), OpenMode::Create));
    keys_ = std::make_unique<KeyFileWriter>(TRY(KeyFileWriter::begin(
        std::move(file), {.store = manifest_.store, .commit = manifest_.commit})));
    cursor_ = snapshot_->cursor(ReadTier::Disk);
    cursor_->seek(std::string_view());
    crash_point<"backup.begun">();
    return {};
}

BackupRun::~BackupRun() {
    if (phase_ == Phase::Finishing || phase_ == Phase::Done || keys_ == nullptr) {
        return;
    }
    keys_.reset();
    part_.reset();
    // The next run removes them too: an error changes nothing.
    (void)folder_.files().unlink(folder_.keys_path(generation_));
    if (copying_ < to_copy_.size()) {
        (void)folder_.files().unlink(folder_.part_path(to_copy_[copying_]) +
                                     std::string(backup_unfinished_suffix));
    }
}

Result<> BackupRun::check_room(std::uint64_t wanted) const {
    const std::uint64_t free = TRY(folder_.files().free_space(folder_.path()));
    if (free < wanted || free - wanted < backup_free_space_min) {
        return temporary_error(ErrorCode::DiskFull,
                               folder_.path() + " has " + std::to_string(free) +
                                   " octets free; this backup takes " + std::to_string(wanted) +
                                   ", and " + std::to_string(backup_free_space_min) +
                                   " are always left free there");
    }
    return {};
}

Result<bool> BackupRun::step() {
    if (clock_->mono() - begun_ > backup_time_max) {
        return temporary_error(
            ErrorCode::Timeout,
            "the backup took more than " + std::to_string(backup_time_max.count()) + " hours");
    }
    switch (phase_) {
        case Phase::Rows: TRY(write_rows()); break;
        case Phase::Segments: TRY(copy_some()); break;
        case Phase::Finishing:
        case Phase::Done: break;
    }
    return phase_ == Phase::Done;
}

Result<> BackupRun::write_rows() {
    TRY(check_room(backup_step_bytes));
    const std::uint64_t until = keys_->size() + backup_step_bytes;
    for (; cursor_->is_valid() && keys_->size() < until; cursor_->next()) {
        count_row(cursor_->key(), cursor_->value());
        TRY(keys_->add(cursor_->key(), cursor_->value()));
    }
    TRY(cursor_->status());
    progress_.rows = keys_->rows();
    progress_.key_bytes = keys_->size();
    if (cursor_->is_valid()) {
        return keys_->sync();
    }
    cursor_.reset();
    snapshot_.reset();
    need_uncounted();
    manifest_.rows = keys_->rows();
    manifest_.key_file_sha256 = TRY(keys_->finish());
    manifest_.key_file_size = progress_.key_bytes = keys_->size();
    crash_point<"backup.keys_written">();
    phase_ = Phase::Segments;
    return plan_copies();
}

// What the rows say of the backup as a whole: which segments it needs, and how much there is.
// Bodies' rows come before their segments': X before Z.
void BackupRun::count_row(std::string_view key, std::string_view value) {
    manifest_.damaged_rows += open_record(value) ? 0 : 1;
    if (const auto segment = parse_segment_key(key)) {
        const auto row = decode_segment_row(value);
        if (row) {
            body_ends_.erase(*segment);
        }
        if (row && row->live_bodies > 0) {
            needed_.push_back({.segment = *segment, .from = 0, .to = row->end});
        }
    } else if (key.front() == family::blob_location) {
        const auto location = decode_blob_location(value);
        const auto* place = location ? std::get_if<SegmentPlace>(&location->place) : nullptr;
        if (place != nullptr) {
            std::uint64_t& end = body_ends_[place->segment];
            end = std::max(end, place->offset + record_size(location->size));
        }
    } else if (key.front() == static_cast<char>(Family::Counters)) {
        const auto counters = decode_counters(value);
        manifest_.messages += counters ? counters->messages : 0;
    } else if (key.starts_with(account_rows_prefix())) {
        ++manifest_.accounts;
    }
}

// A damaged segment row is no reason to have no backup: the store counts such a segment again from
// the same rows (SegmentLog::recover), and so does the one that is restored.
void BackupRun::need_uncounted() {
    for (const auto& [segment, end] : body_ends_) {
        needed_.push_back({.segment = segment, .from = 0, .to = end});
    }
    body_ends_.clear();
    std::ranges::sort(needed_, {}, &BackupPart::segment);
}

// Older programs gave the numbers of removed segments again after a restart: a segment is the
// backup's own only where its file header, which tells with which commit it began, is the same.
bool BackupRun::is_same_segment(const BackupPart& first) const {
    const StoreOptions& own = store_->options();
    const SegmentFiles names(own.files, own.folder + std::string(kBlobFolder), manifest_.store,
                             own.blob_sizes);
    const auto begin_of = [](FileSystem& files, const std::string& path) {
        std::string octets;
        const auto file = files.open(path, OpenMode::Read);
        const bool is_read =
            file && (*file)->read_at(0, segment_header_size, ReadTier::Disk, octets);
        return is_read && octets.size() == segment_header_size ? octets : std::string();
    };
    const std::string there = begin_of(folder_.files(), folder_.part_path(first));
    return !there.empty() && there == begin_of(*own.files, names.path(first.segment));
}

// A segment is only ever appended to: what the newest backup has of it is good for this one too.
Result<> BackupRun::plan_copies() {
    const auto all = TRY(folder_.generations());
    BackupManifest before;
    if (!all.empty()) {
        before = folder_.load(all.back()).value_or(BackupManifest{});
    }
    const BackupSegments known(&folder_, &before);
    for (const BackupPart& segment : needed_) {
        std::uint64_t have = 0;
        std::vector<BackupPart> parts = known.parts(segment.segment);
        const bool is_good = parts.size() < backup_parts_of_segment_max &&
                             std::ranges::all_of(
                                 parts,
                                 [&](const BackupPart& part) {
                                     return part.to <= segment.to && is_there(folder_, part);
                                 });
        if (is_good && !parts.empty() && is_same_segment(parts.front())) {
            have = parts.back().to;
            manifest_.parts.insert(manifest_.parts.end(), parts.begin(), parts.end());
        }
        if (have < segment.to) {
            to_copy_.push_back({.segment = segment.segment, .from = have, .to = segment.to});
            progress_.bytes_to_copy += segment.to - have;
        }
        summary_.segment_bytes += segment.to;
    }
    needed_.clear();
    progress_.segments_to_copy = to_copy_.size();
    return check_room(progress_.bytes_to_copy);
}

Result<> BackupRun::copy_some() {
    TRY(check_room(backup_step_bytes));
    std::uint64_t left = backup_step_bytes;
    while (left > 0 && copying_ < to_copy_.size()) {
        if (part_ == nullptr) {
            TRY(begin_part());
        }
        const BackupPart& part = to_copy_[copying_];
        const std::uint64_t at = part.from + part_->size();
        std::string block;
        TRY(source_->read_at(
            at, static_cast<std::size_t>(std::min<std::uint64_t>(kCopyAtOnce, part.to - at)),
            ReadTier::Disk, block));
        if (block.empty()) {
            return internal_error(ErrorCode::Corrupt, "segment " + std::to_string(part.segment) +
                                                          " ends at " + std::to_string(at) +
                                                          " instead of " + std::to_string(part.to));
        }
        TRY(part_->append(block));
        progress_.bytes_copied += block.size();
        left -= std::min<std::uint64_t>(left, block.size());
        if (at + block.size() == part.to) {
            TRY(end_part());
        }
    }
    if (part_ != nullptr) {
        return part_->sync();
    }
    return copying_ == to_copy_.size() ? finish() : Result<>();
}

Result<> BackupRun::begin_part() {
    const BackupPart& part = to_copy_[copying_];
    const StoreOptions& own = store_->options();
    const SegmentFiles names(own.files, own.folder + std::string(kBlobFolder), manifest_.store,
                             own.blob_sizes);
    source_ = TRY(own.files->open(names.path(part.segment), OpenMode::Read));
    const std::string path = folder_.part_path(part) + std::string(backup_unfinished_suffix);
    TRY(folder_.files().unlink(path));
    part_ = std::make_unique<HashedWriter>(TRY(folder_.files().open(path, OpenMode::Create)));
    return {};
}

Result<> BackupRun::end_part() {
    BackupPart& part = to_copy_[copying_];
    TRY(part_->sync());
    part.sha256 = part_->finish();
    const std::string path = folder_.part_path(part);
    part_.reset();
    source_.reset();
    TRY(folder_.files().rename(path + std::string(backup_unfinished_suffix), path));
    manifest_.parts.push_back(part);
    summary_.copied_bytes += part.to - part.from;
    ++summary_.copied_parts;
    ++copying_;
    crash_point<"backup.segment_copied">();
    return {};
}

Result<> BackupRun::finish() {
    hold_.reset();
    std::ranges::sort(manifest_.parts, [](const BackupPart& a, const BackupPart& b) {
        return std::pair(a.segment, a.from) < std::pair(b.segment, b.from);
    });
    TRY(folder_.files().sync_folder(folder_.segments_path()));
    TRY(folder_.files().sync_folder(folder_.path()));
    crash_point<"backup.before_manifest">();
    phase_ = Phase::Finishing;
    TRY(folder_.write_whole(folder_.manifest_path(generation_), encode(manifest_)));
    crash_point<"backup.after_manifest">();
    phase_ = Phase::Done;
    summary_.generation = generation_;
    summary_.accounts = manifest_.accounts;
    summary_.messages = manifest_.messages;
    summary_.rows = manifest_.rows;
    summary_.damaged_rows = manifest_.damaged_rows;
    summary_.key_bytes = manifest_.key_file_size;
    // What may have been whole is not given for what is known to be damaged.
    const bool may_end_others = keep_ != 0 && manifest_.damaged_rows == 0;
    summary_.removed = may_end_others ? TRY(folder_.remove_old(keep_)) : 0;
    log::info("backup.done", {{"generation", generation_},
                              {"messages", summary_.messages},
                              {"key_bytes", summary_.key_bytes},
                              {"copied_bytes", summary_.copied_bytes},
                              {"damaged_rows", summary_.damaged_rows}});
    return {};
}

}  // namespace godwit::store
