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

/// A seam (virtual): threads in production, at once in tests, after a while in the simulator.
class OffloadPool {
public:
    virtual ~OffloadPool() = default;
    /// Any thread. Temporary/Unavailable when the queue is full or the pool is stopped.
    virtual Result<> submit(Work job) = 0;
    /// Finishes jobs that run, destroys those that wait (their tasks get Cancelled), joins.
    virtual void stop() = 0;
    [[nodiscard]] virtual std::size_t waiting() const = 0;
};

class OffloadThreads final : public OffloadPool {
public:
    struct Options {
        std::string name{};  ///< In errors: "passwords".
        std::size_t threads = 2;
        std::size_t queue_max = 256;  ///< Jobs waiting; past it submit() refuses.
    };
    explicit OffloadThreads(Options options);
    OffloadThreads(const OffloadThreads&) = delete;
    OffloadThreads& operator=(const OffloadThreads&) = delete;
    /// stop()s.
    ~OffloadThreads() override;

    Result<> submit(Work job) override;
    void stop() override;
    [[nodiscard]] std::size_t waiting() const override;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Runs each job inside submit().
class OffloadInline final : public OffloadPool {
public:
    Result<> submit(Work job) override {
        if (is_stopped_) {
            return temporary_error(ErrorCode::Unavailable, "the pool is stopped");
        }
        job();
        return {};
    }
    void stop() override { is_stopped_ = true; }
    [[nodiscard]] std::size_t waiting() const override { return 0; }

private:
    bool is_stopped_ = false;
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
