#include "net/io/sync.h"

namespace godwit::net {

bool TimedWait::await_suspend(std::coroutine_handle<> handle) {
    Shard& shard = Shard::here();
    waiter_.handle = handle;
    queue_->push_back(waiter_);
    if (deadline_ == kNever) {
        return true;
    }
    timer_ = shard.call_at(deadline_, [this] {
        if (waiter_.is_woken) {
            return;  // Already on its way.
        }
        is_expired_ = true;
        waiter_.unlink();
        waiter_.handle.resume();
    });
    return true;
}

namespace {
void wake_all(List<Waiter>& queue) {
    while (Waiter* waiter = queue.pop_front()) {
        Shard::here().ready(*waiter);
    }
}
}  // namespace

void Notify::notify_one() {
    if (Waiter* waiter = queue_.pop_front()) {
        Shard::here().ready(*waiter);
    }
}

void Notify::notify_all() {
    wake_all(queue_);
}

void Event::set() {
    is_set_ = true;
    wake_all(queue_);
}

Semaphore::Permit Semaphore::try_acquire() {
    if (free_ == 0 || !queue_.is_empty()) {
        return Permit();
    }
    --free_;
    return Permit(this);
}

Task<Semaphore::Permit> Semaphore::acquire(MonoTime deadline) {
    // A permit given back wakes one waiter; a newcomer may be faster, so look again.
    bool is_first_look = true;
    while (free_ == 0 || (is_first_look && !queue_.is_empty())) {
        is_first_look = false;
        if (!co_await TimedWait(&queue_, deadline, false)) {
            co_return Permit();
        }
    }
    --free_;
    // A waiter that was woken and died hands its turn on here.
    if (free_ > 0 && !queue_.is_empty()) {
        Shard::here().ready(*queue_.pop_front());
    }
    co_return Permit(this);
}

void Semaphore::give_back() {
    ++free_;
    Shard* shard = Shard::current();
    if (shard != nullptr && !queue_.is_empty()) {
        shard->ready(*queue_.pop_front());
    }
}

Semaphore::Permit::~Permit() {
    if (owner_ != nullptr) {
        owner_->give_back();
    }
}

}  // namespace godwit::net
