// The production shards: one thread and one event loop each.
#pragma once

#include <memory>

#include "net/io/shard.h"

namespace godwit::net {

/// create; build the house over shard(i); start(); later stop() and join(); then take down the
/// house; then destroy. The pool outlives all that names its shards. SIGPIPE is ignored from here.
class ShardPool {
public:
    explicit ShardPool(unsigned shards, Clock& clock = system_clock());
    ShardPool(const ShardPool&) = delete;
    ShardPool& operator=(const ShardPool&) = delete;
    ~ShardPool();

    [[nodiscard]] unsigned size() const;
    [[nodiscard]] Shard& shard(unsigned index);
    /// The next in turn, for what has no home yet. Any thread.
    [[nodiscard]] Shard& next_shard();
    void start();
    /// Each shard finishes the step it is in, destroys its tasks where they stand and leaves its
    /// loop. End sessions politely before this. Any thread; returns at once.
    void stop();
    /// Waits for the threads. Not from a shard.
    void join();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace godwit::net
