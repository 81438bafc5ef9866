// Who is being served, so that a graceful stop can tell them: each session stands in the list of
// its shard and is interrupted when it waits for its client.
#pragma once

#include <vector>

#include "net/io/list.h"
#include "net/io/stream.h"

namespace godwit::flow {

class RollCall;

/// A session's place in the list of the shard that runs now; leaves it when it dies. Own shard.
class Attendance : public net::ListNode {
public:
    /// Both outlive it.
    Attendance(RollCall* roll_call, net::Stream* stream);
    /// True once the server is closing: finish at the next command boundary.
    [[nodiscard]] bool is_closing() const;
    /// Before Stream::move_to: out of the old list. After it: into the new shard's.
    void leave() { unlink(); }
    void arrive();

private:
    friend class RollCall;
    RollCall* roll_call_;
    net::Stream* stream_;
};

/// One list a shard.
class RollCall {
public:
    explicit RollCall(std::size_t shards) : lists_(shards) {}
    /// On each shard: from here on its sessions are told to finish, and new ones see it at once.
    void close_here();
    [[nodiscard]] bool is_empty_here() const;

private:
    friend class Attendance;
    struct PerShard {
        net::List<Attendance> sessions;
        bool is_closing = false;
    };
    std::vector<PerShard> lists_;
};

}  // namespace godwit::flow
