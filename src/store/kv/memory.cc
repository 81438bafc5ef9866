// The engine in memory: a map from key to the versions that snapshots still need.
// The same contract as rocks.cc, held by kv/kv_test.cc. Deterministic; a commit is whole or
// nothing.
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>

#include "store/kv/kv.h"

namespace godwit::store {

struct MemoryKvDisk {
    struct Version {
        std::uint64_t commit = 0;
        std::optional<std::string> value;
    };
    // Oldest first. A key whose only version is an erase is removed when no snapshot needs it.
    using Versions = std::vector<Version>;

    mutable std::shared_mutex mutex;
    std::map<std::string, Versions, std::less<>> rows;
    std::multiset<std::uint64_t> snapshots;
    std::uint64_t newest = 0;
    std::uint64_t octets = 0;
    std::uint64_t commits_allowed = std::numeric_limits<std::uint64_t>::max();

    static const std::string* visible(const Versions& versions, std::uint64_t at) {
        for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
            if (version->commit <= at) {
                return version->value ? &*version->value : nullptr;
            }
        }
        return nullptr;
    }

    void apply(const Batch::Entry& entry) {
        Versions& versions = rows[entry.key];
        if (versions.empty()) {
            octets += entry.key.size();
        }
        // Only the newest version at or below the oldest snapshot is needed of the older ones.
        const std::uint64_t oldest = snapshots.empty() ? newest : *snapshots.begin();
        while (versions.size() >= 2 && versions[1].commit <= oldest) {
            drop(versions, 0);
        }
        if (!versions.empty() && (versions.back().commit == newest || snapshots.empty())) {
            drop(versions, versions.size() - 1);
        }
        octets += entry.value ? entry.value->size() : 0;
        versions.push_back({newest, entry.value});
        if (!entry.value && versions.size() == 1) {
            octets -= entry.key.size();
            rows.erase(entry.key);
        }
    }

    void drop(Versions& versions, std::size_t index) {
        const Version& gone = versions[index];
        octets -= gone.value ? gone.value->size() : 0;
        versions.erase(versions.begin() + static_cast<std::ptrdiff_t>(index));
    }
};

namespace {

class MemoryCursor final : public Cursor {
public:
    MemoryCursor(const MemoryKvDisk* disk, std::uint64_t at, std::string_view upper)
        : disk_(disk), at_(at), upper_(upper) {}

    void seek(std::string_view key) override {
        const std::shared_lock lock(disk_->mutex);
        forward(disk_->rows.lower_bound(key));
    }
    void seek_back(std::string_view key) override {
        const std::shared_lock lock(disk_->mutex);
        // Like the other engine, nothing at or past the bound is seen in either direction.
        const bool past = !upper_.empty() && key >= upper_;
        backward(past ? disk_->rows.lower_bound(upper_) : disk_->rows.upper_bound(key));
    }
    void next() override {
        const std::shared_lock lock(disk_->mutex);
        forward(disk_->rows.upper_bound(key_));
    }
    void previous() override {
        const std::shared_lock lock(disk_->mutex);
        backward(disk_->rows.lower_bound(key_));
    }
    [[nodiscard]] bool is_valid() const override { return is_valid_; }
    [[nodiscard]] std::string_view key() const override { return key_; }
    [[nodiscard]] std::string_view value() const override { return value_; }
    [[nodiscard]] Result<> status() const override { return {}; }

private:
    using Iterator = decltype(MemoryKvDisk::rows)::const_iterator;

    void forward(Iterator row) {
        is_valid_ = false;
        for (; row != disk_->rows.end() && (upper_.empty() || row->first < upper_); ++row) {
            if (take(row)) {
                return;
            }
        }
    }
    void backward(Iterator after) {
        is_valid_ = false;
        while (after != disk_->rows.begin()) {
            --after;
            if (take(after)) {
                return;
            }
        }
    }
    bool take(Iterator row) {
        const std::string* value = MemoryKvDisk::visible(row->second, at_);
        if (value == nullptr) {
            return false;
        }
        key_ = row->first;
        value_ = *value;
        is_valid_ = true;
        return true;
    }

    const MemoryKvDisk* disk_;
    std::uint64_t at_;
    std::string upper_;
    std::string key_;
    std::string value_;
    bool is_valid_ = false;
};

class MemorySnapshot final : public Snapshot {
public:
    // The disk outlives the engine when a test keeps it; a snapshot keeps it too, as any may go
    // first.
    explicit MemorySnapshot(std::shared_ptr<MemoryKvDisk> disk) : disk_(std::move(disk)) {
        const std::unique_lock lock(disk_->mutex);
        at_ = disk_->newest;
        disk_->snapshots.insert(at_);
    }
    ~MemorySnapshot() override {
        const std::unique_lock lock(disk_->mutex);
        disk_->snapshots.erase(disk_->snapshots.find(at_));
    }
    MemorySnapshot(const MemorySnapshot&) = delete;
    MemorySnapshot& operator=(const MemorySnapshot&) = delete;

    [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key,
                                                         ReadTier /*tier*/) const override {
        const std::shared_lock lock(disk_->mutex);
        const auto row = disk_->rows.find(key);
        const std::string* value =
            row == disk_->rows.end() ? nullptr : MemoryKvDisk::visible(row->second, at_);
        return value == nullptr ? std::nullopt : std::optional(*value);
    }
    [[nodiscard]] std::unique_ptr<Cursor> cursor(ReadTier /*tier*/,
                                                 std::string_view upper) const override {
        return std::make_unique<MemoryCursor>(disk_.get(), at_, upper);
    }

private:
    std::shared_ptr<MemoryKvDisk> disk_;
    std::uint64_t at_ = 0;
};

class MemoryKv final : public Kv {
public:
    explicit MemoryKv(std::shared_ptr<MemoryKvDisk> disk) : disk_(std::move(disk)) {}

    [[nodiscard]] Result<> commit(const Batch& batch) override {
        const std::unique_lock lock(disk_->mutex);
        if (disk_->commits_allowed == 0) {
            return internal_error(ErrorCode::Io, "memory engine: write refused by the test");
        }
        --disk_->commits_allowed;
        ++disk_->newest;
        for (const Batch::Entry& entry : batch.entries()) {
            disk_->apply(entry);
        }
        return {};
    }
    [[nodiscard]] std::unique_ptr<Snapshot> snapshot() const override {
        return std::make_unique<MemorySnapshot>(disk_);
    }
    [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key,
                                                         ReadTier /*tier*/) const override {
        const std::shared_lock lock(disk_->mutex);
        const auto row = disk_->rows.find(key);
        return row == disk_->rows.end() ? std::nullopt : row->second.back().value;
    }
    [[nodiscard]] std::string_view engine() const override { return "memory"; }
    [[nodiscard]] std::uint64_t approximate_size() const override {
        const std::shared_lock lock(disk_->mutex);
        return disk_->octets;
    }

private:
    std::shared_ptr<MemoryKvDisk> disk_;
};

}  // namespace

std::shared_ptr<MemoryKvDisk> make_memory_kv_disk() {
    return std::make_shared<MemoryKvDisk>();
}

void allow_commits(MemoryKvDisk& disk, std::uint64_t count) {
    const std::unique_lock lock(disk.mutex);
    disk.commits_allowed = count;
}

std::unique_ptr<Kv> make_memory_kv(std::shared_ptr<MemoryKvDisk> disk) {
    return std::make_unique<MemoryKv>(disk ? std::move(disk) : make_memory_kv_disk());
}

}  // namespace godwit::store
