#include "sim/disk.h"

#include "sim/node.h"
#include "sim/world.h"

namespace godwit::sim {

using store::ReadTier;

namespace {

std::unexpected<Error> would_block() {
    return temporary_error(ErrorCode::WouldBlock, "not in memory");
}
std::unexpected<Error> input_output(std::string_view what) {
    return internal_error(ErrorCode::Io, std::string(what) + ": Input/output error");
}

/// Walks until it comes to a place that is not in memory or cannot be read.
class FaultyCursor final : public store::Cursor {
public:
    FaultyCursor(std::unique_ptr<store::Cursor> under, std::optional<Error> error,
                 std::uint64_t after)
        : under_(std::move(under)), error_(std::move(error)), steps_left_(after) {}
    void seek(std::string_view key) override {
        under_->seek(key);
        step();
    }
    void seek_back(std::string_view key) override {
        under_->seek_back(key);
        step();
    }
    void next() override {
        under_->next();
        step();
    }
    void previous() override {
        under_->previous();
        step();
    }
    [[nodiscard]] bool is_valid() const override { return !has_failed_ && under_->is_valid(); }
    [[nodiscard]] std::string_view key() const override { return under_->key(); }
    [[nodiscard]] std::string_view value() const override { return under_->value(); }
    [[nodiscard]] Result<> status() const override {
        if (has_failed_) {
            return std::unexpected(*error_);
        }
        return under_->status();
    }

private:
    void step() {
        if (error_ && steps_left_-- == 0) {
            has_failed_ = true;
        }
    }
    std::unique_ptr<store::Cursor> under_;
    std::optional<Error> error_;
    std::uint64_t steps_left_;
    bool has_failed_ = false;
};

}  // namespace

class FaultySnapshot final : public store::Snapshot {
public:
    FaultySnapshot(Disk* disk, std::unique_ptr<store::Snapshot> under)
        : disk_(disk), under_(std::move(under)) {}
    [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key,
                                                         ReadTier tier) const override {
        if (auto error = fault(disk_, tier)) {
            return std::unexpected(*std::move(error));
        }
        return under_->get(key, tier);
    }
    [[nodiscard]] std::unique_ptr<store::Cursor> cursor(ReadTier tier,
                                                        std::string_view upper) const override {
        auto error = fault(disk_, tier);
        const std::uint64_t after = error ? disk_->dice_.below(8) : 0;
        return std::make_unique<FaultyCursor>(under_->cursor(tier, upper), std::move(error), after);
    }
    static std::optional<Error> fault(Disk* disk, ReadTier tier) {
        const Swarm& swarm = disk->world_->swarm();
        if (tier == ReadTier::Cached && disk->strikes(swarm.slow_read)) {
            return would_block().error();
        }
        if (disk->strikes(swarm.read_fails)) {
            disk->world_->count("reads failed");
            ++disk->reads_failed_;
            return input_output("read").error();
        }
        return std::nullopt;
    }

private:
    Disk* disk_;
    std::unique_ptr<store::Snapshot> under_;
};

class FaultyKv final : public store::Kv {
public:
    FaultyKv(Disk* disk, std::unique_ptr<store::Kv> under)
        : disk_(disk), under_(std::move(under)) {}
    [[nodiscard]] Result<> commit(const store::Batch& batch) override {
        if (disk_->is_cut()) {
            return {};
        }
        const Swarm& swarm = disk_->world_->swarm();
        if (disk_->strikes(swarm.commit_fails)) {
            disk_->world_->count("commits failed");
            // What reached the disk of a write that failed is anybody's guess.
            if (disk_->dice_.chance(0.5)) {
                TRY(under_->commit(batch));
            }
            return input_output("commit");
        }
        if (disk_->strikes(swarm.crash_at_point)) {
            disk_->node_->freeze("in the commit, before it is on disk");
            return {};
        }
        TRY(under_->commit(batch));
        if (disk_->strikes(swarm.crash_at_point)) {
            disk_->node_->freeze("in the commit, once it is on disk");
        }
        return {};
    }
    [[nodiscard]] std::unique_ptr<store::Snapshot> snapshot() const override {
        return std::make_unique<FaultySnapshot>(disk_, under_->snapshot());
    }
    [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key,
                                                         ReadTier tier) const override {
        if (auto error = FaultySnapshot::fault(disk_, tier)) {
            return std::unexpected(*std::move(error));
        }
        return under_->get(key, tier);
    }
    [[nodiscard]] std::string_view engine() const override { return under_->engine(); }
    [[nodiscard]] std::uint64_t approximate_size() const override {
        return under_->approximate_size();
    }

private:
    Disk* disk_;
    std::unique_ptr<store::Kv> under_;
};

class FaultyFile final : public store::File {
public:
    FaultyFile(Disk* disk, std::unique_ptr<store::File> under)
        : disk_(disk), under_(std::move(under)) {}
    [[nodiscard]] Result<> write_at(std::uint64_t offset,
                                    std::span<const std::string_view> pieces) override {
        if (disk_->is_cut()) {
            return {};
        }
        if (disk_->strikes(disk_->world_->swarm().file_fails)) {
            disk_->world_->count("file writes failed");
            return input_output("write");
        }
        return under_->write_at(offset, pieces);
    }
    [[nodiscard]] Result<> read_at(std::uint64_t offset, std::size_t length, ReadTier tier,
                                   std::string& out) const override {
        if (auto error = FaultySnapshot::fault(disk_, tier)) {
            return std::unexpected(*std::move(error));
        }
        return under_->read_at(offset, length, tier, out);
    }
    [[nodiscard]] Result<> sync() override {
        if (disk_->is_cut()) {
            return {};
        }
        if (disk_->strikes(disk_->world_->swarm().file_fails)) {
            disk_->world_->count("file syncs failed");
            return input_output("sync");
        }
        return under_->sync();
    }
    [[nodiscard]] Result<std::uint64_t> size() const override { return under_->size(); }

private:
    Disk* disk_;
    std::unique_ptr<store::File> under_;
};

/// Once the node is cut, what it opens for writing is a file that nobody else sees.
class FaultyFiles final : public store::FileSystem {
public:
    FaultyFiles(Disk* disk, store::MemoryFiles* under) : disk_(disk), under_(under) {}
    [[nodiscard]] Result<std::unique_ptr<store::File>> open(const std::string& path,
                                                            store::OpenMode mode) override {
        const bool is_to_nowhere = disk_->is_cut() && mode == store::OpenMode::Create;
        auto file = TRY(is_to_nowhere ? nowhere_.open(path, mode) : under_->open(path, mode));
        return std::make_unique<FaultyFile>(disk_, std::move(file));
    }
    [[nodiscard]] Result<> unlink(const std::string& path) override {
        return disk_->is_cut() ? Result<>() : under_->unlink(path);
    }
    [[nodiscard]] Result<> rename(const std::string& from, const std::string& to) override {
        return disk_->is_cut() ? Result<>() : under_->rename(from, to);
    }
    [[nodiscard]] Result<> make_folder(const std::string& path) override {
        return disk_->is_cut() ? Result<>() : under_->make_folder(path);
    }
    [[nodiscard]] Result<> sync_folder(const std::string& path) override {
        return disk_->is_cut() ? Result<>() : under_->sync_folder(path);
    }
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& path) override {
        return under_->list(path);
    }
    [[nodiscard]] Result<std::uint64_t> free_space(const std::string& /*path*/) override {
        return disk_->free_space_;
    }
    [[nodiscard]] Result<std::unique_ptr<store::FileHold>> hold(const std::string& path) override {
        return under_->hold(path);
    }
    [[nodiscard]] Result<> reserve(const std::string& path, std::uint64_t size) override {
        return disk_->is_cut() ? Result<>() : under_->reserve(path, size);
    }

private:
    Disk* disk_;
    store::MemoryFiles* under_;
    store::MemoryFiles nowhere_;
};

Disk::Disk(World* world, Node* node)
    : world_(world),
      node_(node),
      dice_(world->dice(node->domain() + ".disk")),
      rows_(store::make_memory_kv_disk()),
      files_(std::make_unique<FaultyFiles>(this, &memory_)) {}

Disk::~Disk() = default;

bool Disk::strikes(double probability) {
    return probability > 0 && !is_reliable_ && !is_cut() && dice_.chance(probability);
}

bool Disk::is_cut() const {
    return node_->is_frozen();
}

void Disk::offer(store::StoreOptions& options) {
    options.files = files_.get();
    options.folder = "/data";
    options.open_kv = [this](const std::function<void(const Error&)>& /*on_fatal*/)
        -> Result<std::unique_ptr<store::Kv>> {
        return std::make_unique<FaultyKv>(this, store::make_memory_kv(rows_));
    };
    options.free_space = [this]() -> Result<std::uint64_t> { return free_space_; };
}

void Disk::lose_unsynced() {
    memory_.crash(dice_.random());
}

}  // namespace godwit::sim
