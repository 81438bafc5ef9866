// How many connections may be open, in all and from one address. SECURITY.md T92.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <utility>

#include "net/io/endpoint.h"
#include "net/io/locked.h"

namespace godwit::flow {

class ConnectionGuard;

/// Holds one connection's place until it dies. Movable; empty when there was no room.
class [[nodiscard]] ConnectionPermit {
public:
    ConnectionPermit() = default;
    ConnectionPermit(ConnectionGuard* guard, net::IpAddress source)
        : guard_(guard), source_(source) {}
    ConnectionPermit(ConnectionPermit&& other) noexcept
        : guard_(std::exchange(other.guard_, nullptr)), source_(other.source_) {}
    ConnectionPermit& operator=(ConnectionPermit&& other) noexcept {
        std::swap(guard_, other.guard_);
        std::swap(source_, other.source_);
        return *this;
    }
    ~ConnectionPermit();
    explicit operator bool() const { return guard_ != nullptr; }

private:
    ConnectionGuard* guard_ = nullptr;
    net::IpAddress source_;
};

/// Counts by IPv4 address and IPv6 /64. Any thread; outlives its permits.
class ConnectionGuard {
public:
    struct Bounds {
        std::uint32_t total = 0;
        std::uint32_t per_address = 0;  ///< Loopback and Unix sockets are exempt.
    };
    /// Bounds the total whatever admit() is told: what the process has descriptors for. Before the
    /// first admit().
    void set_ceiling(std::uint32_t total) { ceiling_ = total; }
    /// An empty permit when a bound is reached.
    ConnectionPermit admit(const net::Endpoint& peer, Bounds bounds);
    [[nodiscard]] std::uint32_t open();

private:
    friend class ConnectionPermit;
    void leave(const net::IpAddress& source);
    struct Table {
        std::uint32_t total = 0;
        std::map<net::IpAddress, std::uint32_t> by_source;
    };
    std::uint32_t ceiling_ = std::numeric_limits<std::uint32_t>::max();
    net::Locked<Table> table_;
};

}  // namespace godwit::flow
