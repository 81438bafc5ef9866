#include "net/io/shard_pool.h"

#include <sys/eventfd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace godwit::net {

namespace asio = boost::asio;

namespace {

// A timer further away looks again after a day: durations stay far from overflow.
constexpr Duration kTimerStepMax = std::chrono::hours(24);

class AsioShard final : public Shard {
public:
    AsioShard(unsigned index, Clock& clock)
        : Shard(index),
          clock_(clock),
          context_(1),
          timer_(context_),
          guard_(context_.get_executor()),
          wake_(context_, ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        listen();
    }

    void post(Work work) override {
        bool is_first = false;
        {
            const std::lock_guard lock(inbox_mutex_);
            // Its own work goes behind what others posted before it.
            if (Shard::current() == this && inbox_.empty()) {
                asio::post(context_, [this, work = std::move(work)]() mutable {
                    if (!is_stopped_) {
                        work();
                    }
                });
                return;
            }
            // Not through the event loop, which wakes the shard with its own lock held, once a
            // post.
            is_first = !std::exchange(is_woken_, true);
            inbox_.push_back(std::move(work));
        }
        if (is_first) {
            (void)::eventfd_write(wake_.native_handle(), 1);
        }
    }
    Clock& clock() override { return clock_; }
    asio::io_context* io_context() override { return &context_; }

    void start() {
        thread_ = std::thread([this] {
            Enter enter(*this);
            context_.run();
        });
    }
    void stop() {
        post([this] { end(); });
    }
    void join() {
        if (thread_.joinable()) {
            thread_.join();
        }
    }
    /// After all threads are joined: destroys what was posted and not run. True when there was any.
    bool drop_posted() {
        Enter enter(*this);
        end();
        context_.restart();
        const bool was_any = take_in();
        return context_.poll() > 0 || was_any;
    }

protected:
    void arm(MonoTime at) override {
        if (at == kNever) {
            return;
        }
        timer_.expires_after(std::clamp(at - now(), Duration(0), kTimerStepMax));
        timer_.async_wait([this](const boost::system::error_code& error) {
            if (!error && !is_stopped_) {
                arm(run_due_timers());
            }
        });
    }

private:
    void listen() {
        wake_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [this](const boost::system::error_code& error) {
                             if (!error) {
                                 // Before the inbox is looked at: who comes after that wakes again.
                                 eventfd_t count = 0;
                                 (void)::eventfd_read(wake_.native_handle(), &count);
                                 take_in();
                                 listen();
                             }
                         });
    }
    /// Runs what others posted, or destroys it on a stopped shard. True when there was any.
    bool take_in() {
        std::vector<Work> works;
        {
            const std::lock_guard lock(inbox_mutex_);
            works.swap(inbox_);
            is_woken_ = false;
        }
        for (Work& work : works) {
            if (!is_stopped_) {
                work();
            }
        }
        return !works.empty();
    }
    void end() {
        is_stopped_ = true;
        cancel_tasks();
        timer_.cancel();
        wake_.cancel();
        context_.stop();
    }
    Clock& clock_;
    asio::io_context context_;
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>,
                               asio::io_context::executor_type>
        timer_;
    asio::executor_work_guard<asio::io_context::executor_type> guard_;
    asio::posix::stream_descriptor wake_;
    std::mutex inbox_mutex_;
    std::vector<Work> inbox_;
    bool is_woken_ = false;  // Something is in the inbox, and the descriptor says so.
    std::thread thread_;
    bool is_stopped_ = false;  // The shard's thread; after join, the thread that joined.
};

}  // namespace

struct ShardPool::State {
    std::vector<std::unique_ptr<AsioShard>> shards;
    std::atomic<unsigned> next = 0;
};

ShardPool::ShardPool(unsigned shards, Clock& clock) : state_(std::make_unique<State>()) {
    check(shards > 0, "a pool has a shard");
    // Our own writes say MSG_NOSIGNAL; libraries' writes may not.
    std::signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < shards; ++i) {
        state_->shards.push_back(std::make_unique<AsioShard>(i, clock));
    }
}

ShardPool::~ShardPool() {
    stop();
    join();
}

unsigned ShardPool::size() const {
    return static_cast<unsigned>(state_->shards.size());
}
Shard& ShardPool::shard(unsigned index) {
    return *state_->shards.at(index);
}
Shard& ShardPool::next_shard() {
    return *state_->shards[state_->next.fetch_add(1, std::memory_order_relaxed) % size()];
}

void ShardPool::start() {
    for (const auto& shard : state_->shards) {
        shard->start();
    }
}

void ShardPool::stop() {
    for (const auto& shard : state_->shards) {
        shard->stop();
    }
}

void ShardPool::join() {
    for (const auto& shard : state_->shards) {
        shard->join();
    }
    // Work left on one shard may own a stream of another: all goes while all shards live, and what
    // dies may post more.
    bool is_left = true;
    while (is_left) {
        is_left = false;
        for (const auto& shard : state_->shards) {
            is_left = shard->drop_posted() || is_left;
        }
    }
}

}  // namespace godwit::net
