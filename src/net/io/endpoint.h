// Addresses: where a stream comes from and goes to. Values; any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::net {

/// An IPv4 or IPv6 address. IPv4-mapped IPv6 (::ffff:a.b.c.d) is turned into IPv4 when built, so
/// that one peer has one name.
class IpAddress {
public:
    /// 0.0.0.0.
    IpAddress() = default;
    static IpAddress v4(std::array<std::uint8_t, 4> bytes);
    static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);
    /// 4 or 16 bytes in network order, as in A and AAAA records.
    static Result<IpAddress> from_bytes(std::string_view raw);
    /// Strict: dotted quad without leading zeros, or RFC 4291 text; no brackets, no zone.
    static Result<IpAddress> parse(std::string_view text);
    static IpAddress loopback_v4() { return v4({127, 0, 0, 1}); }
    static IpAddress loopback_v6();

    [[nodiscard]] bool is_v4() const { return size_ == 4; }
    [[nodiscard]] bool is_v6() const { return size_ == 16; }
    /// 4 or 16 bytes; a view of this object.
    [[nodiscard]] std::string_view bytes() const {
        return {reinterpret_cast<const char*>(bytes_.data()), size_};
    }
    /// RFC 5952 form, without brackets.
    [[nodiscard]] std::string to_string() const;
    /// 127/8, ::1.
    [[nodiscard]] bool is_loopback() const;
    /// 0.0.0.0, ::.
    [[nodiscard]] bool is_any() const;
    /// Fit to be a public mail exchanger: not loopback, private, link-local, shared (100.64/10),
    /// multicast, documentation, benchmarking or reserved (RFC 6890 registries); and no such IPv4
    /// address inside 6to4, NAT64 or Teredo forms (T62).
    [[nodiscard]] bool is_global() const;
    /// The first `prefix_bits` bits, the rest zero. `prefix_bits` past the size means all.
    [[nodiscard]] IpAddress network(unsigned prefix_bits) const;
    /// What limits count by: an IPv4 address, or the /64 of an IPv6 one.
    [[nodiscard]] IpAddress limit_class() const { return network(is_v4() ? 32 : 64); }
    auto operator<=>(const IpAddress&) const = default;

private:
    std::array<std::uint8_t, 16> bytes_{};
    std::uint8_t size_ = 4;
};

/// An IP address and port, or the path of a Unix socket.
class Endpoint {
public:
    /// 0.0.0.0:0.
    Endpoint() = default;
    Endpoint(IpAddress address, std::uint16_t port) : address_(address), port_(port) {}
    static Endpoint unix_path(std::string path);
    /// "192.0.2.1:25", "[2001:db8::1]:25", "unix:/run/x.sock".
    static Result<Endpoint> parse(std::string_view text);

    [[nodiscard]] bool is_unix() const { return is_unix_; }
    /// 0.0.0.0 for a Unix socket.
    [[nodiscard]] const IpAddress& address() const { return address_; }
    /// 0 for a Unix socket.
    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// Empty for an IP endpoint, and for the unnamed end of a Unix socket.
    [[nodiscard]] const std::string& path() const { return path_; }
    /// As parse() takes it.
    [[nodiscard]] std::string to_string() const;
    /// Unix sockets are.
    [[nodiscard]] bool is_loopback() const { return is_unix() || address().is_loopback(); }
    [[nodiscard]] bool is_global() const { return !is_unix() && address().is_global(); }
    auto operator<=>(const Endpoint&) const = default;

private:
    IpAddress address_;
    std::uint16_t port_ = 0;
    bool is_unix_ = false;
    std::string path_;
};

}  // namespace godwit::net
