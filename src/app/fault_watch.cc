#include "app/fault_watch.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "app/cli.h"
#include "app/notify.h"
#include "base/log.h"

namespace godwit::app {

FaultWatch::FaultWatch() {
    // Signals are the main thread's.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { watch(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

FaultWatch::~FaultWatch() {
    {
        const std::scoped_lock lock(mutex_);
        is_over_ = true;
        changed_.notify_one();
    }
    thread_.join();
}

void FaultWatch::report(const Error& error) {
    const std::scoped_lock lock(mutex_);
    if (!fault_) {
        fault_ = error;
        changed_.notify_one();
    }
}

bool FaultWatch::has_fault() const {
    const std::scoped_lock lock(mutex_);
    return fault_.has_value();
}

void FaultWatch::watch() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return fault_ || is_over_; });
    if (!fault_) {
        return;
    }
    const std::string text = fault_->text;
    lock.unlock();
    ::kill(::getpid(), kSignal);
    log::error("store.fatal",
               {{"error", text}, {"then", "nothing more is accepted; the process ends"}});
    notify_service("STATUS=The disk has failed, ending: " + text + "\n");
    lock.lock();
    // Still waiting when it is over: then the process ends by itself, with all said.
    if (!changed_.wait_for(lock, kLastAnswers + kLastResort, [this] { return is_over_; })) {
        log::error("store.fatal_overdue", {{"error", text}});
        std::_Exit(kExitTemporary);
    }
}

}  // namespace godwit::app
