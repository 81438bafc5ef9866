#include "base/random.h"

#include "base/result.h"

namespace godwit {

std::uint64_t Random::u64() {
    const std::string raw = bytes(8);
    std::uint64_t value = 0;
    __builtin_memcpy(&value, raw.data(), 8);
    return value;
}

std::uint64_t Random::below(std::uint64_t bound) {
    check(bound > 0, "below(0) has no answer");
    // Reject the uneven tail so that every value is equally likely.
    const std::uint64_t limit = bound * (UINT64_MAX / bound);
    for (;;) {
        const std::uint64_t value = u64();
        if (value < limit) {
            return value % bound;
        }
    }
}

std::string SeededRandom::bytes(std::size_t count) {
    std::string out;
    out.reserve(count + 8);
    while (out.size() < count) {
        state_ += 0x9E3779B97F4A7C15ULL;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
        z ^= z >> 31U;
        out.append(reinterpret_cast<const char*>(&z), 8);
    }
    out.resize(count);
    return out;
}

}  // namespace godwit
