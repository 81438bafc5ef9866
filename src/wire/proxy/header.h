// The header of the PROXY protocol, versions 1 and 2: what a load balancer says about the client
// before the client's own octets. The specification is HAProxy's proxy-protocol.txt.
//
// Never takes an octet too many: read at most wanted() octets, feed them, until is_done().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::proxy {

/// The longest line of version 1 with its CRLF, by the specification.
inline constexpr std::size_t header_line_size_max = 107;
/// What may follow the 16 fixed octets of version 2: addresses (216 at most) and words about TLS,
/// which we pass over. The field allows 65,535; what proxies send is a few hundred.
inline constexpr std::size_t header_rest_size_max = 4096;

struct Side {
    std::string address;  ///< 4 or 16 octets in network order.
    std::uint16_t port = 0;
    bool operator==(const Side&) const = default;
};

/// Who talks to whom, as the proxy sees it.
struct Header {
    /// nullopt: the proxy speaks for itself (LOCAL: a health check) or does not know (UNKNOWN,
    /// UNSPEC, a UNIX socket): the connection's own addresses hold.
    std::optional<Side> client;
    std::optional<Side> server;
    bool operator==(const Header&) const = default;
};

class HeaderReader {
public:
    /// Octets that certainly belong to the header; 0 when it is whole.
    [[nodiscard]] std::size_t wanted() const;
    /// At most wanted() octets. Peer/Invalid when this is no header: close the connection. Linear
    /// in the header's size.
    Result<> feed(std::string_view bytes);
    [[nodiscard]] bool is_done() const { return is_done_; }
    /// Once is_done().
    [[nodiscard]] const Header& header() const { return header_; }

private:
    Result<> finish_line();
    Result<> finish_binary();
    std::string bytes_;
    Header header_;
    bool is_done_ = false;
};

}  // namespace godwit::proxy
