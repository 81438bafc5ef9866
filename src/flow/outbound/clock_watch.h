// Says whether wall time may end a message's life. A clock that is wrong after a start (no battery,
// no network yet) or that leaps would else have the whole queue returned in a minute.
// RELIABILITY.md 6, "Clock"; SMTP-BEHAVIOUR.md I6. Pure: both times are arguments.
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"

namespace godwit::flow {

/// Wall time that goes this much further, or less far, than time did between two looks has leapt:
/// more than a clock that is being set right by degrees makes good between two of the caretaker's
/// rounds.
inline constexpr std::chrono::minutes clock_leap_min(5);
/// After a start or a leap nothing expires for as long: somebody, or a time server, sets it right.
inline constexpr std::chrono::hours clock_trust_after(1);

/// One thread.
class ClockWatch {
public:
    /// True when the clock has gone evenly for clock_trust_after; the first look begins that time.
    bool look(WallTime wall, MonoTime mono);

private:
    struct Look {
        WallTime wall;
        MonoTime mono;
    };
    std::optional<Look> last_;
    MonoTime even_since_{};
};

}  // namespace godwit::flow
