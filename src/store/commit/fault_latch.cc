#include "store/commit/fault_latch.h"

#include "base/probe.h"
#include "store/commit/committer.h"

namespace godwit::store {

void FaultLatch::trip(const Error& error) {
    {
        const std::scoped_lock lock(mutex_);
        if (is_tripped_.exchange(true)) {
            return;
        }
        fault_ = error;
        if (committer_ != nullptr) {
            committer_->break_off();
        }
    }
    probe<"store.fault">();
    tell_(error);
}

std::optional<Error> FaultLatch::fault() const {
    const std::scoped_lock lock(mutex_);
    return fault_;
}

void FaultLatch::watch_over(Committer* committer) {
    const std::scoped_lock lock(mutex_);
    committer_ = committer;
    if (committer != nullptr && is_tripped_.load()) {
        committer->break_off();
    }
}

}  // namespace godwit::store
