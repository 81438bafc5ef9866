// Which addresses did not answer a moment ago, and whether a whole address family does not: so that
// the next message is not kept waiting by them. SMTP-BEHAVIOUR.md C4, F8, M3. Pure: time is an
// argument. An address that is dead is passed over where there is another, and is tried again when
// its time is over; what is dead without one is tried all the same.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/recent.h"
#include "net/io/endpoint.h"

namespace godwit::flow {

/// An address that did not answer is dead for this long; doubled each time up to the second.
inline constexpr std::chrono::seconds host_dead_min(60);
inline constexpr std::chrono::seconds host_dead_max = std::chrono::minutes(15);
/// Addresses remembered, some 150 octets each.
inline constexpr std::size_t hosts_dead_max = 16 * 1024;
/// So many addresses of a family in a row, none of which answered: it is the path that is broken.
inline constexpr std::uint32_t family_failures_max = 5;
/// A broken family comes after the other for this long; then one more failure renews it.
inline constexpr std::chrono::minutes family_dead_time(10);

/// For operators: an address that is passed over.
struct DeadHost {
    std::string host;  ///< The name it was last tried by.
    net::IpAddress address;
    Duration time_left{};
};

/// One thread, or behind a lock.
class HostCache {
public:
    /// No connection, or no greeting. `host`: the name that led there.
    void failed(const net::IpAddress& address, MonoTime now, std::string host = "");
    void answered(const net::IpAddress& address);
    /// `found`, in the order to try them: without the dead ones where others are left, and those of
    /// a broken family behind the others.
    [[nodiscard]] std::vector<net::IpAddress> order(const std::vector<net::IpAddress>& found,
                                                    MonoTime now);
    [[nodiscard]] bool is_dead(const net::IpAddress& address, MonoTime now);
    /// All of them, by the octets of their addresses.
    [[nodiscard]] std::vector<DeadHost> dead(MonoTime now);

private:
    struct Dead {
        std::string host;
        std::optional<net::IpAddress> address;
        MonoTime until{};
        Duration time{};
    };
    struct Family {
        std::uint32_t failures = 0;  ///< In a row.
        std::optional<net::IpAddress> last;
        MonoTime broken_until{};
    };
    Family& family(const net::IpAddress& address) { return address.is_v6() ? six_ : four_; }

    Recent<std::string, Dead> dead_{hosts_dead_max};  ///< By the octets of the address.
    std::set<std::string> keys_;  ///< Of these, and some that are forgotten already.
    Family four_;
    Family six_;
};

}  // namespace godwit::flow
