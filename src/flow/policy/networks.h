// Networks that an administrator named: who may do what strangers may not. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/io/endpoint.h"

namespace godwit::flow {

struct Network {
    net::IpAddress base;  ///< The bits behind `prefix_bits` are zero.
    unsigned prefix_bits = 32;
};

/// "192.0.2.1", "192.0.2.0/24", "2001:db8::/32". Peer error for anything else, and for bits behind
/// the prefix: they are most likely a slip.
Result<Network> parse_network(std::string_view text);

/// Whether one of `networks` has the address. A Unix socket is in none; what does not parse
/// (app/config_check refuses it) has nobody. Linear in the list.
bool is_in(const std::vector<std::string>& networks, const net::Endpoint& who);

}  // namespace godwit::flow
