// All that happened in a world, in order: one hash for a run, so that two runs of one seed can be
// compared, and lines for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace godwit::sim {

class Trace {
public:
    /// Lines are also written to standard output when `is_shown`.
    explicit Trace(const Clock* clock, bool is_shown);
    /// `who` is a node, a peer or a client; `what` has nothing in it that differs between two runs
    /// of one seed (addresses of memory, ciphertext).
    void note(std::string_view who, std::string_view what);
    [[nodiscard]] std::uint64_t events() const { return events_; }
    /// Hexadecimal, of all lines so far.
    [[nodiscard]] std::string hash() const;
    /// The newest lines, oldest first: what came before a failure.
    [[nodiscard]] std::vector<std::string> tail() const;

private:
    static constexpr std::size_t kTailLines = 200;
    const Clock* clock_;
    bool is_shown_;
    std::uint64_t events_ = 0;
    std::string chained_;  // Hash of the one before and the line.
    std::vector<std::string> tail_;
    std::size_t tail_at_ = 0;
};

}  // namespace godwit::sim
