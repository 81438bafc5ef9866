// Finds the blocks of a file of keys whose index is lost: cut off, or damaged. Blocks are known by
// their heads, their checksums, their numbers and their keys, which rise; behind damage the walk
// goes on at the next head. Law: docs/storage.md "Backups".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "store/backup/format.h"
#include "store/blob/file.h"

namespace godwit::store {

/// Heads that stand in the midst of damage are believed when their block's checksum holds. So much
/// is read for that, in multiples of the file: in a file that we wrote hardly any head is false,
/// and a file made of false ones ends the search instead of the patience of who waits.
inline constexpr std::uint64_t key_walk_effort = 4;

/// Octets [offset, offset + size) of the file: a block, or what is left of one.
struct FoundBlock {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint32_t number = 0;
    BlockEnd end = BlockEnd::Whole;
    bool is_sound = false;
    std::string first_key;  ///< Of the first row that it gives.
};

struct KeyFileWalk {
    std::vector<FoundBlock> blocks;  ///< First keys rise.
    std::uint64_t rows = 0;          ///< That the sound ones hold.
    /// By offset: stretches that give no row at all.
    std::map<std::uint64_t, std::string> lost;
};

/// Linear in the file's size. Memory: an index, one block. Io; Corrupt when there are more blocks
/// than any index holds.
Result<KeyFileWalk> walk_key_file(const File& file);

}  // namespace godwit::store
