// Drives a committer by a thread of its own.
// STORE.md: the group is everything pending when the previous sync returned; no window but for
// plans that may wait.
#include <signal.h>

#include <condition_variable>
#include <thread>

#include "store/commit/committer_inner.h"

namespace godwit::store {
namespace {

class ThreadLoop final : public CommitLoop {
public:
    explicit ThreadLoop(Committer::Inner& committer) : committer_(committer) {
        // Signals are the main thread's.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        thread_ = std::thread([this] { run(); });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    ~ThreadLoop() override { check(!thread_.joinable(), "a commit thread is joined"); }
    ThreadLoop(const ThreadLoop&) = delete;
    ThreadLoop& operator=(const ThreadLoop&) = delete;

    void wake() override {
        if (is_sleeping_) {
            is_sleeping_ = false;
            wake_.notify_one();
        }
    }
    void join() override {
        {
            const std::scoped_lock lock(committer_.mutex);
            wake_.notify_one();
        }
        if (thread_.joinable()) {
            thread_.join();
        }
    }

private:
    using Patience = Committer::Inner::Patience;
    void run() {
        for (Patience patience{}; wait(patience);) {
            committer_.pull(patience);
            while (!committer_.taken.empty()) {
                committer_.run_group();
                committer_.pull(Patience::Keep);
            }
        }
    }
    // False: stopped, and nothing waits.
    bool wait(Patience& patience) {
        patience = Patience::Keep;
        std::unique_lock lock(committer_.mutex);
        while (committer_.pending.empty() && !committer_.is_stopping) {
            is_sleeping_ = true;
            if (committer_.patient.empty()) {
                wake_.wait(lock);
            } else if (wake_.wait_for(lock, kCommitPatience) == std::cv_status::timeout) {
                patience = Patience::Spent;
                break;
            }
        }
        is_sleeping_ = false;
        if (committer_.is_stopping) {
            patience = Patience::Spent;
        }
        return !committer_.pending.empty() || !committer_.patient.empty();
    }

    Committer::Inner& committer_;
    std::condition_variable wake_;
    bool is_sleeping_ = false;  // With the committer's mutex.
    std::thread thread_;
};

}  // namespace

constinit const CommitDrive CommitDrive::Thread{
    .start = [](Committer::Inner& committer) -> std::unique_ptr<CommitLoop> {
        return std::make_unique<ThreadLoop>(committer);
    }};

}  // namespace godwit::store
