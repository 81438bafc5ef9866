// The disk of one node: keys and files that survive its crashes, with the faults of the swarm.
// A commit of keys is whole or not there; files may lose what was not synced when the power fails.
#pragma once

#include <memory>

#include "sim/dice.h"
#include "store/blob/memory_files.h"
#include "store/kv/kv.h"
#include "store/store.h"

namespace godwit::sim {

class Node;
class World;

class Disk {
public:
    Disk(World* world, Node* node);
    ~Disk();
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;

    /// Files, engine and free space of a store on this disk.
    void offer(store::StoreOptions& options);
    [[nodiscard]] store::FileSystem* files() { return files_.get(); }
    /// The power failed.
    void lose_unsynced();
    void set_free_space(std::uint64_t octets) { free_space_ = octets; }
    /// Nothing fails while it is; at the beginning of the world and in calm times.
    void set_reliable(bool is_reliable) { is_reliable_ = is_reliable; }
    [[nodiscard]] std::uint64_t reads_failed() const { return reads_failed_; }

private:
    friend class FaultyKv;
    friend class FaultyFiles;
    friend class FaultyFile;
    friend class FaultySnapshot;
    /// True when this fault strikes now.
    bool strikes(double probability);
    /// Nothing reaches the disk any more.
    [[nodiscard]] bool is_cut() const;

    World* world_;
    Node* node_;
    Dice dice_;
    bool is_reliable_ = true;
    std::uint64_t reads_failed_ = 0;
    std::uint64_t free_space_ = std::uint64_t{1} << 40U;
    std::shared_ptr<store::MemoryKvDisk> rows_;
    store::MemoryFiles memory_;
    std::unique_ptr<store::FileSystem> files_;
};

}  // namespace godwit::sim
