// The main thread of a serving process: signals and the service manager.
#include <pthread.h>
#include <signal.h>

#include <cstdlib>

#include "app/cli.h"
#include "app/fault_watch.h"
#include "app/house.h"
#include "app/notify.h"
#include "base/log.h"

namespace godwit::app {
namespace {

sigset_t our_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, FaultWatch::kSignal}) {
        sigaddset(&set, number);
    }
    return set;
}

/// A further signal to end, given while ending.
bool is_in_a_hurry() {
    const sigset_t set = our_signals();
    const timespec no_time{};
    const int number = ::sigtimedwait(&set, nullptr, &no_time);
    return number == SIGINT || number == SIGTERM;
}

void reload(House& house) {
    notify_service("RELOADING=1");
    if (auto done = house.reload(); !done) {
        log::error("config.reload_refused", {{"error", done.error().text}});
    }
    notify_service("READY=1");
}

/// Without closing the store: what its engine would still write is nothing that anybody was told.
void end_if_faulty(House& house) {
    if (house.has_fault()) {
        house.end_after_fault();
        std::_Exit(kExitTemporary);
    }
}

}  // namespace

void block_signals() {
    const sigset_t set = our_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Result<int> run_house(House& house, const std::function<void()>& on_ready) {
    if (auto opened = house.open(); !opened) {
        log::error("start.failed", {{"error", opened.error().text}});
        return std::unexpected(std::move(opened.error()));
    }
    notify_service("READY=1");
    log::info("start.done", {{"listeners", std::uint64_t{house.doors().size()}}});
    on_ready();
    const sigset_t set = our_signals();
    for (;;) {
        int number = 0;
        if (::sigwait(&set, &number) != 0) {
            continue;
        }
        if (number == FaultWatch::kSignal) {
            end_if_faulty(house);
            continue;
        }
        if (number == SIGHUP) {
            reload(house);
            continue;
        }
        notify_service("STOPPING=1");
        log::info("stop.begins", {{"signal", number}});
        house.close(is_in_a_hurry);
        end_if_faulty(house);
        log::info("stop.done", {});
        return kExitDone;
    }
}

}  // namespace godwit::app
