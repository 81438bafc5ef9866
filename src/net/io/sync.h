// Waiting for each other on one shard: Notify, Event, Semaphore. No locks; all own shard only.
// From another thread: shard.post([..] { event.set(); }) or a Completion (completion.h).
#pragma once

#include <cstddef>
#include <utility>

#include "net/io/shard.h"

namespace godwit::net {

/// The awaitable of this file: true when woken, false when the deadline came first.
class [[nodiscard]] TimedWait {
public:
    /// `is_ready`: do not wait at all. The list outlives the wait.
    TimedWait(List<Waiter>* queue, MonoTime deadline, bool is_ready)
        : queue_(queue), deadline_(deadline), is_ready_(is_ready) {}
    [[nodiscard]] bool await_ready() const noexcept { return is_ready_; }
    bool await_suspend(std::coroutine_handle<> handle);
    bool await_resume() const noexcept { return !is_expired_; }

private:
    List<Waiter>* queue_;
    MonoTime deadline_;
    bool is_ready_;
    bool is_expired_ = false;
    Waiter waiter_;
    Timer timer_;
};

/// Wakes whoever waits now; a notification without a waiter is lost.
class Notify {
public:
    void notify_one();
    void notify_all();
    TimedWait wait(MonoTime deadline = kNever) { return TimedWait(&queue_, deadline, false); }
    [[nodiscard]] bool has_waiters() const { return !queue_.is_empty(); }

private:
    List<Waiter> queue_;
};

/// A flag one can wait for; stays set until reset().
class Event {
public:
    void set();
    void reset() { is_set_ = false; }
    [[nodiscard]] bool is_set() const { return is_set_; }
    TimedWait wait(MonoTime deadline = kNever) { return TimedWait(&queue_, deadline, is_set_); }

private:
    bool is_set_ = false;
    List<Waiter> queue_;
};

/// A number of permits, given in the order they were asked for.
class Semaphore {
public:
    explicit Semaphore(std::size_t permits) : free_(permits) {}
    /// A permit taken; gives it back when it dies. Empty when the deadline came first.
    class [[nodiscard]] Permit {
    public:
        Permit() = default;
        explicit Permit(Semaphore* owner) : owner_(owner) {}
        Permit(Permit&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
        Permit& operator=(Permit&& other) noexcept {
            std::swap(owner_, other.owner_);
            return *this;
        }
        ~Permit();
        explicit operator bool() const { return owner_ != nullptr; }

    private:
        Semaphore* owner_ = nullptr;
    };
    Task<Permit> acquire(MonoTime deadline = kNever);
    /// Empty when none is free or others wait.
    Permit try_acquire();
    [[nodiscard]] std::size_t free_permits() const { return free_; }

private:
    void give_back();
    std::size_t free_;
    List<Waiter> queue_;
};

}  // namespace godwit::net
