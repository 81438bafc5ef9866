#include "flow/policy/networks.h"

#include <algorithm>

#include "base/ascii.h"

namespace godwit::flow {

Result<Network> parse_network(std::string_view text) {
    const std::size_t slash = text.find('/');
    const net::IpAddress address = TRY(net::IpAddress::parse(text.substr(0, slash)));
    const unsigned whole = address.is_v4() ? 32 : 128;
    if (slash == std::string_view::npos) {
        return Network{.base = address, .prefix_bits = whole};
    }
    const auto bits = parse_u64(text.substr(slash + 1));
    if (!bits || *bits > whole) {
        return peer_error(
            ErrorCode::Invalid,
            "expected a network such as \"192.0.2.0/24\", found \"" + std::string(text) + "\"");
    }
    const auto prefix_bits = static_cast<unsigned>(*bits);
    if (address.network(prefix_bits) != address) {
        return peer_error(
            ErrorCode::Invalid,
            "\"" + std::string(text) + "\" has bits behind its /" + std::to_string(prefix_bits));
    }
    return Network{.base = address, .prefix_bits = prefix_bits};
}

bool is_in(const std::vector<std::string>& networks, const net::Endpoint& who) {
    if (who.is_unix()) {
        return false;
    }
    return std::ranges::any_of(networks, [&who](const std::string& text) {
        const auto network = parse_network(text);
        return network && network->base.is_v4() == who.address().is_v4() &&
               who.address().network(network->prefix_bits) == network->base;
    });
}

}  // namespace godwit::flow
