// Randomness as a door: the system's for production, a seeded stream for tests and the simulator.
#pragma once

#include <cstdint>
#include <string>

namespace godwit {

/// A seam (virtual). Callable from any thread.
class Random {
public:
    virtual ~Random() = default;
    virtual std::string bytes(std::size_t count) = 0;
    std::uint64_t u64();
    /// Uniform in [0, bound); bound > 0.
    std::uint64_t below(std::uint64_t bound);
};

/// getrandom(2): fit for keys.
Random& system_random();

/// Deterministic (SplitMix64), for tests and simulation only. Not for keys. Not thread-safe.
class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
    std::string bytes(std::size_t count) override;

private:
    std::uint64_t state_;
};

}  // namespace godwit
