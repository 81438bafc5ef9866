// Plays a dialog script on a stage and says where it went wrong.
#pragma once

#include <cstdint>
#include <string>

namespace godwit::dialog {

struct PlayOptions {
    std::string folder;                ///< For the store; empty: memory.
    std::size_t chunk_max = SIZE_MAX;  ///< Most bytes one read or write moves: 1 tries every split.
    std::uint64_t fail_step = 0;       ///< The nth read, write or connect fails (0: none).
    std::uint64_t fail_lookup = 0;     ///< The nth DNS look-up fails (0: none).
};

struct PlayResult {
    bool is_passed = false;
    std::string failure;      ///< "line 12: expected "250 ...", got "550 ..."".
    std::uint64_t steps = 0;  ///< Reads, writes and connects that were made.
    std::uint64_t lookups = 0;
    bool is_alive = false;  ///< Afterwards every door still answers a new connection.
};

PlayResult play(const std::string& path, const PlayOptions& options);

}  // namespace godwit::dialog
