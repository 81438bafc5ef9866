#include "store/store.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/limits.h"
#include "base/log.h"
#include "base/probe.h"
#include "store/blob/file.h"
#include "store/blob/segment_files.h"
#include "store/blob/watched_files.h"
#include "store/commit/fault_latch.h"
#include "store/commit/stamper.h"
#include "store/kv/key.h"
#include "store/kv/meta.h"

namespace godwit::store {
namespace {

// What only a store that is not new has: rows, segments.
Result<bool> has_content(const Kv& kv, const StoreOptions& options) {
    const auto snapshot = kv.snapshot();
    const auto cursor = snapshot->cursor(ReadTier::Disk);
    cursor->seek(std::string_view());
    TRY(cursor->status());
    if (cursor->is_valid() || options.files == nullptr) {
        return cursor->is_valid();
    }
    const auto names = options.files->list(options.folder + std::string(kBlobFolder));
    if (!names) {
        return names.error().code == ErrorCode::NotFound ? Result<bool>(false)
                                                         : std::unexpected(names.error());
    }
    return std::ranges::any_of(
        *names, [](const std::string& name) { return SegmentFiles::parse_name(name).has_value(); });
}

// Without its number commits would be numbered from the beginning: only the store's own rows may
// be there before the first.
Result<> check_commit_number(const Kv& kv) {
    const auto snapshot = kv.snapshot();
    if (TRY(snapshot->get(commit_seq_key(), ReadTier::Disk))) {
        return {};
    }
    const char own = family::meta;
    const auto cursor = snapshot->cursor(ReadTier::Disk, std::string_view(&own, 1));
    cursor->seek(std::string_view());
    TRY(cursor->status());
    return cursor->is_valid() ? internal_error(ErrorCode::Corrupt,
                                               "the row of the last commit's number is "
                                               "missing: godwit fsck --repair")
                              : Result<>();
}

// Before anything is written.
Result<> check_format(Kv& kv, const StoreOptions& options, Random& random) {
    const auto row = TRY(load_format(kv));
    if (!row) {
        // A new number would make strangers of the bodies.
        if (TRY(has_content(kv, options))) {
            return internal_error(ErrorCode::Corrupt,
                                  "the row of the data folder's format is missing: "
                                  "godwit fsck --repair");
        }
        Batch batch;
        batch.put(format_key(), encode(FormatRow{.store = random.u64()}));
        crash_point<"store.format_unwritten">();
        TRY(kv.commit(batch));
        crash_point<"store.format_written">();
        return {};
    }
    if (row->version == unfinished_restore_format) {
        return internal_error(ErrorCode::Unsupported,
                              "a restore into the data folder did not come to its end; empty the "
                              "folder and restore again");
    }
    if (row->lowest_reader > format_version) {
        return internal_error(ErrorCode::Unsupported,
                              "the data folder was written by a newer program (format " +
                                  std::to_string(row->version) + ", readable from format " +
                                  std::to_string(row->lowest_reader) +
                                  "); this program reads up to format " +
                                  std::to_string(format_version));
    }
    return check_commit_number(kv);
}

// Nothing of a store is in the folder: it is new, or not the one that is meant.
Result<bool> is_empty(FileSystem& files, const std::string& folder) {
    const auto has_any = [&](std::string_view below, auto is_of_a_store) -> Result<bool> {
        const auto names = files.list(folder + std::string(below));
        if (!names) {
            return names.error().code == ErrorCode::NotFound ? Result<bool>(false)
                                                             : std::unexpected(names.error());
        }
        return std::ranges::any_of(*names, is_of_a_store);
    };
    const bool has_keys = TRY(has_any("/kv", [](const std::string& name) {
        return name == "CURRENT" || name.starts_with("MANIFEST-") || name.ends_with(".sst") ||
               name.ends_with(".log");
    }));
    return !has_keys && !TRY(has_any(kBlobFolder, [](const std::string& name) {
        return SegmentFiles::parse_name(name).has_value();
    }));
}

constexpr std::string_view kReserveName = "RESERVE";
// The engine writes when it opens: what its log has goes into files. With less it is not begun,
// for it would end in the middle, and at every start again.
constexpr std::uint64_t kOpeningRoom = 16ULL * 1024 * 1024;

// Room that clean-up can have when nothing else is left.
class ReserveFile {
public:
    ReserveFile(FileSystem* files, std::string path, std::uint64_t size)
        : files_(files), path_(std::move(path)), size_(size) {}

    /// An earlier run's may be there.
    void look(const std::vector<std::string>& names) {
        is_there_ = std::ranges::find(names, kReserveName) != names.end();
    }
    void make() { is_there_ = size_ != 0 && files_->reserve(path_, size_).has_value(); }
    void let_go() {
        if (const auto gone = files_->unlink(path_); !gone) {
            log::warn("store.reserve_stays", {{"error", gone.error().text}});
        }
        is_there_ = false;
    }
    [[nodiscard]] bool is_there() const { return is_there_; }
    [[nodiscard]] std::uint64_t size() const { return size_; }

private:
    FileSystem* files_;
    std::string path_;
    std::uint64_t size_;
    bool is_there_ = false;
};

// A disk takes a gigabyte a second: between two looks no more than a part of what lies between the
// marks. A look costs a microsecond.
constexpr Duration kDiskLookEvery = std::chrono::milliseconds(50);

}  // namespace

struct Store::Inner {
    StoreOptions options;
    Clock* clock = nullptr;
    std::shared_ptr<FaultLatch> latch;  // The engine's threads may outlive the store.
    std::unique_ptr<FileSystem> files;  // Those of the options, watched.
    std::unique_ptr<FileHold> lock;
    Durability durability{
        .level = DurabilityLevel::Volatile, .file_system = "memory", .remark = "kept in memory"};
    std::unique_ptr<Kv> kv;
    std::unique_ptr<BlobStore> blobs;
    std::unique_ptr<Stamper> stamper;
    ChangeBus changes;
    std::unique_ptr<Committer> committer;  // Before the others in destruction: it uses them.

    std::atomic<std::uint64_t> next_mail = 1;
    std::atomic<std::uint64_t> reserved_mail = 1;
    std::atomic<bool> is_reserving = false;

    std::atomic<DiskRoom> room = DiskRoom::Ample;
    std::mutex disk_mutex;  // Of what follows.
    std::optional<MonoTime> disk_looked_at;
    std::unique_ptr<ReserveFile> reserve;

    Result<> open_engines(Random& random);
    Result<> make_room_to_open();
    Result<> open_rows();
    void look_at_disk();
    void reserve_mail_ids();
};

Result<> Store::Inner::open_engines(Random& random) {
    const auto open_kv = [this]() -> Result<std::unique_ptr<Kv>> {
        return options.open_kv
                   ? options.open_kv([kept = latch](const Error& error) { kept->trip(error); })
                   : make_memory_kv(options.memory_disk);
    };
    if (options.files == nullptr) {
        kv = TRY(open_kv());
        blobs = make_memory_blob_store(kv.get());
        return check_format(*kv, options, random);
    }
    files = watch_files(options.files, [kept = latch](const Error& error) { kept->trip(error); });
    if (!options.may_make && TRY(is_empty(*files, options.folder))) {
        return internal_error(
            ErrorCode::NotFound,
            "there is no store in the data folder " + options.folder +
                " (kv/ and blobs/ are not there or empty): if one was made, look whether its disk "
                "is mounted; `godwit init` makes a new one, `godwit restore` brings a backup back");
    }
    TRY(files->make_folder(options.folder));
    crash_point<"store.folder_made">();
    lock = TRY(files->hold(options.folder + "/LOCK"));
    if (options.judge_disk) {
        durability = options.judge_disk(options.folder);
        if (durability.level != DurabilityLevel::Synced) {
            log::warn("store.durability",
                      {{"level", to_string(durability.level)}, {"remark", durability.remark}});
        }
    }
    reserve = std::make_unique<ReserveFile>(
        files.get(), options.folder + "/" + std::string(kReserveName), options.disk_reserve_bytes);
    reserve->look(TRY(files->list(options.folder)));
    TRY(make_room_to_open());
    kv = TRY(open_kv());
    crash_point<"store.keys_open">();
    TRY(check_format(*kv, options, random));
    blobs = TRY(open_file_blob_store(files.get(), options.folder + std::string(kBlobFolder),
                                     kv.get(), options.blob_sizes));
    crash_point<"store.bodies_open">();
    // The names of both folders themselves.
    TRY(files->sync_folder(options.folder));
    crash_point<"store.folder_synced">();
    return {};
}

Result<> Store::Inner::make_room_to_open() {
    const auto look = [this] {
        return options.free_space ? options.free_space() : files->free_space(options.folder);
    };
    auto free = look();
    if (free && *free < options.disk_critical_bytes && reserve->is_there()) {
        log::warn("store.reserve_let_go", {{"free", *free}});
        reserve->let_go();
        free = look();
    }
    if (free && *free < std::min(kOpeningRoom, options.disk_critical_bytes)) {
        return temporary_error(ErrorCode::DiskFull, "the disk has " + std::to_string(*free >> 20) +
                                                        " MiB free, and opening the store takes " +
                                                        std::to_string(kOpeningRoom >> 20) +
                                                        " MiB: make room first");
    }
    return {};
}

// The rows that must be durable before the first plan.
Result<> Store::Inner::open_rows() {
    Batch batch;
    const auto value = TRY(kv->get(mail_id_reservation_key(), ReadTier::Disk));
    const std::uint64_t first = value ? TRY(decode_mail_id_reservation(*value)) : 1;
    next_mail.store(first);
    reserved_mail.store(first + limits::mail_id_block);
    batch.put(mail_id_reservation_key(), encode_mail_id_reservation(reserved_mail.load()));
    TRY(kv->commit(batch));
    crash_point<"store.first_ids_reserved">();
    return {};
}

// Two watermarks and a reserve: a real write error ends the process, so that a full disk must never
// get that far. Intake resumes by itself once a quarter more than the low mark is free.
void Store::Inner::look_at_disk() {
    if (options.files == nullptr && !options.free_space) {
        return;
    }
    const std::unique_lock guard(disk_mutex, std::try_to_lock);
    const MonoTime now = clock->mono();
    if (!guard.owns_lock() || (disk_looked_at && now - *disk_looked_at < kDiskLookEvery)) {
        return;
    }
    disk_looked_at = now;
    const auto free = options.free_space ? options.free_space() : files->free_space(options.folder);
    if (!free) {
        log::error("store.disk_unknown", {{"error", free.error().text}});
        return;
    }
    const DiskRoom before = room.load();
    const std::uint64_t low = before == DiskRoom::Ample
                                  ? options.disk_low_bytes
                                  : options.disk_low_bytes + options.disk_low_bytes / 4;
    const DiskRoom after = *free < options.disk_critical_bytes ? DiskRoom::Critical
                           : *free < low                       ? DiskRoom::Low
                                                               : DiskRoom::Ample;
    if (reserve != nullptr && after == DiskRoom::Critical && reserve->is_there()) {
        reserve->let_go();
    } else if (reserve != nullptr && after == DiskRoom::Ample && !reserve->is_there() &&
               *free > low + reserve->size()) {
        reserve->make();
    }
    if (after != before) {
        room.store(after);
        committer->set_disk_room(after);
        log::warn("store.disk_room", {{"free", *free}, {"takes_mail", after == DiskRoom::Ample}});
    }
}

// Ids past the bound may be given while this is under way: plans that carry them stand behind it in
// the commit's order, and nobody is told an id before its plan is durable.
void Store::Inner::reserve_mail_ids() {
    const std::uint64_t bound = next_mail.load() + limits::mail_id_block;
    committer->submit_work(
        [bound](Batch& batch) -> Result<> {
            batch.put(mail_id_reservation_key(), encode_mail_id_reservation(bound));
            crash_point<"store.ids_asked">();
            return {};
        },
        [this, bound](const CommitResult& done) {
            if (done) {
                reserved_mail.store(bound);
                probe<"store.ids_reserved">();
                crash_point<"store.ids_reserved">();
            }
            is_reserving.store(false);
        });
}

Store::Store() : inner_(std::make_unique<Inner>()) {}

Store::~Store() {
    stop();
    if (inner_->latch != nullptr) {
        inner_->latch->watch_over(nullptr);
    }
}

Result<std::unique_ptr<Store>> Store::open(StoreOptions options, Clock* clock, Random* random) {
    check(options.on_fatal != nullptr, "Store::open needs on_fatal");
    std::unique_ptr<Store> store(new Store());
    Inner& inner = *store->inner_;
    inner.options = std::move(options);
    inner.latch = std::make_shared<FaultLatch>(inner.options.on_fatal);
    inner.clock = clock;
    if (auto opened = inner.open_engines(*random); !opened) {
        Error& error = opened.error();
        if (error.code == ErrorCode::Corrupt && error.text.find("godwit ") == std::string::npos) {
            error.text +=
                "; stop here and copy the folder, then godwit fsck --repair, or restore a backup "
                "(docs/operating/repair.md)";
        }
        return std::unexpected(std::move(error));
    }
    TRY(inner.open_rows());
    inner.stamper = std::make_unique<Stamper>(inner.kv.get());
    CommitterParts parts{
        .kv = inner.kv.get(),
        .blobs = inner.blobs.get(),
        .stamper = inner.stamper.get(),
        .changes = &inner.changes,
        .clock = clock,
        .last = TRY(load_commit_seq(*inner.kv)),
        .before_group = [&inner] { inner.look_at_disk(); },
        .on_pending = inner.options.on_pending,
        .on_fatal = [latch = inner.latch](const Error& error) { latch->trip(error); }};
    inner.committer = std::make_unique<Committer>(std::move(parts), inner.options.drive);
    inner.latch->watch_over(inner.committer.get());
    return store;
}

const Durability& Store::durability() const {
    return inner_->durability;
}
const StoreOptions& Store::options() const {
    return inner_->options;
}
Kv& Store::kv() {
    return *inner_->kv;
}
BlobStore& Store::blobs() {
    return *inner_->blobs;
}
Committer& Store::committer() {
    return *inner_->committer;
}
ChangeBus& Store::changes() {
    return inner_->changes;
}
std::unique_ptr<Snapshot> Store::snapshot() const {
    return inner_->kv->snapshot();
}

MailId Store::next_mail_id() {
    const std::uint64_t id = inner_->next_mail.fetch_add(1);
    if (id + limits::mail_id_block / 2 >= inner_->reserved_mail.load() &&
        !inner_->is_reserving.exchange(true)) {
        inner_->reserve_mail_ids();
    }
    return MailId(id);
}

bool Store::is_sound() const {
    return !inner_->latch->is_tripped();
}

std::optional<Error> Store::fault() const {
    return inner_->latch->fault();
}

bool Store::has_room_for_mail() {
    inner_->look_at_disk();
    return inner_->room.load() == DiskRoom::Ample;
}

Result<bool> Store::tend() {
    inner_->look_at_disk();
    if (!is_sound()) {
        return temporary_error(ErrorCode::Closed, "the store takes no more changes");
    }
    // Copying gives room back only after a while, and needs it first.
    const std::size_t copied_max =
        inner_->room.load() == DiskRoom::Critical ? 0 : limits::housekeeping_bytes_max;
    auto step = TRY(inner_->blobs->tend(inner_->clock->mono(), copied_max));
    if (step.work) {
        inner_->committer->submit_work(std::move(step.work), [](const CommitResult& done) {
            if (!done) {
                log::warn("store.housekeeping_failed", {{"error", done.error().error.text}});
            }
        });
    }
    return step.is_more_to_do;
}

void Store::stop() {
    if (inner_->committer != nullptr) {
        crash_point<"store.stopping">();
        inner_->committer->stop();
        crash_point<"store.stopped">();
    }
}

}  // namespace godwit::store
