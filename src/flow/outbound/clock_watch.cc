#include "flow/outbound/clock_watch.h"

namespace godwit::flow {

bool ClockWatch::look(WallTime wall, MonoTime mono) {
    const bool has_leapt =
        last_ && std::chrono::abs((wall - last_->wall) - (mono - last_->mono)) >= clock_leap_min;
    if (!last_ || has_leapt) {
        even_since_ = mono;
    }
    last_ = {.wall = wall, .mono = mono};
    return mono - even_since_ >= clock_trust_after;
}

}  // namespace godwit::flow
