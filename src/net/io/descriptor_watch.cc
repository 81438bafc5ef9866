#include "net/io/descriptor_watch.h"

#include <unistd.h>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "net/io/channel_stream.h"

namespace godwit::net {

namespace asio = boost::asio;

Descriptor::~Descriptor() {
    if (number_ >= 0) {
        ::close(number_);
    }
}

/// One stay of a descriptor on one shard. Counted by hand, not atomically: all holders are of that
/// shard's thread (or of the thread that takes the stopped loop down).
struct DescriptorWatch::Attachment {
    using Stream = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;
    Attachment(asio::io_context& context, Shard& home) : stream(context), shard(home) {}

    class Ref {
    public:
        explicit Ref(Attachment* held) : held_(held) { ++held_->references; }
        Ref(Ref&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
        Ref(const Ref& other) : held_(other.held_) { ++held_->references; }
        Ref& operator=(const Ref&) = delete;
        ~Ref() {
            if (held_ != nullptr) {
                held_->drop();
            }
        }
        Attachment* operator->() const { return held_; }

    private:
        Attachment* held_;
    };
    void drop() {
        if (--references == 0) {
            // Its last holder is gone: what attach() released is owned, and freed, here.
            std::unique_ptr<Attachment> owned(this);
        }
    }
    void arm(Direction direction) {
        auto slot = static_cast<std::size_t>(direction);
        is_armed[slot] = true;
        auto type = direction == Direction::Read ? Stream::wait_read : Stream::wait_write;
        stream.async_wait(type, [self = Ref(this), slot](const boost::system::error_code&) {
            self->is_armed[slot] = false;
            // Who waits anew while these run waits for the next event.
            List<Waiter> woken;
            woken.append(self->queues[slot]);
            while (Waiter* waiter = woken.pop_front()) {
                waiter->is_woken = true;
                waiter->handle.resume();
            }
        });
    }

    Stream stream;
    Shard& shard;
    unsigned references = 1;
    std::array<bool, 2> is_armed{};
    std::array<List<Waiter>, 2> queues;
};

Result<> DescriptorWatch::attach(Shard& shard) {
    check(attachment_ == nullptr && descriptor_, "attached once");
    asio::io_context* context = shard.io_context();
    check(context != nullptr, "sockets live on the shards of a ShardPool");
    attachment_ = std::make_unique<Attachment>(*context, shard).release();
    boost::system::error_code error;
    attachment_->stream.assign(descriptor_.number(), error);
    if (error) {
        std::exchange(attachment_, nullptr)->drop();
        return std::unexpected(io_error("watching a descriptor", error.value()));
    }
    return {};
}

void DescriptorWatch::detach() {
    if (Attachment* attachment = std::exchange(attachment_, nullptr)) {
        if (attachment->stream.is_open()) {
            attachment->stream.release();
        }
        attachment->drop();
    }
}

void DescriptorWatch::wait(Direction direction, Waiter& waiter) {
    check(attachment_ != nullptr, "attached before it is waited for");
    auto slot = static_cast<std::size_t>(direction);
    waiter.is_woken = false;
    attachment_->queues[slot].push_back(waiter);
    if (!attachment_->is_armed[slot]) {
        attachment_->arm(direction);
    }
}

void DescriptorWatch::wake() {
    if (attachment_ == nullptr) {
        return;
    }
    for (List<Waiter>& queue : attachment_->queues) {
        while (Waiter* waiter = queue.pop_front()) {
            attachment_->shard.ready(*waiter);
        }
    }
}

void DescriptorWatch::close() {
    // Out of the event loop first, then closed by its owner.
    detach();
    descriptor_ = Descriptor();
}

void until_ready::await_suspend(std::coroutine_handle<> handle) {
    waiter_.handle = handle;
    watch_->wait(direction_, waiter_);
    if (deadline_ != kNever) {
        timer_ = Shard::here().call_at(deadline_, [this] {
            if (!waiter_.is_woken) {
                is_expired_ = true;
                waiter_.unlink();
                waiter_.handle.resume();
            }
        });
    }
}

}  // namespace godwit::net
