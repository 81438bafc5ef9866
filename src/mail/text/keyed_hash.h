// Texts as numbers of 64 bits that nobody outside can make collide: SipHash-2-4 (Aumasson and
// Bernstein, 2012). For tables in memory whose keys strangers choose. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace godwit::mail {

/// Random, and not told to anybody.
struct HashKey {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
};

/// Linear.
std::uint64_t keyed_hash(HashKey key, std::string_view text);

}  // namespace godwit::mail
