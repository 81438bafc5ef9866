// The coroutine type of the house: lazy, owned by whoever awaits it, resumed by symmetric transfer.
// Law: STYLE.md "Coroutines". A Task is awaited in the expression that made it; to run one beside,
// use spawn() or TaskGroup (task_group.h). An exception that leaves a Task ends the process.
//
// Destroying a suspended Task destroys the whole chain below it and takes it out of whatever it
// waits for (timer, stream, completion): that is how work is cancelled, and it must be clean at
// every suspension point.
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>

namespace godwit::net {

class Shard;
template <class T>
class Task;

namespace detail {

struct Root;  // The bottom of a chain: what spawn() made (root.h).

struct PromiseBase {
    std::coroutine_handle<> continuation;
    Root* root = nullptr;  ///< Handed from parent to child at each await.

    struct FinalAwaiter {
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
            return self.promise().continuation;
        }
        void await_resume() const noexcept {}
    };
    std::suspend_always initial_suspend() const noexcept { return {}; }
    FinalAwaiter final_suspend() const noexcept { return {}; }
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
};

template <class T>
struct Promise final : PromiseBase {
    std::optional<T> value;
    Task<T> get_return_object();
    template <class U>
        requires std::constructible_from<T, U&&>
    void return_value(U&& result) {
        value.emplace(std::forward<U>(result));
    }
    T take() { return *std::move(value); }
};

template <>
struct Promise<void> final : PromiseBase {
    Task<void> get_return_object();
    void return_void() const noexcept {}
    void take() const noexcept {}
};

}  // namespace detail

/// A computation that has not begun. Move-only. Runs on the shard of the coroutine that awaits it.
template <class T = void>
class [[nodiscard]] Task {
public:
    using promise_type = detail::Promise<T>;
    using Handle = std::coroutine_handle<promise_type>;

    Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
    Task& operator=(Task&& other) noexcept {
        if (this != &other) {
            drop();
            frame_ = std::exchange(other.frame_, {});
        }
        return *this;
    }
    ~Task() { drop(); }

    struct Awaiter {
        Handle frame;
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        template <std::derived_from<detail::PromiseBase> Parent>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Parent> parent) const noexcept {
            frame.promise().continuation = parent;
            frame.promise().root = parent.promise().root;
            return frame;
        }
        [[nodiscard]] T await_resume() const { return frame.promise().take(); }
    };
    Awaiter operator co_await() && noexcept { return Awaiter{frame_}; }

private:
    friend promise_type;
    explicit Task(Handle frame) : frame_(frame) {}
    void drop() {
        if (frame_) {
            frame_.destroy();
            frame_ = {};
        }
    }
    Handle frame_;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() {
    return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
    return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}
}  // namespace detail

/// Runs `task` on `shard`, owned by the shard: it starts from the shard's loop, never inside this
/// call, and is destroyed where it stands when the shard stops. Any thread. `name` is for lists of
/// what runs ("smtp.session"); it is copied.
void spawn(Shard& shard, std::string_view name, Task<void> task);

}  // namespace godwit::net
