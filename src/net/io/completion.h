// One result that another thread will bring: how a task waits for the commit thread or the
// offload pool.
//     Completion<Result<CommitSeq>> done;
//     store.commit(std::move(plan), done.completer());
//     Result<CommitSeq> seq = co_await done;
#pragma once

#include <atomic>
#include <concepts>
#include <memory>
#include <optional>
#include <utility>

#include "base/result.h"
#include "net/io/shard.h"

namespace godwit::net {

/// T is a Result: a Completer that dies unused completes with ErrorCode::Cancelled.
template <class T>
    requires std::constructible_from<T, std::unexpected<Error>>
class Completion {
    struct State {
        explicit State(Shard& home) : shard(home) {}
        Shard& shard;
        enum : int { Idle, Waiting, Done };
        std::atomic<int> phase = Idle;
        std::optional<T> value;
        std::coroutine_handle<> handle;  // Own shard only; empty when the awaiter is gone.
    };

public:
    /// The bringing end: move-only, called once, on any thread. The awaiting task resumes on its
    /// own shard, never inside this call, and behind all that was posted to that shard before it:
    /// who waited for a commit has heard of what the commit changed. The shard outlives it.
    class Completer {
    public:
        Completer(Completer&& other) noexcept : state_(std::move(other.state_)) {}
        Completer& operator=(Completer&&) = delete;
        ~Completer() {
            if (state_) {
                complete(temporary_error(ErrorCode::Cancelled, "dropped without a result"));
            }
        }
        void complete(T value) {
            auto state = std::exchange(state_, nullptr);
            check(state != nullptr, "a completion is completed once");
            state->value.emplace(std::move(value));
            if (state->phase.exchange(State::Done, std::memory_order_acq_rel) == State::Waiting) {
                resume_later(std::move(state));
            }
        }
        void operator()(T value) { complete(std::move(value)); }

    private:
        friend class Completion;
        explicit Completer(std::shared_ptr<State> state) : state_(std::move(state)) {}
        std::shared_ptr<State> state_;
    };

    /// For a task of `shard`, by default the one that runs now.
    explicit Completion(Shard& shard = Shard::here()) : state_(std::make_shared<State>(shard)) {}
    Completion(const Completion&) = delete;
    Completion& operator=(const Completion&) = delete;

    /// Call once.
    [[nodiscard]] Completer completer() { return Completer(state_); }

    class [[nodiscard]] Awaiter {
    public:
        explicit Awaiter(std::shared_ptr<State> state) : state_(std::move(state)) {}
        Awaiter(const Awaiter&) = delete;
        Awaiter& operator=(const Awaiter&) = delete;
        ~Awaiter() { stop_waiting(); }
        // Not even when it is done already: what was posted before it still waits for its turn.
        [[nodiscard]] bool await_ready() const { return false; }
        void await_suspend(std::coroutine_handle<> handle) {
            state_->handle = handle;
            is_waiting_ = true;
            state_->shard.outside_wait_begins();
            int idle = State::Idle;
            if (!state_->phase.compare_exchange_strong(idle, State::Waiting,
                                                       std::memory_order_acq_rel)) {
                resume_later(state_);
            }
        }
        T await_resume() {
            stop_waiting();
            return *std::move(state_->value);
        }

    private:
        void stop_waiting() {
            if (is_waiting_) {
                is_waiting_ = false;
                state_->handle = {};
                state_->shard.outside_wait_ends();
            }
        }
        std::shared_ptr<State> state_;
        bool is_waiting_ = false;
    };
    /// Await at most once, on the shard it was made for. The Completion outlives the wait.
    Awaiter operator co_await() { return Awaiter(state_); }

private:
    static void resume_later(std::shared_ptr<State> state) {
        Shard& shard = state->shard;
        shard.post([state = std::move(state)] {
            if (state->handle) {
                std::exchange(state->handle, {}).resume();
            }
        });
    }

    // Two lifetimes: the waiting frame may be destroyed before the other thread answers, and the
    // answer may come before anyone waits.
    std::shared_ptr<State> state_;
};

}  // namespace godwit::net
