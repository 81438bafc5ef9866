// What carries a stream's bytes: a socket or a memory pair. Steps that never wait, and one way to
// be resumed when a step may succeed. Private to net/; ChannelStream makes a Stream of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "net/io/endpoint.h"
#include "net/io/shard.h"
#include "net/io/stream.h"

namespace godwit::net {

enum class Direction : std::uint8_t { Read, Write };

/// What one step came to.
struct IoStep {
    enum class Outcome : std::uint8_t {
        Done,        ///< `count` bytes moved; a read of 0 is the end of the peer's data.
        WouldBlock,  ///< Try again once `wait` is ready.
        Failed,      ///< `error` is an errno (of a channel), or the TLS layer knows why.
    };
    Outcome outcome = Outcome::Done;
    Direction wait = Direction::Read;
    int error = 0;
    std::size_t count = 0;

    static IoStep done(std::size_t count) { return {.count = count}; }
    static IoStep would_block(Direction wait) {
        return {.outcome = Outcome::WouldBlock, .wait = wait};
    }
    static IoStep failed(int error) { return {.outcome = Outcome::Failed, .error = error}; }
};

/// Own shard only, but for its destruction between detach() and attach().
class Channel {
public:
    virtual ~Channel() = default;
    virtual IoStep read(std::span<char> buffer) = 0;
    /// Done(1): bytes wait; Done(0): the end.
    virtual IoStep peek() = 0;
    virtual IoStep write(std::string_view bytes) = 0;
    /// Resumes `waiter` from the loop when `direction` may be ready (at once when reading is ready
    /// already: nobody need have met an empty channel before), or on wake(). Spurious
    /// resumption is allowed.
    virtual void wait(Direction direction, Waiter& waiter) = 0;
    /// Resumes all who wait.
    virtual void wake() = 0;
    virtual void shutdown_write() = 0;
    virtual void close() = 0;
    /// close() so that the peer sees a reset.
    virtual void reset() = 0;
    /// A close may destroy bytes on their way to the peer: see Stream::close.
    [[nodiscard]] virtual bool needs_linger() const = 0;
    /// Leaves its shard; nobody waits.
    virtual void detach() = 0;
    virtual Result<> attach(Shard& shard) = 0;
    [[nodiscard]] virtual const Endpoint& local() const = 0;
    [[nodiscard]] virtual const Endpoint& peer() const = 0;
    [[nodiscard]] virtual std::optional<PeerCredentials> credentials() const = 0;
};

}  // namespace godwit::net
