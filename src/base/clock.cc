#include "base/clock.h"

namespace godwit {

namespace {
class SystemClock final : public Clock {
public:
    WallTime wall() const override {
        return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
    }
    MonoTime mono() const override {
        return MonoTime(std::chrono::duration_cast<Duration>(
            std::chrono::steady_clock::now().time_since_epoch()));
    }
};
}  // namespace

Clock& system_clock() {
    static SystemClock clock;
    return clock;
}

}  // namespace godwit
