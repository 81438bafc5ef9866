// Deliveries that an operator has sent another way: their site names it, so that they queue, are
// limited and back off there and not where they came from. Pure.
//     smtp:HOST:PORT   lmtp:HOST:PORT   to this host, without asking for an MX
//     DOMAIN                            as mail for this domain goes
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "flow/outbound/route.h"

namespace godwit::flow {

/// The site for what an operator wrote: "HOST:PORT" is SMTP; IPv6 addresses stand in square
/// brackets. Peer error when it is none of these.
Result<std::string> rerouted_site(std::string_view target);

/// Where such a site leads; nullopt for a site that is a domain.
std::optional<RelayHop> rerouted_hop(std::string_view site);

}  // namespace godwit::flow
