// The main thread of a serving process: signals and the service manager.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "app/cli.h"
#include "app/house.h"
#include "base/log.h"

namespace godwit::app {
namespace {

sigset_t our_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        sigaddset(&set, number);
    }
    return set;
}

/// Tells systemd how we are: sd_notify(3). Nothing when nobody asked.
void notify_manager(std::string_view state) {
    const char* path = std::getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path == nullptr || *path == '\0' || std::strlen(path) >= sizeof address.sun_path) {
        return;
    }
    std::memcpy(address.sun_path, path, std::strlen(path));
    if (address.sun_path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
    // The manager is free to be deaf; we serve all the same.
    (void)::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&address), size);
    ::close(fd);
}

/// A further signal to end, given while ending.
bool is_in_a_hurry() {
    const sigset_t set = our_signals();
    const timespec no_time{};
    const int number = ::sigtimedwait(&set, nullptr, &no_time);
    return number == SIGINT || number == SIGTERM;
}

void reload(House& house) {
    notify_manager("RELOADING=1");
    if (auto done = house.reload(); !done) {
        log::error("config.reload_refused", {{"error", done.error().text}});
    }
    notify_manager("READY=1");
}

}  // namespace

void block_signals() {
    const sigset_t set = our_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 1 << 20);
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

Result<int> run_house(House& house, const std::function<void()>& on_ready) {
    if (auto opened = house.open(); !opened) {
        log::error("start.failed", {{"error", opened.error().text}});
        return std::unexpected(std::move(opened.error()));
    }
    notify_manager("READY=1");
    log::info("start.done", {{"listeners", std::uint64_t{house.doors().size()}}});
    on_ready();
    const sigset_t set = our_signals();
    for (;;) {
        int number = 0;
        if (::sigwait(&set, &number) != 0) {
            continue;
        }
        if (number == SIGHUP) {
            reload(house);
            continue;
        }
        notify_manager("STOPPING=1");
        log::info("stop.begins", {{"signal", number}});
        house.close(is_in_a_hurry);
        log::info("stop.done", {});
        return kExitDone;
    }
}

}  // namespace godwit::app
