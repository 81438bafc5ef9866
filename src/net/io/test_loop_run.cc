// What runs a TestLoop until it stands still; a file of its own, since it may wait for real threads
// and the simulator, which has none, does not link it.
#include "net/io/test_loop_inner.h"

namespace godwit::net {

namespace {
constexpr auto kOutsideWaitMax = std::chrono::seconds(30);
}

bool TestLoop::State::wait_for_others() {
    std::unique_lock lock(queue.mutex);
    return queue.arrived.wait_for(lock, kOutsideWaitMax, [&] { return !queue.items.empty(); });
}

bool TestLoop::run_until_idle() {
    for (;;) {
        while (state_->run_one()) {
        }
        if (state_->next_timer() <= state_->clock.mono()) {
            for (const auto& shard : state_->shards) {
                shard->run_timers();
            }
            continue;
        }
        if (state_->idle_work) {
            if (!state_->idle_work()) {
                return true;
            }
            continue;
        }
        if (state_->outside_waits() == 0) {
            return true;
        }
        if (!state_->wait_for_others()) {
            return false;
        }
    }
}

bool TestLoop::advance_to_next_timer() {
    MonoTime next = state_->next_timer();
    if (next == kNever) {
        return false;
    }
    state_->clock.advance_to(next);
    run_until_idle();
    return true;
}

bool TestLoop::advance(Duration by) {
    MonoTime end = state_->clock.mono() + by;
    if (!run_until_idle()) {
        return false;
    }
    for (MonoTime next = state_->next_timer(); next <= end; next = state_->next_timer()) {
        state_->clock.advance_to(next);
        if (!run_until_idle()) {
            return false;
        }
    }
    state_->clock.advance_to(end);
    return run_until_idle();
}

}  // namespace godwit::net
