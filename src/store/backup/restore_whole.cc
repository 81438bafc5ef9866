#include "store/backup/restore_whole.h"

#include "base/probe.h"
#include "store/backup/restored_rows.h"
#include "store/blob/segment.h"
#include "store/blob/segment_files.h"
#include "store/kv/key.h"
#include "store/kv/meta.h"
#include "store/kv/record.h"

namespace godwit::store {
namespace {

constexpr std::size_t kCopyAtOnce = 1024 * 1024;

std::unexpected<Error> not_empty(const std::string& folder, const std::string& what) {
    return peer_error(ErrorCode::Denied, folder + " is not empty (" + what +
                                             "); a backup is restored into an empty folder");
}

Result<> check_empty(const StoreOptions& target) {
    TRY(target.files->make_folder(target.folder));
    for (const std::string& name : TRY(target.files->list(target.folder))) {
        if (name != "LOCK") {
            return not_empty(target.folder, name);
        }
    }
    const std::string blobs = target.folder + std::string(kBlobFolder);
    TRY(target.files->make_folder(blobs));
    for (const std::string& name : TRY(target.files->list(blobs))) {
        return not_empty(blobs, name);
    }
    return {};
}

/// What the engine says of a folder without files: nothing.
Result<> check_no_rows(const Kv& kv, const std::string& folder) {
    const auto snapshot = kv.snapshot();
    const auto cursor = snapshot->cursor(ReadTier::Disk);
    cursor->seek(std::string_view());
    TRY(cursor->status());
    return cursor->is_valid() ? not_empty(folder, "it has rows") : Result<>();
}

Result<> put_format(Kv& kv, const FormatRow& row) {
    Batch batch;
    batch.put(format_key(), encode(row));
    return kv.commit(batch);
}

void lose(WholeRestored& done, std::string text) {
    ++done.damaged_parts;
    if (done.losses.size() < restore_losses_max) {
        done.losses.push_back(std::move(text));
    }
}

/// The file's first octets under the new store's name. A header that is damaged costs no body: one
/// that promises nothing takes its place.
std::string new_header(std::string_view octets, std::uint32_t number, std::uint64_t store) {
    SegmentHeader header =
        decode_segment_header(octets).value_or(SegmentHeader{.number = number, .durable = {}});
    header.store = store;
    return encode(header);
}

/// In the words of `backup verify`.
std::string part_fault(const BackupFolder& folder, const BackupPart& part) {
    const std::string path = folder.part_path(part);
    const auto hash = hash_file(folder.files(), path, part.to - part.from);
    return hash ? path + " has another SHA-256 than the manifest says" : hash.error().text;
}

/// One segment file out of its parts, under the new store's name. What is damaged is copied as it
/// is, and what cannot be read becomes zeros: the other bodies keep their places, and those that
/// were there do not pass for whole.
Result<> write_segment(BackupSegments& segments, const BackupFolder& folder, std::uint32_t number,
                       const SegmentFiles& names, WholeRestored& done) {
    HashedWriter out(TRY(names.files().open(names.path(number), OpenMode::Create)));
    for (const BackupPart& part : segments.parts(number)) {
        Sha256Stream hash;
        for (std::uint64_t at = part.from; at < part.to;) {
            const auto size =
                static_cast<std::size_t>(std::min<std::uint64_t>(kCopyAtOnce, part.to - at));
            std::string block = segments.read(number, at, size).value_or(std::string(size, char{}));
            hash.update(block);
            if (at == 0 && size >= segment_header_size) {
                block.replace(0, segment_header_size,
                              new_header(std::string_view(block).substr(0, segment_header_size),
                                         number, names.store()));
            }
            at += block.size();
            TRY(out.append(block));
        }
        if (hash.finish() != part.sha256) {
            lose(done, part_fault(folder, part));
            done.is_complete = false;
        }
    }
    return out.sync();
}

/// The number of rows that the backup gave.
Result<std::uint64_t> write_rows(KeyFileReader& reader, Kv& kv, RestoredRows& rows,
                                 CommitSeq last) {
    Batch batch;
    std::uint64_t given = 0;
    bool has_commit = false;
    for (std::size_t number = 0; number < reader.blocks(); ++number) {
        for (const BackupRowView& row : *TRY(reader.block(number))) {
            ++given;
            has_commit = has_commit || row.key == commit_seq_key();
            if (auto value = rows.restored(row.key, row.value)) {
                batch.put(std::string(row.key), *std::move(value));
            }
        }
        if (batch.size() >= restore_batch_size) {
            TRY(kv.commit(batch));
            batch.clear();
            crash_point<"restore.rows_written">();
        }
    }
    if (!has_commit) {
        // It was in a block that is damaged; segments are compared with it.
        batch.put(commit_seq_key(), encode_commit_seq(last));
    }
    TRY(kv.commit(batch));
    crash_point<"restore.rows_written">();
    return given;
}

/// The row that says how the store is written. Where it is lost, the program that wrote the backup
/// was one whose backups this one reads.
Result<FormatRow> load_saved_format(KeyFileReader& reader) {
    const auto value = TRY(reader.get(format_key()));
    const auto found = value ? decode_format(*value) : Result<FormatRow>(FormatRow{});
    const FormatRow format = found || !is_damage(found.error()) ? TRY(found) : FormatRow{};
    if (format.lowest_reader > format_version) {
        return internal_error(ErrorCode::Unsupported,
                              "the backup is of a store of format " +
                                  std::to_string(format.version) +
                                  ", which this program cannot read; use a newer one");
    }
    return format;
}

// So that the engine does not miss the commits before it (kv.h).
Result<> write_first_commit(const StoreOptions& target, CommitSeq first) {
    const std::string folder = target.folder + "/kv";
    const std::string text = std::to_string(first.value());
    const std::string_view piece = text;
    TRY(target.files->make_folder(folder));
    const auto file =
        TRY(target.files->open(folder + std::string(kRestoredFile), OpenMode::Create));
    TRY(file->write_at(0, {&piece, 1}));
    TRY(file->sync());
    return target.files->sync_folder(folder);
}

}  // namespace

Result<WholeRestored> restore_whole(FileSystem* source, const WholeRestore& request,
                                    const StoreOptions& target) {
    const BackupFolder folder = TRY(BackupFolder::open(source, request.folder));
    WholeRestored done;
    done.generation = TRY(folder.pick(request.generation));
    const BackupManifest manifest = TRY(folder.load(done.generation));
    const std::string keys = folder.keys_path(done.generation);
    KeyFileReader reader = TRY(KeyFileReader::open(TRY(source->open(keys, OpenMode::Read)),
                                                   KeyFileReader::OnDamage::PassOver));
    if (reader.damage().empty() && reader.header().commit != manifest.commit) {
        return internal_error(ErrorCode::Corrupt, keys + " is not the manifest's");
    }
    FormatRow format = TRY(load_saved_format(reader));
    TRY(check_empty(target));
    const auto lock = TRY(target.files->hold(target.folder + "/LOCK"));
    const auto kv = TRY(target.open_kv(target.on_fatal));
    TRY(check_no_rows(*kv, target.folder));
    TRY(put_format(
        *kv, {.version = unfinished_restore_format, .lowest_reader = unfinished_restore_format}));
    crash_point<"restore.begun">();
    format.store = request.new_store;
    const SegmentFiles names(target.files, target.folder + std::string(kBlobFolder), format.store,
                             target.blob_sizes);
    BackupSegments segments(&folder, &manifest);
    for (const std::uint32_t number : segments.numbers()) {
        TRY(write_segment(segments, folder, number, names, done));
        done.segment_bytes += segments.size(number);
    }
    TRY(target.files->sync_folder(names.folder()));
    TRY(target.files->sync_folder(target.folder));
    crash_point<"restore.segments_written">();
    RestoredRows rows({.release_queue = request.release_queue, .now = request.now});
    // First: what is left of a restore that is cut off behind it must open, to be told from a
    // store.
    TRY(write_first_commit(target, manifest.commit));
    done.rows = TRY(write_rows(reader, *kv, rows, manifest.commit));
    crash_point<"restore.before_format">();
    TRY(put_format(*kv, format));
    done.held_deliveries = rows.held();
    done.damaged_rows = rows.damaged();
    for (const auto& [number, text] : reader.damage()) {
        lose(done, keys + ": " + text);
    }
    if (done.rows < manifest.rows) {
        done.is_complete = false;
        done.losses.push_back(keys + " gave " + std::to_string(done.rows) + " of " +
                              std::to_string(manifest.rows) + " rows");
    }
    return done;
}

}  // namespace godwit::store
