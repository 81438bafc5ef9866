// The bottom frame of a spawned chain of tasks. Private to net/io.
// Owned by the shard whose list it stands in; destroys itself when the chain ends.
#pragma once

#include <string>

#include "net/io/shard.h"

namespace godwit::net {
class TaskGroup;
}

namespace godwit::net::detail {

struct Root : ListNode {
    ~Root();
    /// Takes the root into `to`'s list. On that shard.
    void adopt(Shard& to);
    /// Out of the list of its shard; nobody owns it now. On that shard.
    void release();

    std::coroutine_handle<> frame;
    Waiter start;
    std::string name;
    Shard* shard = nullptr;
    TaskGroup* group = nullptr;
};

/// The coroutine that spawn() runs; `start` begins it and gives up ownership to the shard.
class RootTask {
public:
    struct promise_type : PromiseBase, Root {
        RootTask get_return_object();
        std::suspend_never final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
    };
    static RootTask make(std::string name, Task<void> task, TaskGroup* group);
    RootTask(RootTask&& other) noexcept : root_(std::exchange(other.root_, nullptr)) {}
    RootTask& operator=(RootTask&&) = delete;
    explicit RootTask(Root* root) : root_(root) {}
    ~RootTask();
    /// The shard owns it from here. On that shard.
    Root* hand_to(Shard& shard);

private:
    Root* root_;
};

}  // namespace godwit::net::detail
