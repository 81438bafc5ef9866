#include "store/backup/folder.h"

#include <algorithm>
#include <set>

#include "base/limits.h"
#include "base/log.h"
#include "base/probe.h"
#include "store/blob/segment.h"

namespace godwit::store {
namespace {

constexpr std::size_t kReadAtOnce = 1024 * 1024;

std::unexpected<Error> no_backup(const std::string& path) {
    return peer_error(ErrorCode::NotFound, path + " holds no backup");
}

}  // namespace

Result<std::string> read_whole(FileSystem& files, const std::string& path, std::uint64_t size_max) {
    const auto file = TRY(files.open(path, OpenMode::Read));
    const std::uint64_t size = TRY(file->size());
    if (size > size_max) {
        return internal_error(ErrorCode::Corrupt, path + " is larger than such a file can be");
    }
    std::string octets;
    TRY(file->read_at(0, static_cast<std::size_t>(size), ReadTier::Disk, octets));
    return octets;
}

Result<Sha256Digest> hash_file(FileSystem& files, const std::string& path, std::uint64_t size) {
    const auto file = TRY(files.open(path, OpenMode::Read));
    const std::uint64_t found = TRY(file->size());
    if (found != size) {
        return internal_error(ErrorCode::Corrupt, path + " has " + std::to_string(found) +
                                                      " octets instead of " + std::to_string(size));
    }
    Sha256Stream hash;
    std::string block;
    for (std::uint64_t at = 0; at < size; at += block.size()) {
        block.clear();
        TRY(file->read_at(at, kReadAtOnce, ReadTier::Disk, block));
        if (block.empty()) {
            return internal_error(ErrorCode::Corrupt, path + " is cut short");
        }
        hash.update(block);
    }
    return hash.finish();
}

Result<BackupFolder> BackupFolder::open(FileSystem* files, std::string path) {
    BackupFolder folder(files, std::move(path));
    const std::string identity = folder.path_ + "/" + std::string(backup_identity_name);
    const auto octets = read_whole(*files, identity, backup_identity_size);
    if (!octets && octets.error().code == ErrorCode::NotFound) {
        return no_backup(folder.path_);
    }
    if (!octets) {
        return std::unexpected(octets.error());
    }
    auto decoded = decode_backup_identity(*octets);
    if (!decoded) {
        return std::unexpected(std::move(decoded).error().within(identity));
    }
    folder.identity_ = *decoded;
    return folder;
}

Result<BackupFolder> BackupFolder::open_for_writing(FileSystem* files, std::string path,
                                                    std::uint64_t store) {
    auto known = open(files, path);
    if (!known && known.error().code != ErrorCode::NotFound) {
        return std::unexpected(std::move(known).error());
    }
    if (known && known->store() != store) {
        return peer_error(ErrorCode::Denied,
                          path + " holds backups of another store; give each store its own folder");
    }
    const bool is_new = !known;
    BackupFolder folder = is_new ? BackupFolder(files, path) : *std::move(known);
    if (is_new) {
        TRY(files->make_folder(path));
        for (const std::string& name : TRY(files->list(path))) {
            // A first run that was interrupted left no more than these.
            if (name != "LOCK" && !name.ends_with(backup_unfinished_suffix)) {
                return peer_error(ErrorCode::Denied,
                                  path + " is not empty and holds no backup: '" + name + "'");
            }
        }
    }
    folder.hold_ = TRY(files->hold(path + "/LOCK"));
    if (is_new) {
        TRY(folder.make(store));
    }
    return folder;
}

Result<> BackupFolder::make(std::uint64_t store) {
    TRY(files_->make_folder(segments_path()));
    identity_.store = store;
    return write_whole(path_ + "/" + std::string(backup_identity_name), encode(identity_));
}

Result<> BackupFolder::write_whole(const std::string& path, std::string_view content) {
    const std::string unfinished = path + std::string(backup_unfinished_suffix);
    TRY(files_->unlink(unfinished));
    {
        const auto file = TRY(files_->open(unfinished, OpenMode::Create));
        TRY(file->write_at(0, {&content, 1}));
        TRY(file->sync());
    }
    TRY(files_->rename(unfinished, path));
    return files_->sync_folder(path_);
}

std::string BackupFolder::keys_path(std::string_view generation) const {
    return path_ + "/" + std::string(generation) + std::string(backup_keys_suffix);
}
std::string BackupFolder::manifest_path(std::string_view generation) const {
    return path_ + "/" + std::string(generation) + std::string(backup_manifest_suffix);
}
std::string BackupFolder::part_path(const BackupPart& part) const {
    return segments_path() + "/" + part_name(part);
}

Result<std::vector<std::string>> BackupFolder::generations() const {
    std::vector<std::string> found;
    for (const std::string& name : TRY(files_->list(path_))) {
        if (!name.ends_with(backup_manifest_suffix)) {
            continue;
        }
        std::string generation = name.substr(0, name.size() - backup_manifest_suffix.size());
        if (parse_generation_name(generation)) {
            found.push_back(std::move(generation));
        }
    }
    std::ranges::sort(found);
    return found;
}

Result<std::string> BackupFolder::pick(const std::optional<std::string>& generation) const {
    const auto all = TRY(generations());
    if (!generation) {
        return all.empty() ? Result<std::string>(no_backup(path_)) : all.back();
    }
    if (std::ranges::find(all, *generation) == all.end()) {
        return peer_error(ErrorCode::NotFound, path_ + " holds no backup " + *generation +
                                                   "; `godwit backup list` names them");
    }
    return *generation;
}

Result<BackupManifest> BackupFolder::load(const std::string& generation) const {
    const std::string path = manifest_path(generation);
    auto manifest =
        decode_backup_manifest(TRY(read_whole(*files_, path, backup_manifest_size_max)));
    if (!manifest) {
        return std::unexpected(std::move(manifest).error().within(path));
    }
    if (manifest->store != identity_.store) {
        return internal_error(ErrorCode::Corrupt, path + " is of another store");
    }
    return manifest;
}

Result<std::size_t> BackupFolder::remove_leftovers() {
    std::set<std::string> needed;
    std::set<std::string> parts;
    bool are_parts_known = true;
    for (const std::string& generation : TRY(generations())) {
        needed.insert(generation + std::string(backup_keys_suffix));
        const auto manifest = load(generation);
        if (!manifest) {
            are_parts_known = false;
            log::warn("backup.manifest_damaged", {{"error", manifest.error().text}});
            continue;
        }
        for (const BackupPart& part : manifest->parts) {
            parts.insert(part_name(part));
        }
    }
    std::size_t removed = 0;
    for (const std::string& name : TRY(files_->list(path_))) {
        const bool is_ours =
            name.ends_with(backup_keys_suffix) || name.ends_with(backup_unfinished_suffix);
        if (is_ours && !needed.contains(name)) {
            TRY(files_->unlink(path_ + "/" + name));
            ++removed;
        }
    }
    TRY(files_->make_folder(segments_path()));
    for (const std::string& name : TRY(files_->list(segments_path()))) {
        if (name.ends_with(backup_unfinished_suffix) ||
            (are_parts_known && !parts.contains(name))) {
            TRY(files_->unlink(segments_path() + "/" + name));
            ++removed;
        }
    }
    return removed;
}

// The manifest first, durably: what stands after a crash is whole, or gone with left-overs.
Result<std::size_t> BackupFolder::remove_old(std::size_t keep) {
    const auto all = TRY(generations());
    std::size_t undamaged = all.size();
    while (undamaged > 0) {
        const auto manifest = load(all[--undamaged]);
        if (manifest && manifest->damaged_rows == 0) {
            break;
        }
    }
    std::size_t count = 0;
    for (std::size_t i = 0; i + keep < all.size(); ++i) {
        if (i != undamaged) {
            TRY(files_->unlink(manifest_path(all[i])));
            ++count;
        }
    }
    if (count > 0) {
        TRY(files_->sync_folder(path_));
        crash_point<"backup.old_manifests_gone">();
        TRY(remove_leftovers());
    }
    return count;
}

BackupSegments::BackupSegments(const BackupFolder* folder, const BackupManifest* manifest)
    : folder_(folder), manifest_(manifest) {}

std::vector<BackupPart> BackupSegments::parts(std::uint32_t segment) const {
    const auto found =
        std::ranges::equal_range(manifest_->parts, segment, {}, &BackupPart::segment);
    return {found.begin(), found.end()};
}

std::uint64_t BackupSegments::size(std::uint32_t segment) const {
    const auto found = parts(segment);
    return found.empty() ? 0 : found.back().to;
}

std::vector<std::uint32_t> BackupSegments::numbers() const {
    std::vector<std::uint32_t> found;
    for (const BackupPart& part : manifest_->parts) {
        if (part.from == 0) {
            found.push_back(part.segment);
        }
    }
    return found;
}

Result<const File*> BackupSegments::file(const BackupPart& part) {
    const std::string name = part_name(part);
    const auto found = open_.find(name);
    if (found != open_.end()) {
        return found->second.get();
    }
    if (open_.size() >= limits::blob_open_files_max) {
        open_.clear();
    }
    auto opened = TRY(folder_->files().open(folder_->part_path(part), OpenMode::Read));
    return open_.emplace(name, std::move(opened)).first->second.get();
}

Result<std::string> BackupSegments::read(std::uint32_t segment, std::uint64_t offset,
                                         std::size_t length) {
    std::string octets;
    for (const BackupPart& part : parts(segment)) {
        if (part.to <= offset || octets.size() == length) {
            continue;
        }
        const auto size = static_cast<std::size_t>(
            std::min<std::uint64_t>(length - octets.size(), part.to - offset));
        const std::size_t wanted = octets.size() + size;
        TRY((*TRY(file(part))).read_at(offset - part.from, size, ReadTier::Disk, octets));
        if (octets.size() != wanted) {
            return internal_error(ErrorCode::Corrupt, folder_->part_path(part) + " is cut short");
        }
        offset += size;
    }
    if (octets.size() != length) {
        return internal_error(ErrorCode::Corrupt, "segment " + std::to_string(segment) +
                                                      " ends before what a row names");
    }
    return octets;
}

Result<> BackupSegments::read_body(const BlobId& id, const BlobLocation& location,
                                   const std::function<Result<>(std::string_view)>& take) {
    Sha256Stream hash;
    const auto* place = std::get_if<SegmentPlace>(&location.place);
    if (place == nullptr) {
        const std::string& body = std::get<std::string>(location.place);
        hash.update(body);
        TRY(take(body));
    } else {
        for (std::uint64_t at = 0; at < location.size; at += kReadAtOnce) {
            const RecordRange range = range_of(location.size, at, kReadAtOnce);
            std::string raw = TRY(read(place->segment, place->offset + range.start, range.size));
            const std::string body = TRY(open_range(std::move(raw), range, id, location.size));
            hash.update(body);
            TRY(take(body));
        }
    }
    if (hash.finish() != id.hash) {
        return internal_error(ErrorCode::Corrupt, "body does not have the hash " + id.to_hex());
    }
    return {};
}

}  // namespace godwit::store
