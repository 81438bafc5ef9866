#include "power/disk.h"

#include <algorithm>
#include <utility>

namespace godwit::power {
namespace {

constexpr std::size_t kSector = 512;
constexpr std::size_t kPage = 4096;

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::unexpected<Error> refuse(ErrorCode code, std::string_view what, const std::string& path) {
    return internal_error(code, std::string(what) + " " + path);
}

// What was never written, in pieces that are zero or what some other file left there.
void extend(std::string& content, std::size_t size, Random& random) {
    while (content.size() < size) {
        const std::size_t piece = std::min(kSector, size - content.size());
        if (random.below(3) == 0) {
            content += random.bytes(piece);
        } else {
            content.append(piece, '\0');
        }
    }
}

}  // namespace

std::string_view name_of(Op op) {
    static constexpr std::string_view kNames[] = {"look",   "read",   "write",  "sync",
                                                  "create", "rename", "unlink", "sync folder"};
    return kNames[static_cast<std::size_t>(op)];
}

std::string_view name_of(Cut cut) {
    static constexpr std::string_view kNames[] = {"kill",  "drop",    "prefix", "sectors",
                                                  "pages", "reorder", "names"};
    return kNames[static_cast<std::size_t>(cut)];
}

struct Disk::Node {
    struct Write {
        std::uint64_t offset = 0;
        std::string octets;
        bool is_truncation = false;
    };
    std::string path;  // Where it was made, for messages.
    bool is_folder = false;
    std::string now;
    std::string durable;
    std::vector<Write> unsynced;

    static void put(std::string& content, const Write& write) {
        if (write.is_truncation) {
            content.resize(write.offset);
            return;
        }
        const std::size_t end = write.offset + write.octets.size();
        if (content.size() < end) {
            content.resize(end);
        }
        std::ranges::copy(write.octets,
                          content.begin() + static_cast<std::ptrdiff_t>(write.offset));
    }
    void take(Write write) {
        put(now, write);
        unsynced.push_back(std::move(write));
    }
};

struct Disk::NameChange {
    enum class Kind : std::uint8_t { Make, Unlink, Rename } kind = Kind::Make;
    std::string path;
    std::string target;  // Rename.
    File node;
};

Disk::Disk(std::uint64_t seed) : random_(seed) {}
Disk::~Disk() = default;

Result<> Disk::step(Op op, const std::string& path) {
    if (is_off_) {
        return refuse(ErrorCode::Io, kPowerIsOff, path);
    }
    ++operations_;
    if (cut_after_ != 0 && (cut_kinds_ & bit(op)) != 0 && --cut_after_ == 0) {
        is_off_ = true;
        cut_at_ = std::string(name_of(op)) + " " + path;
        return refuse(ErrorCode::Io, kPowerIsOff, path);
    }
    if (fault_ && (fault_->kinds & bit(op)) != 0) {
        ++fault_seen_;
        if (fault_seen_ == fault_->at || (fault_->is_sticky && fault_seen_ > fault_->at)) {
            ++fault_struck_;
            return refuse(fault_->trouble == Trouble::Io ? ErrorCode::Io : ErrorCode::DiskFull,
                          "on order: " + std::string(name_of(op)), path);
        }
    }
    return {};
}

Result<Disk::File> Disk::open(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    TRY(step(Op::Look, path));
    const auto found = names_.find(path);
    if (found == names_.end() || found->second->is_folder) {
        return refuse(ErrorCode::NotFound, "open", path);
    }
    return found->second;
}

Result<Disk::File> Disk::create(const std::string& path, Taken taken) {
    const std::scoped_lock lock(mutex_);
    TRY(step(Op::Create, path));
    const auto found = names_.find(path);
    if (found != names_.end()) {
        if (taken == Taken::Refuse || found->second->is_folder) {
            return refuse(ErrorCode::AlreadyExists, "create", path);
        }
        found->second->take({.offset = 0, .octets = {}, .is_truncation = true});
        return found->second;
    }
    if (!names_.contains(folder_of(path)) && folder_of(path) != "/") {
        return refuse(ErrorCode::NotFound, "no folder for", path);
    }
    auto node = std::make_shared<Node>();
    node->path = path;
    change_name({.kind = NameChange::Kind::Make, .path = path, .target = {}, .node = node});
    return node;
}

Result<> Disk::write(const File& file, std::uint64_t offset,
                     std::span<const std::string_view> pieces) {
    const std::scoped_lock lock(mutex_);
    Node::Write write{.offset = offset, .octets = {}};
    for (const std::string_view piece : pieces) {
        write.octets += piece;
    }
    const bool was_off = is_off_;
    auto stepped = step(Op::Write, file->path);
    if (!stepped) {
        // What fails may have been done in part.
        if (!was_off && !write.octets.empty()) {
            write.octets.resize(random_.below(write.octets.size() + 1));
            file->take(std::move(write));
        }
        return stepped;
    }
    file->take(std::move(write));
    return {};
}

Result<> Disk::truncate(const File& file, std::uint64_t size) {
    const std::scoped_lock lock(mutex_);
    TRY(step(Op::Write, file->path));
    file->take({.offset = size, .octets = {}, .is_truncation = true});
    return {};
}

Result<> Disk::read(const File& file, std::uint64_t offset, std::size_t length, std::string& out) {
    const std::scoped_lock lock(mutex_);
    TRY(step(Op::Read, file->path));
    if (offset < file->now.size()) {
        out.append(file->now, offset, length);
    }
    return {};
}

// The pages of a failed sync are clean to the kernel: some reached the disk, none is tried again.
Result<> Disk::sync(const File& file) {
    const std::scoped_lock lock(mutex_);
    const bool was_off = is_off_;
    auto stepped = step(Op::Sync, file->path);
    if (is_off_ || was_off) {
        return stepped;
    }
    for (const Node::Write& write : file->unsynced) {
        if (stepped || random_.below(2) == 0) {
            Node::put(file->durable, write);
        }
    }
    file->unsynced.clear();
    return stepped;
}

Result<std::uint64_t> Disk::size(const File& file) {
    const std::scoped_lock lock(mutex_);
    TRY(step(Op::Look, file->path));
    return file->now.size();
}

Result<> Disk::unlink(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    TRY(step(Op::Unlink, path));
    const auto found = names_.find(path);
    if (found == names_.end() || found->second->is_folder) {
        return refuse(ErrorCode::NotFound, "unlink", path);
    }
    change_name({.kind = NameChange::Kind::Unlink, .path = path, .target = {}, .node = found->second});
    return {};
}

Result<> Disk::rename(const std::string& source, const std::string& target) {
    const std::scoped_lock lock(mutex_);
    TRY(step(Op::Rename, source + " to " + target));
    const auto found = names_.find(source);
    if (found == names_.end()) {
        return refuse(ErrorCode::NotFound, "rename", source);
    }
    change_name({.kind = NameChange::Kind::Rename,
                 .path = source,
                 .target = target,
                 .node = found->second});
    return {};
}

Result<> Disk::link(const std::string& source, const std::string& target) {
    const std::scoped_lock lock(mutex_);
    TRY(step(Op::Create, target));
    const auto found = names_.find(source);
    if (found == names_.end() || names_.contains(target)) {
        return refuse(ErrorCode::NotFound, "link", source);
    }
    change_name({.kind = NameChange::Kind::Make, .path = target, .target = {}, .node = found->second});
    return {};
}

Result<bool> Disk::make_folder(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    TRY(step(Op::Create, path));
    const auto found = names_.find(path);
    if (found != names_.end()) {
        if (!found->second->is_folder) {
            return refuse(ErrorCode::AlreadyExists, "make folder", path);
        }
        return false;
    }
    if (folder_of(path) != "/" && !names_.contains(folder_of(path))) {
        return refuse(ErrorCode::NotFound, "no folder for", path);
    }
    auto node = std::make_shared<Node>();
    node->path = path;
    node->is_folder = true;
    change_name({.kind = NameChange::Kind::Make, .path = path, .target = {}, .node = node});
    return true;
}

Result<> Disk::remove_folder(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    TRY(step(Op::Unlink, path));
    const auto found = names_.find(path);
    if (found == names_.end()) {
        return refuse(ErrorCode::NotFound, "remove folder", path);
    }
    change_name({.kind = NameChange::Kind::Unlink, .path = path, .target = {}, .node = found->second});
    return {};
}

Result<> Disk::sync_folder(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    const bool was_off = is_off_;
    auto stepped = step(Op::SyncFolder, path);
    if (is_off_ || was_off) {
        return stepped;
    }
    std::vector<NameChange> others;
    for (NameChange& change : unsynced_names_) {
        const bool is_here = folder_of(change.path) == path ||
                             (!change.target.empty() && folder_of(change.target) == path);
        if (!is_here) {
            others.push_back(std::move(change));
        } else if (stepped || random_.below(2) == 0) {
            apply(change, durable_names_);
        }
    }
    unsynced_names_ = std::move(others);
    return stepped;
}

Result<std::vector<std::string>> Disk::list(const std::string& folder) {
    const std::scoped_lock lock(mutex_);
    TRY(step(Op::Look, folder));
    const auto found = names_.find(folder);
    if (found == names_.end() || !found->second->is_folder) {
        return refuse(ErrorCode::NotFound, "list", folder);
    }
    std::vector<std::string> names;
    for (const auto& [name, node] : names_) {
        if (folder_of(name) == folder) {
            names.push_back(name.substr(folder.size() + 1));
        }
    }
    return names;
}

Result<Disk::Kind> Disk::look(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    TRY(step(Op::Look, path));
    const auto found = names_.find(path);
    return found == names_.end()      ? Kind::None
           : found->second->is_folder ? Kind::Folder
                                      : Kind::File;
}

bool Disk::hold(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    return held_.insert(path).second;
}

void Disk::let_go(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    held_.erase(path);
}

void Disk::change_name(NameChange change) {
    apply(change, names_);
    unsynced_names_.push_back(std::move(change));
}

void Disk::apply(const NameChange& change, std::map<std::string, File>& names) {
    switch (change.kind) {
        case NameChange::Kind::Make: names[change.path] = change.node; break;
        case NameChange::Kind::Unlink: names.erase(change.path); break;
        case NameChange::Kind::Rename: {
            const auto source = names.find(change.path);
            if (source != names.end() && source->second == change.node) {
                names.erase(source);
            }
            names[change.target] = change.node;
            break;
        }
    }
}

void Disk::set_fault(std::optional<Fault> fault) {
    const std::scoped_lock lock(mutex_);
    fault_ = fault;
    fault_seen_ = 0;
    fault_struck_ = 0;
}

std::uint64_t Disk::faults_struck() const {
    const std::scoped_lock lock(mutex_);
    return fault_struck_;
}

void Disk::cut_after(std::uint64_t operations, std::uint32_t kinds) {
    const std::scoped_lock lock(mutex_);
    cut_after_ = operations;
    cut_kinds_ = kinds;
}

void Disk::cut() {
    const std::scoped_lock lock(mutex_);
    is_off_ = true;
}

bool Disk::is_off() const {
    const std::scoped_lock lock(mutex_);
    return is_off_;
}

std::string Disk::cut_at() const {
    const std::scoped_lock lock(mutex_);
    return cut_at_;
}

std::uint64_t Disk::operations() const {
    const std::scoped_lock lock(mutex_);
    return operations_;
}

std::string Disk::left_of(const Node& node, Cut cut, Random& random) const {
    std::string left = node.durable;
    if (node.unsynced.empty() || cut == Cut::Drop) {
        return left;
    }
    if (cut == Cut::Names) {
        for (const Node::Write& write : node.unsynced) {
            Node::put(left, write);
        }
        return left;
    }
    if (cut == Cut::Prefix) {
        const std::uint64_t whole = random.below(node.unsynced.size() + 1);
        for (std::uint64_t i = 0; i < whole; ++i) {
            Node::put(left, node.unsynced[i]);
        }
        if (whole < node.unsynced.size() && !node.unsynced[whole].is_truncation) {
            Node::Write part = node.unsynced[whole];
            part.octets.resize(random.below(part.octets.size() + 1));
            Node::put(left, part);
        }
        return left;
    }
    const std::size_t unit = cut == Cut::Sectors ? kSector : kPage;
    const std::uint64_t chance = 1 + random.below(9);  // Of ten; this file's luck.
    std::size_t longest = left.size();
    for (const Node::Write& write : node.unsynced) {
        if (write.is_truncation || cut == Cut::Reorder) {
            if (random.below(10) < chance) {
                const std::size_t start = write.is_truncation ? 0 : write.offset;
                extend(left, std::max(left.size(), start), random);
                Node::put(left, write);
            }
            longest = std::max(longest, left.size());
            continue;
        }
        const std::size_t end = write.offset + write.octets.size();
        longest = std::max(longest, end);
        for (std::size_t from = write.offset; from < end;) {
            const std::size_t to = std::min(end, (from / unit + 1) * unit);
            if (random.below(10) < chance) {
                extend(left, std::max(left.size(), from), random);
                Node::put(left, {.offset = from,
                                 .octets = write.octets.substr(from - write.offset, to - from)});
            }
            from = to;
        }
    }
    if (random.below(3) == 0) {
        extend(left, longest, random);  // The size was written, the octets were not.
    }
    return left;
}

std::map<std::string, Disk::File> Disk::names_left(Cut cut, Random& random) const {
    std::map<std::string, File> names = durable_names_;
    const std::uint64_t prefix = random.below(unsynced_names_.size() + 1);
    const std::uint64_t chance = random.below(11);
    for (std::size_t i = 0; i < unsynced_names_.size(); ++i) {
        const bool is_kept = cut == Cut::Drop     ? false
                             : cut == Cut::Prefix ? i < prefix
                                                  : random.below(10) < chance;
        if (is_kept) {
            apply(unsynced_names_[i], names);
        }
    }
    // In a folder whose own name is gone nothing is found. Paths sort after their folders.
    for (auto name = names.begin(); name != names.end();) {
        const std::string folder = folder_of(name->first);
        name = folder == "/" || names.contains(folder) ? std::next(name) : names.erase(name);
    }
    return names;
}

std::shared_ptr<Disk> Disk::survive(Cut cut, std::uint64_t seed) const {
    const std::scoped_lock lock(mutex_);
    auto disk = std::make_shared<Disk>(seed);
    SeededRandom random(seed ^ 0x9E3779B97F4A7C15ULL);
    std::map<const Node*, File> copies;
    const auto copy = [&](const File& node) {
        File& made = copies[node.get()];
        if (made == nullptr) {
            made = std::make_shared<Node>(*node);
            if (cut != Cut::Kill) {
                made->durable = made->now = left_of(*node, cut, random);
                made->unsynced.clear();
            }
        }
        return made;
    };
    const auto copy_all = [&](const std::map<std::string, File>& names) {
        std::map<std::string, File> copied;
        for (const auto& [name, node] : names) {
            copied.emplace(name, copy(node));
        }
        return copied;
    };
    if (cut == Cut::Kill) {
        disk->names_ = copy_all(names_);
        disk->durable_names_ = copy_all(durable_names_);
        for (const NameChange& change : unsynced_names_) {
            disk->unsynced_names_.push_back(change);
            disk->unsynced_names_.back().node = copy(change.node);
        }
        return disk;
    }
    disk->names_ = copy_all(names_left(cut, random));
    disk->durable_names_ = disk->names_;
    return disk;
}

std::string Disk::content(const std::string& path) const {
    const std::scoped_lock lock(mutex_);
    const auto found = names_.find(path);
    return found == names_.end() ? std::string() : found->second->now;
}

void Disk::set_content(const std::string& path, std::string content) {
    const std::scoped_lock lock(mutex_);
    File& node = names_.at(path);
    node->now = content;
    node->durable = std::move(content);
    node->unsynced.clear();
}

std::vector<std::string> Disk::paths() const {
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> found;
    for (const auto& [path, node] : names_) {
        if (!node->is_folder) {
            found.push_back(path);
        }
    }
    return found;
}

void Disk::forget(const std::string& path) {
    const std::scoped_lock lock(mutex_);
    names_.erase(path);
    durable_names_.erase(path);
    std::erase_if(unsynced_names_, [&](const NameChange& change) {
        return change.path == path || change.target == path;
    });
}

}  // namespace godwit::power
