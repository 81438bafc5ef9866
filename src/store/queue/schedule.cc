#include "store/queue/schedule.h"

#include <algorithm>
#include <array>

namespace godwit::store {

using std::chrono::minutes;

std::chrono::minutes retry_pause(std::uint32_t attempts) {
    constexpr std::array<minutes, 7> kPauses = {minutes(1),  minutes(5),  minutes(10), minutes(20),
                                                minutes(40), minutes(80), minutes(160)};
    constexpr minutes kLongest(240);
    const std::size_t index = attempts == 0 ? 0 : attempts - 1;
    return index < kPauses.size() ? kPauses[index] : kLongest;
}

NextAttempt next_attempt(const FailedAttempt& failed) {
    const Duration pause = retry_pause(failed.attempts);
    // From nine tenths to eleven tenths, both included.
    const auto fifth = static_cast<std::uint64_t>(pause.count()) / 5;
    const Duration spread(static_cast<Duration::rep>(failed.chance % (fifth + 1)));
    const WallTime due =
        failed.now + pause - Duration(static_cast<Duration::rep>(fifth / 2)) + spread;
    if (due < failed.expires_at || failed.attempts < attempts_min || !failed.may_expire) {
        return {.due = due};
    }
    if (failed.now < failed.expires_at) {
        // The last one, at the very end: a pause of four hours must not shorten the five days.
        return {.due = failed.expires_at};
    }
    return {.due = std::nullopt};
}

}  // namespace godwit::store
