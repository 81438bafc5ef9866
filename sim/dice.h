// Chance, the same for the same seed. Each part of the world throws its own dice (World::dice), so
// that one part's throws do not change another's luck.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace godwit::sim {

class Dice {
public:
    explicit Dice(std::uint64_t seed) : random_(seed) {}

    [[nodiscard]] std::uint64_t u64() { return random_.u64(); }
    /// 0 .. bound - 1; bound > 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
    /// 0 <= x < 1.
    [[nodiscard]] double fraction() {
        return static_cast<double>(random_.u64() >> 11U) * 0x1.0p-53;
    }
    [[nodiscard]] bool chance(double probability) { return fraction() < probability; }
    [[nodiscard]] Duration between(Duration least, Duration most) {
        return least + Duration(static_cast<std::int64_t>(
                           below(static_cast<std::uint64_t>((most - least).count()) + 1)));
    }
    /// Waiting times of what happens independently, `mean` apart on average; at most 20 times that.
    [[nodiscard]] Duration about(Duration mean) {
        const double factor = std::fmin(-std::log(1.0 - fraction()), 20.0);
        return Duration(static_cast<std::int64_t>(static_cast<double>(mean.count()) * factor));
    }
    template <class T>
    [[nodiscard]] const T& pick(const std::vector<T>& from) {
        return from[below(from.size())];
    }
    [[nodiscard]] Random& random() { return random_; }

private:
    SeededRandom random_;
};

}  // namespace godwit::sim
