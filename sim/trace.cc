#include "sim/trace.h"

#include <cstdio>

#include "base/crypto.h"
#include "base/encoding.h"

namespace godwit::sim {

Trace::Trace(const Clock* clock, bool is_shown) : clock_(clock), is_shown_(is_shown) {}

void Trace::note(std::string_view who, std::string_view what) {
    // Seconds and microseconds since the world began to be written about: long enough to sort.
    const std::int64_t at = clock_->mono().time_since_epoch().count();
    std::string line = std::to_string(at / 1'000'000) + "." + std::to_string(at % 1'000'000) + " ";
    line.append(who).append(": ").append(what);
    ++events_;
    const auto digest = sha256(chained_ + line);
    chained_.assign(digest.begin(), digest.end());
    if (is_shown_) {
        std::printf("%s\n", line.c_str());
    }
    if (tail_.size() < kTailLines) {
        tail_.push_back(std::move(line));
    } else {
        tail_[tail_at_] = std::move(line);
        tail_at_ = (tail_at_ + 1) % kTailLines;
    }
}

std::string Trace::hash() const {
    return hex_encode(chained_);
}

std::vector<std::string> Trace::tail() const {
    std::vector<std::string> lines(tail_.begin() + static_cast<std::ptrdiff_t>(tail_at_),
                                   tail_.end());
    lines.insert(lines.end(), tail_.begin(), tail_.begin() + static_cast<std::ptrdiff_t>(tail_at_));
    return lines;
}

}  // namespace godwit::sim
