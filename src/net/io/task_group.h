// Tasks that run beside each other and end before their group does.
#pragma once

#include <cstddef>
#include <string_view>

#include "net/io/shard.h"
#include "net/io/sync.h"

namespace godwit::net {

/// At most `limit` tasks at once, all on the shard the group was made on. Own shard only. The group
/// outlives its members: destroying it destroys them where they stand.
class TaskGroup {
public:
    explicit TaskGroup(std::size_t limit);
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    ~TaskGroup() { cancel(); }

    /// Starts `task` from the loop; waits first while `limit` members run.
    Task<void> spawn(std::string_view name, Task<void> task);
    /// Starts it unless the group is full; false then, and the task is destroyed.
    bool try_spawn(std::string_view name, Task<void> task);
    /// Waits until no member runs.
    Task<void> join();
    /// Destroys all members. Not from a member.
    void cancel();
    [[nodiscard]] std::size_t running() const { return running_; }

private:
    friend struct detail::Root;
    void start(std::string_view name, Task<void> task);
    void member_ended();

    Shard* shard_;
    std::size_t limit_;
    std::size_t running_ = 0;
    List<detail::Root> members_;
    Notify changed_;
};

}  // namespace godwit::net
