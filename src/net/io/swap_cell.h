// A value that is read by many threads and replaced as a whole by one: certificates, configuration.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace godwit::net {

/// Readers keep the value they loaded for as long as they hold it (that is why it is shared: the
/// cell and a handshake in progress are independent lifetimes). Any thread.
template <class T>
class SwapCell {
public:
    [[nodiscard]] std::shared_ptr<const T> load() const {
        std::lock_guard lock(mutex_);
        return value_;
    }
    void store(std::shared_ptr<const T> value) {
        std::lock_guard lock(mutex_);
        value_.swap(value);
    }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const T> value_;
};

}  // namespace godwit::net
