// Who is being served on this shard, so that a graceful stop can tell them: each session stands in
// the list and is interrupted when it waits for its client. Thread rule: one per shard, its own.
#pragma once

#include "net/io/list.h"
#include "net/io/stream.h"

namespace godwit::serve {

class RollCall;

/// A session's place in the list; leaves it when it dies.
class Attendance : public net::ListNode {
public:
    /// Stands in the list of the shard that runs now. `stream` outlives it.
    explicit Attendance(net::Stream* stream);
    /// True once the server is closing: finish at the next command boundary.
    [[nodiscard]] bool is_closing() const;
    /// After Stream::move_to: stand in the list of the new shard.
    void moved();

private:
    friend class RollCall;
    net::Stream* stream_;
};

/// The list of the shard that runs now.
class RollCall {
public:
    static RollCall& here();
    /// From here on all sessions are told to finish, and new ones see is_closing() at once.
    void close();
    [[nodiscard]] bool is_closing() const { return is_closing_; }
    [[nodiscard]] bool is_empty() const { return sessions_.is_empty(); }

private:
    friend class Attendance;
    net::List<Attendance> sessions_;
    bool is_closing_ = false;
};

}  // namespace godwit::serve
