#include "power/disk.h"

#include <utility>

#include "power/disk_inside.h"

namespace godwit::power {
namespace {

std::unexpected<Error> refuse(ErrorCode code, std::string_view what, const std::string& path) {
    return internal_error(code, std::string(what) + " " + path);
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
        cut_op_ = op;
        return refuse(ErrorCode::Io, kPowerIsOff, path);
    }
    if (fault_ && !are_faults_held_ && (fault_->kinds & bit(op)) != 0) {
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
    change_name(
        {.kind = NameChange::Kind::Unlink, .path = path, .target = {}, .node = found->second});
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
    change_name(
        {.kind = NameChange::Kind::Make, .path = target, .target = {}, .node = found->second});
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
    change_name(
        {.kind = NameChange::Kind::Unlink, .path = path, .target = {}, .node = found->second});
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

void Disk::hold_faults(bool is_held) {
    const std::scoped_lock lock(mutex_);
    are_faults_held_ = is_held;
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

std::optional<Op> Disk::cut_op() const {
    const std::scoped_lock lock(mutex_);
    return cut_op_;
}

std::uint64_t Disk::operations() const {
    const std::scoped_lock lock(mutex_);
    return operations_;
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
