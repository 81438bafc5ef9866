#include "net/io/task.h"

#include <memory>
#include <string>

#include "net/io/root.h"
#include "net/io/shard.h"
#include "net/io/task_group.h"

namespace godwit::net {

namespace detail {

RootTask RootTask::promise_type::get_return_object() {
    frame = std::coroutine_handle<promise_type>::from_promise(*this);
    start.handle = frame;
    root = this;
    return RootTask(this);
}

namespace {
RootTask run_root(Task<void> task) {
    co_await std::move(task);
}
}  // namespace

RootTask RootTask::make(std::string name, Task<void> task, TaskGroup* group) {
    RootTask made = run_root(std::move(task));
    made.root_->name = std::move(name);
    made.root_->group = group;
    return made;
}

RootTask::~RootTask() {
    if (root_ != nullptr) {
        root_->frame.destroy();
    }
}

Root* RootTask::hand_to(Shard& shard) {
    Root* root = std::exchange(root_, nullptr);
    root->adopt(shard);
    return root;
}

void Root::adopt(Shard& to) {
    shard = &to;
    ++to.task_count_;
    // Members of a group stand in the group's list instead.
    if (group == nullptr) {
        to.roots_.push_back(*this);
    }
}

void Root::release() {
    unlink();
    if (shard != nullptr) {
        --shard->task_count_;
        shard = nullptr;
    }
}

Root::~Root() {
    release();
    if (group != nullptr) {
        group->member_ended();
    }
}

}  // namespace detail

void spawn(Shard& shard, std::string_view name, Task<void> task) {
    detail::RootTask root = detail::RootTask::make(std::string(name), std::move(task), nullptr);
    if (Shard::current() == &shard) {
        shard.ready(root.hand_to(shard)->start);
        return;
    }
    shard.post([&shard, root = std::move(root)]() mutable { root.hand_to(shard)->frame.resume(); });
}

}  // namespace godwit::net
