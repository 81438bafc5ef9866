// A small bounded thread pool for what blocks or burns: cold disk reads, password hashes, big MIME,
// signatures. A second, smaller pool for password hashes is just another instance.
//     auto ok = co_await offload(&passwords, [phc, password] { return argon2id_verify(phc,
//     password); });
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "net/io/completion.h"

namespace godwit::net {

class OffloadPool {
public:
    /// `threads` 0: jobs run at once inside submit(), for TestLoop and the simulator.
    struct Options {
        std::string name{};  ///< In errors: "passwords".
        std::size_t threads = 2;
        std::size_t queue_max = 256;  ///< Jobs waiting; past it submit() refuses.
    };
    explicit OffloadPool(Options options);
    OffloadPool(const OffloadPool&) = delete;
    OffloadPool& operator=(const OffloadPool&) = delete;
    /// stop()s.
    ~OffloadPool();

    /// Any thread. Temporary/Unavailable when the queue is full or the pool is stopped.
    Result<> submit(Work job);
    /// Finishes jobs that run, destroys those that wait (their tasks get Cancelled), joins.
    void stop();
    [[nodiscard]] std::size_t waiting() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

namespace detail {
template <class R>
struct OffloadResult {
    using type = Result<R>;
};
template <class R>
struct OffloadResult<Result<R>> {
    using type = Result<R>;
};
}  // namespace detail

/// Runs `fn()` on the pool and resumes here with what it returned: Result<R> for a function that
/// returns R, Result<void> or Result<R> itself. Unavailable when the pool is full, Cancelled when
/// it stops. `fn` holds values only: it may outlive the awaiting task. The pool outlives the wait.
template <class Function>
Task<typename detail::OffloadResult<std::invoke_result_t<Function&>>::type> offload(
    OffloadPool* pool, Function fn) {
    using R = std::invoke_result_t<Function&>;
    using Answer = typename detail::OffloadResult<R>::type;
    Completion<Answer> done;
    Work job = [fn = std::move(fn), answer = done.completer()]() mutable {
        if constexpr (std::is_void_v<R>) {
            fn();
            answer.complete(Answer());
        } else {
            answer.complete(Answer(fn()));
        }
    };
    CO_TRY(pool->submit(std::move(job)));
    co_return co_await done;
}

}  // namespace godwit::net
