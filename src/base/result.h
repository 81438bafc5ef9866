// The one way a function says that it could not: Result<T>, and the Error in it.
// Law: STYLE.md "Errors". Three kinds decide the answer at the desk.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace godwit {

/// Whose fault a failure is, which decides what a peer is told.
enum class ErrorKind : std::uint8_t {
    Peer,       ///< The other side broke a rule: BAD, 5xx.
    Temporary,  ///< May work later: NO, 4xx.
    Internal,   ///< Ours: logged with an id, answered as temporary.
};

/// What went wrong, for code that must tell cases apart. Never printed to a peer.
enum class ErrorCode : std::uint8_t {
    Invalid,        ///< Does not follow the grammar or the contract.
    LimitExceeded,  ///< A bound of base/limits.h would be passed.
    NotFound,
    AlreadyExists,
    Denied,
    OverQuota,
    DiskFull,
    Timeout,
    Closed,       ///< The stream or the service is gone.
    Unavailable,  ///< A service did not answer, or is shedding load.
    Unsupported,
    Stale,    ///< A plan no longer fits the store; plan again.
    Corrupt,  ///< A checksum or a record does not hold.
    Io,
    WouldBlock,  ///< Not in memory; run again on the offload pool (store/kv).
    Cancelled,
};

/// A failure as a value. Cheap to move; text is for logs and administrators.
struct [[nodiscard]] Error {
    ErrorKind kind = ErrorKind::Internal;
    ErrorCode code = ErrorCode::Invalid;
    std::string text;  ///< What was expected, what came, and where.

    /// The same error with "context: " put before its text.
    Error within(std::string_view context) && {
        text.insert(0, ": ").insert(0, context);
        return std::move(*this);
    }
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorKind kind, ErrorCode code, std::string text) {
    return std::unexpected(Error{kind, code, std::move(text)});
}
/// The peer (or the administrator) sent something that is not allowed.
inline std::unexpected<Error> peer_error(ErrorCode code, std::string text) {
    return fail(ErrorKind::Peer, code, std::move(text));
}
inline std::unexpected<Error> temporary_error(ErrorCode code, std::string text) {
    return fail(ErrorKind::Temporary, code, std::move(text));
}
inline std::unexpected<Error> internal_error(ErrorCode code, std::string text) {
    return fail(ErrorKind::Internal, code, std::move(text));
}

namespace detail {
template <class T>
T take(Result<T>&& result) {
    return *std::move(result);
}
inline void take(Result<void>&&) {}
}  // namespace detail

/// Ends the process when a condition of our own making does not hold. A peer can never reach it.
[[noreturn]] void check_failed(const char* condition, const char* why, const char* file, int line);

}  // namespace godwit

// Takes the value out of a Result, or returns its error from the enclosing function.
#define TRY(expr)                                                       \
    __extension__({                                                     \
        auto godwit_try_ = (expr);                                      \
        if (!godwit_try_) [[unlikely]] {                                \
            return ::std::unexpected(::std::move(godwit_try_).error()); \
        }                                                               \
        ::godwit::detail::take(::std::move(godwit_try_));               \
    })

// The same inside a coroutine.
#define CO_TRY(expr)                                                       \
    __extension__({                                                        \
        auto godwit_try_ = (expr);                                         \
        if (!godwit_try_) [[unlikely]] {                                   \
            co_return ::std::unexpected(::std::move(godwit_try_).error()); \
        }                                                                  \
        ::godwit::detail::take(::std::move(godwit_try_));                  \
    })

namespace godwit {
/// Our own invariants, always on. `why` says what is broken if it fails.
inline void check(bool condition, const char* why, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
    if (!condition) [[unlikely]] {
        check_failed("check", why, file, line);
    }
}
}  // namespace godwit
