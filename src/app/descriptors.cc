#include "app/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <string>

#include "base/limits.h"

namespace godwit::app {
namespace {

// Descriptors in use before anybody comes: standard streams, logs and lock of the store (10), the
// event loop and timer and wake-up of a shard, a listener with its spare, two sockets of our own,
// and what is open for a moment (a folder being synced, a new segment, a new table).
constexpr std::uint64_t kOwn = 20;
constexpr std::uint64_t kOwnPassing = 16;
constexpr std::uint64_t kPerShard = 4;
constexpr std::uint64_t kPerListener = 2;
constexpr std::uint64_t kOwnListeners = 2;
// libunbound asks through at most 16 sockets of UDP and 2 of TCP, and has its own event loop; there
// are two of it, with DNSSEC and without (net/resolver/validating_resolver.h).
constexpr std::uint64_t kResolver = 48;
// Below that a mail server is not worth starting: one client opens five connections.
constexpr std::uint64_t kConnectionsMin = 8;
// RocksDB goes no lower than 20; a small table of open files costs cold reads an open each.
constexpr std::uint64_t kKeyFilesMin = 20;
constexpr std::uint64_t kKeyFilesMax = 256;
constexpr std::uint64_t kBodyFilesMin = 8;
// A process that may open a million files needs no plan for them.
constexpr std::uint64_t kLimitMax = 1 << 20;

}  // namespace

Result<DescriptorPlan> plan_descriptors(const DescriptorNeeds& needs) {
    const std::uint64_t limit = std::min(needs.limit, kLimitMax);
    const std::uint64_t own = kOwn + kPerShard * needs.shards +
                              kPerListener * (needs.listeners + kOwnListeners) +
                              (needs.has_resolver ? kResolver : 0);
    const std::uint64_t keys = std::clamp(limit / 8, kKeyFilesMin, kKeyFilesMax);
    const std::uint64_t bodies =
        std::clamp<std::uint64_t>(limit / 16, kBodyFilesMin, limits::blob_open_files_max);
    const std::uint64_t kept = kOwnPassing + keys + bodies;
    // Socket and body of a connection, and one socket in four more for deliveries.
    const std::uint64_t needed = own + kept + kConnectionsMin * 9 / 4;
    if (limit < needed) {
        return peer_error(ErrorCode::LimitExceeded,
                          "this process may open " + std::to_string(limit) +
                              " files and sockets (RLIMIT_NOFILE); with these listeners it needs " +
                              std::to_string(needed) +
                              ", and 65536 is usual (ulimit -n, LimitNOFILE)");
    }
    const std::uint64_t connections = (limit - own - kept) * 4 / 9;
    return DescriptorPlan{.key_files = static_cast<int>(keys),
                          .body_files = static_cast<std::size_t>(bodies),
                          .connections = static_cast<std::uint32_t>(connections),
                          .sockets_below = static_cast<int>(limit - kept - connections)};
}

std::uint64_t descriptor_limit() {
    rlimit limit{};
    return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : kLimitMax;
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, kLimitMax);
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

}  // namespace godwit::app
