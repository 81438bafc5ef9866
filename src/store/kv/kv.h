// The ordered key-value store under everything durable: one batch is one atomic, synced commit.
// A seam: RocksDB in production (rocks.cc), memory in tests and the simulator (memory.cc).
// Law: docs/storage.md. Keys are made in kv/key.h, values are sealed by kv/record.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rocksdb {
class Env;
}

namespace godwit::store {

/// How far a read may go. A shard asks Cached first; on ErrorCode::WouldBlock it runs the whole
/// read again on the offload pool with Disk.
enum class ReadTier : std::uint8_t { Cached, Disk };

/// An ordered list of puts and erases that becomes durable whole or not at all. Later entries win.
/// Plain data; not thread-safe.
class Batch {
public:
    struct Entry {
        std::string key;
        std::optional<std::string> value;  ///< nullopt erases.
    };
    void put(std::string key, std::string value);
    void erase(std::string key);
    void clear();
    /// Forgets all entries after the first `count`: a plan that did not fit leaves no trace.
    void shrink_to(std::size_t count);
    [[nodiscard]] bool is_empty() const { return entries_.empty(); }
    /// Keys and values together, octets.
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

private:
    std::vector<Entry> entries_;
    std::size_t size_ = 0;
};

/// Walks keys in order from where it was put. Views are valid until the next move. One thread.
class Cursor {
public:
    virtual ~Cursor() = default;
    /// To the first key >= `key`.
    virtual void seek(std::string_view key) = 0;
    /// To the last key <= `key`.
    virtual void seek_back(std::string_view key) = 0;
    virtual void next() = 0;
    virtual void previous() = 0;
    /// False at the end or after an error; then look at status().
    [[nodiscard]] virtual bool is_valid() const = 0;
    [[nodiscard]] virtual std::string_view key() const = 0;
    [[nodiscard]] virtual std::string_view value() const = 0;
    /// WouldBlock when a Cached cursor met a block that is not in memory; Corrupt, Io.
    [[nodiscard]] virtual Result<> status() const = 0;
};

/// One unchanging view of the store. Never held across a wait or a write to a client.
/// Thread-safe for get(); cursors belong to one thread and must die before the snapshot.
class Snapshot {
public:
    virtual ~Snapshot() = default;
    /// nullopt when there is no such key.
    [[nodiscard]] virtual Result<std::optional<std::string>> get(std::string_view key,
                                                                 ReadTier tier) const = 0;
    /// `upper` (exclusive) bounds forward walks; empty means none.
    [[nodiscard]] virtual std::unique_ptr<Cursor> cursor(ReadTier tier,
                                                         std::string_view upper = {}) const = 0;
};

/// A seam (virtual). snapshot() and get() from any thread; commit() from the commit thread alone.
class Kv {
public:
    virtual ~Kv() = default;
    /// Returns when the batch is on disk (synced) and visible to new snapshots. An Io error means
    /// the store can no longer be trusted to write: the caller ends the process (RELIABILITY.md 2).
    [[nodiscard]] virtual Result<> commit(const Batch& batch) = 0;
    [[nodiscard]] virtual std::unique_ptr<Snapshot> snapshot() const = 0;
    /// Reads the newest committed value, without the cost of a snapshot.
    [[nodiscard]] virtual Result<std::optional<std::string>> get(std::string_view key,
                                                                 ReadTier tier) const = 0;
    /// "rocksdb" or "memory".
    [[nodiscard]] virtual std::string_view engine() const = 0;
    /// Octets on disk (or in memory), for `godwit status`.
    [[nodiscard]] virtual std::uint64_t approximate_size() const = 0;
};

/// What a memory engine keeps: hand the same one to a second engine to "reopen after a crash".
/// Every commit is whole in it. `commits_allowed` counts down; at zero commits fail with Io (fault
/// tests).
struct MemoryKvDisk;
std::shared_ptr<MemoryKvDisk> make_memory_kv_disk();
void allow_commits(MemoryKvDisk& disk, std::uint64_t count);

/// An engine in memory: ordered, versioned, deterministic. Null makes a disk of its own.
std::unique_ptr<Kv> make_memory_kv(std::shared_ptr<MemoryKvDisk> disk = nullptr);

struct RocksOptions {
    std::uint64_t cache_bytes = 32ULL * 1024 * 1024;         ///< Blocks, indexes and filters.
    std::uint64_t write_buffer_bytes = 16ULL * 1024 * 1024;  ///< Each of at most two.
    int open_files_max = 256;  ///< Descriptors kept on tables; the engine's own minimum is 20.
    /// Files and background threads it works with; null: the machine's. Tests put a disk that fails
    /// beneath it.
    std::shared_ptr<rocksdb::Env> env;
    /// A background flush or compaction failed: nothing may be written any more. Called on an
    /// engine thread, at most once; must not call the engine. Required.
    std::function<void(const Error&)> on_fatal;
};
/// Below the engine's folder: the number, in digits, that the first commit of a restored store has.
/// Written and synced by who restores, before the store is whole.
inline constexpr std::string_view kRestoredFile = "/RESTORED";

/// Opens or makes the engine in `folder`, with the profile of RELIABILITY.md 3. Refuses a log that
/// is damaged before its tail (Corrupt).
Result<std::unique_ptr<Kv>> open_rocks_kv(const std::string& folder, RocksOptions options);

}  // namespace godwit::store
