#include "store/blob/memory_files.h"

#include <algorithm>

namespace godwit::store {

struct MemoryFiles::Content {
    mutable std::mutex mutex;
    std::string now;
    std::string synced;
    std::uint64_t syncs = 0;
};

namespace {

std::string folder_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

class MemoryFile final : public File {
public:
    explicit MemoryFile(std::shared_ptr<MemoryFiles::Content> content)
        : content_(std::move(content)) {}

    [[nodiscard]] Result<> write_at(std::uint64_t offset,
                                    std::span<const std::string_view> pieces) override {
        const std::scoped_lock lock(content_->mutex);
        for (const std::string_view piece : pieces) {
            if (content_->now.size() < offset + piece.size()) {
                content_->now.resize(offset + piece.size());
            }
            content_->now.replace(offset, piece.size(), piece);
            offset += piece.size();
        }
        return {};
    }
    [[nodiscard]] Result<> read_at(std::uint64_t offset, std::size_t length, ReadTier /*tier*/,
                                   std::string& out) const override {
        const std::scoped_lock lock(content_->mutex);
        if (offset < content_->now.size()) {
            out.append(content_->now, offset, length);
        }
        return {};
    }
    [[nodiscard]] Result<> sync() override {
        const std::scoped_lock lock(content_->mutex);
        content_->synced = content_->now;
        ++content_->syncs;
        return {};
    }
    [[nodiscard]] Result<std::uint64_t> size() const override {
        const std::scoped_lock lock(content_->mutex);
        return content_->now.size();
    }

private:
    std::shared_ptr<MemoryFiles::Content> content_;
};

// What a disk may hold of `now` when only `synced` was promised: a cut and a torn block.
std::string after_power_loss(const std::string& synced, const std::string& now, Random& random) {
    if (now.size() <= synced.size()) {
        return random.below(2) == 0 ? synced : now;
    }
    const std::uint64_t kept = random.below(now.size() - synced.size() + 1);
    std::string left = now.substr(0, synced.size() + kept);
    if (kept != 0 && random.below(2) == 0) {
        left[synced.size() + random.below(kept)] = '\0';
    }
    return left;
}

}  // namespace

MemoryFiles::MemoryFiles() = default;
MemoryFiles::~MemoryFiles() = default;

Result<std::unique_ptr<File>> MemoryFiles::open(const std::string& path, OpenMode mode) {
    const std::scoped_lock lock(mutex_);
    const auto found = names_.find(path);
    if (mode == OpenMode::Read) {
        if (found == names_.end()) {
            return internal_error(ErrorCode::NotFound, "open " + path);
        }
        return std::make_unique<MemoryFile>(found->second);
    }
    if (found != names_.end()) {
        return internal_error(ErrorCode::AlreadyExists, "open " + path);
    }
    auto content = std::make_shared<Content>();
    names_.emplace(path, content);
    return std::make_unique<MemoryFile>(std::move(content));
}

Result<> MemoryFiles::unlink(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    names_.erase(path);
    return {};
}

Result<> MemoryFiles::rename(const std::string& from, const std::string& to) {
    const std::scoped_lock lock(mutex_);
    const auto found = names_.find(from);
    if (found == names_.end()) {
        return internal_error(ErrorCode::NotFound, "rename " + from);
    }
    names_.insert_or_assign(to, found->second);
    names_.erase(from);
    return {};
}

Result<> MemoryFiles::make_folder(const std::string& /*path*/) {
    return {};
}

Result<> MemoryFiles::sync_folder(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    std::erase_if(synced_names_, [&](const auto& entry) { return folder_of(entry.first) == path; });
    for (const auto& [name, content] : names_) {
        if (folder_of(name) == path) {
            synced_names_.emplace(name, content);
        }
    }
    return {};
}

Result<std::vector<std::string>> MemoryFiles::list(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> found;
    for (const auto& [name, content] : names_) {
        if (folder_of(name) == path) {
            found.push_back(name.substr(path.size() + 1));
        }
    }
    return found;
}

Result<std::uint64_t> MemoryFiles::free_space(const std::string& /*path*/) {
    const std::scoped_lock lock(mutex_);
    return free_space_;
}

Result<std::unique_ptr<FileHold>> MemoryFiles::hold(const std::string& path) {
    class Hold final : public FileHold {
    public:
        Hold(MemoryFiles* files, std::string path) : files_(files), path_(std::move(path)) {}
        ~Hold() override {
            const std::scoped_lock lock(files_->mutex_);
            files_->held_.erase(path_);
        }
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;

    private:
        MemoryFiles* files_;
        std::string path_;
    };
    const std::scoped_lock lock(mutex_);
    if (!held_.insert(path).second) {
        return temporary_error(ErrorCode::Unavailable, path + " is in use");
    }
    return std::make_unique<Hold>(this, path);
}

Result<> MemoryFiles::reserve(const std::string& path, std::uint64_t size) {
    const std::scoped_lock lock(mutex_);
    if (size > free_space_) {
        return internal_error(ErrorCode::DiskFull, "reserve " + path);
    }
    names_.try_emplace(path, std::make_shared<Content>());
    return {};
}

void MemoryFiles::crash(Random& random) {
    const std::scoped_lock lock(mutex_);
    std::map<std::string, std::shared_ptr<Content>> left = synced_names_;
    for (const auto& [name, content] : names_) {
        if (!left.contains(name) && random.below(2) == 0) {
            left.emplace(name, content);
        }
    }
    for (auto& [name, content] : left) {
        if (!names_.contains(name) && random.below(2) == 0) {
            content = nullptr;
            continue;
        }
        const std::scoped_lock content_lock(content->mutex);
        auto fresh = std::make_shared<Content>();
        fresh->now = after_power_loss(content->synced, content->now, random);
        fresh->synced = fresh->now;
        content = std::move(fresh);
    }
    std::erase_if(left, [](const auto& entry) { return entry.second == nullptr; });
    names_ = left;
    synced_names_ = std::move(left);
}

std::string MemoryFiles::content(const std::string& path) const {
    const std::scoped_lock lock(mutex_);
    const auto found = names_.find(path);
    if (found == names_.end()) {
        return {};
    }
    const std::scoped_lock content_lock(found->second->mutex);
    return found->second->now;
}

void MemoryFiles::set_content(const std::string& path, std::string content) {
    const std::scoped_lock lock(mutex_);
    auto& entry = names_[path];
    if (entry == nullptr) {
        entry = std::make_shared<Content>();
    }
    const std::scoped_lock content_lock(entry->mutex);
    entry->now = content;
    entry->synced = std::move(content);
}

void MemoryFiles::set_free_space(std::uint64_t octets) {
    const std::scoped_lock lock(mutex_);
    free_space_ = octets;
}

std::uint64_t MemoryFiles::syncs() const {
    const std::scoped_lock lock(mutex_);
    std::uint64_t all = 0;
    for (const auto& [name, content] : names_) {
        const std::scoped_lock content_lock(content->mutex);
        all += content->syncs;
    }
    return all;
}

}  // namespace godwit::store
