// What the table of rare paths may ask of the worlds: which places no world leads to, and why, and
// which no world may lead to. Law: RELIABILITY.md 4 ("PROBE coverage").
#pragma once

#include <cstdint>
#include <string_view>

namespace godwit::sim {

/// How a place stands to the worlds.
enum class Standing : std::uint8_t {
    Expected,    ///< A probe: enough worlds pass it.
    Moment,      ///< A crash point: a crash may come there; that it is passed is not asked.
    OutOfReach,  ///< It takes what no world has.
    Forbidden,   ///< Only damaged data lead there, and no disk here damages what it has: a finding.
};
Standing standing_of(std::string_view place, bool is_probe);
/// "probe", "crash", "beyond" or "damage": for the table.
std::string_view word_of(Standing standing);

}  // namespace godwit::sim
