// A file descriptor and the coroutines that wait for it in a shard's event loop. Private to net/.
// The one place, with shard_pool.cc, where Asio is seen.
#pragma once

#include <utility>

#include "net/io/channel.h"

namespace godwit::net {

/// Owns a descriptor until it is given away.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        Descriptor closed(std::exchange(number_, other.release()));
        return *this;
    }
    ~Descriptor();
    [[nodiscard]] int number() const { return number_; }
    explicit operator bool() const { return number_ >= 0; }
    int release() { return std::exchange(number_, -1); }

private:
    int number_ = -1;
};

/// Attached to one shard at a time; own shard only while attached.
class DescriptorWatch {
public:
    explicit DescriptorWatch(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}
    DescriptorWatch(const DescriptorWatch&) = delete;
    DescriptorWatch& operator=(const DescriptorWatch&) = delete;
    ~DescriptorWatch() { close(); }

    Result<> attach(Shard& shard);
    /// Nobody waits.
    void detach();
    /// The descriptor is non-blocking; `waiter` is resumed from the loop, perhaps for nothing.
    void wait(Direction direction, Waiter& waiter);
    void wake();
    void close();
    [[nodiscard]] int number() const { return descriptor_.number(); }

private:
    struct Attachment;
    Descriptor descriptor_;
    Attachment* attachment_ = nullptr;  // Counted: wait handlers in the loop hold it too.
};

/// co_await until_ready(watch, direction, deadline): false when the deadline came first.
class [[nodiscard]] until_ready {
public:
    until_ready(DescriptorWatch* watch, Direction direction, MonoTime deadline = kNever)
        : watch_(watch), direction_(direction), deadline_(deadline) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle);
    bool await_resume() const noexcept { return !is_expired_; }

private:
    DescriptorWatch* watch_;
    Direction direction_;
    MonoTime deadline_;
    bool is_expired_ = false;
    Waiter waiter_;
    Timer timer_;
};

}  // namespace godwit::net
