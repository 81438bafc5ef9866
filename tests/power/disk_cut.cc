// What is left of a lying disk when its power goes.
#include <utility>

#include "power/disk_inside.h"

namespace godwit::power {
namespace {

constexpr std::size_t kSector = 512;
constexpr std::size_t kPage = 4096;

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

}  // namespace godwit::power
