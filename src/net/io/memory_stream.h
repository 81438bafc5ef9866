// Connected pairs of streams in memory, with faults on demand. Both ends on one thread (a
// TestLoop).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "net/io/stream.h"

namespace godwit::net {

/// Decides which I/O step fails, counting the reads, writes and connects of all streams that share
/// it: "fail the Nth". A failed step is a reset connection: the stream is dead on both sides.
class MemoryFaults {
public:
    /// 0: none. Counting starts anew.
    void fail_step(std::uint64_t nth) {
        nth_ = nth;
        steps_ = 0;
    }
    [[nodiscard]] std::uint64_t steps() const { return steps_; }
    /// Counts one step; true when it is the one to fail.
    bool step() { return ++steps_ == nth_; }

private:
    std::uint64_t nth_ = 0;
    std::uint64_t steps_ = 0;
};

struct MemoryPairOptions {
    Endpoint first = Endpoint(IpAddress::loopback_v4(), 40000);
    Endpoint second = Endpoint(IpAddress::loopback_v4(), 25);
    std::size_t buffer_size = 64 * 1024;  ///< Per direction; a writer waits past it.
    std::size_t chunk_max = SIZE_MAX;  ///< Most bytes one read or write moves: 1 tests every split.
    std::shared_ptr<MemoryFaults> faults{};  ///< Shared: both ends and the network count on it.
};

/// `first` on shard `a`, `second` on shard `b`, each the other's peer.
std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> memory_stream_pair(
    Shard& a, Shard& b, MemoryPairOptions options = {});

}  // namespace godwit::net
