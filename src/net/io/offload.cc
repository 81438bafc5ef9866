#include "net/io/offload.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace godwit::net {

struct OffloadThreads::State {
    Options options;
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::deque<Work> queue;
    bool is_stopped = false;
    std::vector<std::thread> threads;

    void serve() {
        for (;;) {
            Work job;
            {
                std::unique_lock lock(mutex);
                changed.wait(lock, [&] { return is_stopped || !queue.empty(); });
                if (is_stopped) {
                    return;
                }
                job = std::move(queue.front());
                queue.pop_front();
            }
            job();
        }
    }
};

OffloadThreads::OffloadThreads(Options options) : state_(std::make_unique<State>()) {
    state_->options = std::move(options);
    for (std::size_t i = 0; i < state_->options.threads; ++i) {
        state_->threads.emplace_back([state = state_.get()] { state->serve(); });
    }
}

OffloadThreads::~OffloadThreads() {
    stop();
}

Result<> OffloadThreads::submit(Work job) {
    {
        std::lock_guard lock(state_->mutex);
        if (state_->is_stopped) {
            return temporary_error(ErrorCode::Unavailable,
                                   state_->options.name + " pool is stopped");
        }
        if (state_->queue.size() >= state_->options.queue_max) {
            return temporary_error(ErrorCode::Unavailable,
                                   state_->options.name + " pool is busy: " +
                                       std::to_string(state_->queue.size()) + " jobs wait");
        }
        state_->queue.push_back(std::move(job));
        state_->changed.notify_one();
    }
    return {};
}

void OffloadThreads::stop() {
    std::deque<Work> dropped;
    {
        std::lock_guard lock(state_->mutex);
        state_->is_stopped = true;
        dropped.swap(state_->queue);
        state_->changed.notify_all();
    }
    for (std::thread& thread : state_->threads) {
        thread.join();
    }
    state_->threads.clear();
}

std::size_t OffloadThreads::waiting() const {
    std::lock_guard lock(state_->mutex);
    return state_->queue.size();
}

}  // namespace godwit::net
