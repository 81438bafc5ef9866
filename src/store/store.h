// The cellars as one thing: opens a data folder and holds engine, bodies, commit thread and bus.
// store/folder.h gives the engines of the machine.
// Thread-safe but where a part says otherwise.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "store/blob/blob.h"
#include "store/commit/committer.h"
#include "store/durability.h"
#include "store/kv/kv.h"
#include "store/mailbox/change.h"

namespace godwit::store {

class FileSystem;

/// Of bodies, in StoreOptions::folder.
inline constexpr std::string_view kBlobFolder = "/blobs";

struct StoreOptions {
    /// Where bodies, lock and reserve are, in `folder`. Null: bodies are rows of the key engine
    /// (tests). Outlives the store.
    FileSystem* files = nullptr;
    std::string folder;
    /// False: a folder in which nothing of a store is fails with NotFound, untouched.
    bool may_make = true;
    BlobSizes blob_sizes;
    /// Opens the engine of the keys, once; what it is given is on_fatal. Null: one in memory.
    std::function<Result<std::unique_ptr<Kv>>(std::function<void(const Error&)>)> open_kv;
    /// The default engine only: what survives a crash of the store. Null makes one that is
    /// forgotten.
    std::shared_ptr<MemoryKvDisk> memory_disk;
    /// By hand when nothing is said; keep_in_folder() says Thread.
    CommitDrive drive;
    /// See CommitterParts.
    std::function<void()> on_pending;
    /// Below `disk_low_bytes` free, intake stops (452); below `disk_critical_bytes` all writes but
    /// deletions. A reserve file of `disk_reserve_bytes` is let go for clean-up.
    std::uint64_t disk_low_bytes = 256ULL * 1024 * 1024;
    std::uint64_t disk_critical_bytes = 64ULL * 1024 * 1024;
    std::uint64_t disk_reserve_bytes = 32ULL * 1024 * 1024;
    /// Octets free on the disk. Null: the file system is asked; a store in memory has always room.
    /// Called by the commit thread and by has_room_for_mail().
    std::function<Result<std::uint64_t>()> free_space;
    /// What a sync is worth on the disk of `folder`; asked once, when it is open. Null: nothing
    /// (memory).
    std::function<Durability(const std::string& folder)> judge_disk;
    /// A write or a sync failed, in the commit, in the engine's background work or of a body on
    /// its way in: nothing is committed from here on, every plan fails with Closed, and the
    /// process is expected to end. Called once, on the thread that found out; must not block.
    /// Required.
    std::function<void(const Error&)> on_fatal;
};

class Store {
public:
    /// Makes or opens the folder (one process at a time: a lock file says who). Refuses a newer
    /// format.
    static Result<std::unique_ptr<Store>> open(StoreOptions options, Clock* clock, Random* random);
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    /// What it was opened with; where its files are.
    [[nodiscard]] const StoreOptions& options() const;
    [[nodiscard]] Kv& kv();
    [[nodiscard]] BlobStore& blobs();
    [[nodiscard]] Committer& committer();
    [[nodiscard]] ChangeBus& changes();
    [[nodiscard]] std::unique_ptr<Snapshot> snapshot() const;
    /// A new id, never given before, also after a crash. Any thread.
    [[nodiscard]] MailId next_mail_id();
    /// False while the disk is too full to take mail in. Cheap; looked at once a second at most.
    [[nodiscard]] bool has_room_for_mail();
    /// True until on_fatal was called. Cheap; any thread.
    [[nodiscard]] bool is_sound() const;
    /// What on_fatal was called with. Any thread.
    [[nodiscard]] std::optional<Error> fault() const;
    /// What an acknowledgement is worth here.
    [[nodiscard]] const Durability& durability() const;
    /// One bounded step of housekeeping: dead segments, copying out of half-dead ones, a look at
    /// the disk. Blocks on the disk: offload pool only, one caller at a time, about once a minute.
    /// True when another step at once would find work.
    [[nodiscard]] Result<bool> tend();
    /// Commits what is pending and closes. The destructor does it too.
    void stop();

private:
    Store();
    struct Inner;
    std::unique_ptr<Inner> inner_;
};

}  // namespace godwit::store
