// Time as a door: whoever needs it is given a Clock, so that tests and the simulator turn the
// hands.
#pragma once

#include <chrono>
#include <cstdint>

namespace godwit {

using Duration = std::chrono::microseconds;
/// Wall time, UTC, microseconds since 1970. Written to disk and headers; may jump.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;
struct MonotonicAxis {
    using duration = Duration;
    using rep = Duration::rep;
    using period = Duration::period;
    static constexpr bool is_steady = true;
};
/// Monotonic time for deadlines and timers; never stored.
using MonoTime = std::chrono::time_point<MonotonicAxis, Duration>;

constexpr std::int64_t unix_seconds(WallTime time) {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}
constexpr WallTime from_unix_seconds(std::int64_t seconds) {
    return WallTime(std::chrono::seconds(seconds));
}

/// A seam (virtual): the system's clock, or a test's. Callable from any thread.
class Clock {
public:
    virtual ~Clock() = default;
    virtual WallTime wall() const = 0;
    virtual MonoTime mono() const = 0;
};

/// The machine's clocks. Lives as long as the process.
Clock& system_clock();

}  // namespace godwit
