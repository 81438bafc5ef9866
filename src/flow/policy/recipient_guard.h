// Slows down who tries out which addresses exist: unknown recipients are counted by client address,
// over all its connections. SECURITY.md T34.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "flow/policy/recent_table.h"
#include "net/io/endpoint.h"
#include "net/io/locked.h"

namespace godwit::flow {

/// Counts by IPv4 address and IPv6 /64; loopback and Unix sockets are exempt. Any thread. Bounded:
/// the address that asked longest ago is forgotten first.
class RecipientGuard {
public:
    /// False once the address has named `per_minute` unknown recipients more than time has forgiven
    /// (`per_minute` each minute). Then every recipient is put off alike, so that nothing is
    /// learnt.
    bool may_ask(const net::Endpoint& peer, std::uint32_t per_minute, MonoTime now);
    /// It named a recipient whom nobody knows here.
    void missed(const net::Endpoint& peer, std::uint32_t per_minute, MonoTime now);

private:
    struct Misses {
        double count = 0;
        MonoTime at{};
    };
    static double left(const Misses& misses, std::uint32_t per_minute, MonoTime now);
    net::Locked<RecentTable<Misses>> table_;
};

}  // namespace godwit::flow
