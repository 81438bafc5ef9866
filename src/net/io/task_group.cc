#include "net/io/task_group.h"

#include <string>

#include "base/result.h"
#include "net/io/root.h"

namespace godwit::net {

TaskGroup::TaskGroup(std::size_t limit) : shard_(&Shard::here()), limit_(limit) {
    check(limit > 0, "a task group has room for one");
}

void TaskGroup::start(std::string_view name, Task<void> task) {
    detail::RootTask made = detail::RootTask::make(std::string(name), std::move(task), this);
    ++running_;
    detail::Root* root = made.hand_to(*shard_);
    members_.push_back(*root);
    shard_->ready(root->start);
}

bool TaskGroup::try_spawn(std::string_view name, Task<void> task) {
    if (running_ >= limit_) {
        return false;
    }
    start(name, std::move(task));
    return true;
}

namespace {
Task<void> wait_below(Notify* changed, const std::size_t* running, std::size_t limit) {
    while (*running >= limit) {
        co_await changed->wait();
    }
}
}  // namespace

Task<void> TaskGroup::spawn(std::string_view name, Task<void> task) {
    std::string kept(name);
    if (running_ >= limit_) {
        co_await wait_below(&changed_, &running_, limit_);
    }
    start(kept, std::move(task));
}

Task<void> TaskGroup::join() {
    return wait_below(&changed_, &running_, 1);
}

void TaskGroup::cancel() {
    while (detail::Root* root = members_.back()) {
        root->frame.destroy();
    }
}

void TaskGroup::member_ended() {
    --running_;
    if (Shard::current() == shard_) {
        changed_.notify_all();
    }
}

}  // namespace godwit::net
