// A value behind a lock, for small tables that all shards share: who is connected, who failed.
#pragma once

#include <mutex>
#include <utility>

namespace godwit::net {

/// with() runs `use(T&)` alone; `use` must be short and must not wait. Any thread.
template <class T>
class Locked {
public:
    template <class... Arguments>
    explicit Locked(Arguments&&... arguments) : value_(std::forward<Arguments>(arguments)...) {}
    template <class Use>
    auto with(Use use) {
        const std::lock_guard lock(mutex_);
        return use(value_);
    }

private:
    std::mutex mutex_;
    T value_;
};

}  // namespace godwit::net
