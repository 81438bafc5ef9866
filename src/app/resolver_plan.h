// The resolver that the settings ask for.
#pragma once

#include <memory>
#include <string>

#include "flow/settings.h"
#include "net/resolver/unbound_resolver.h"
#include "net/resolver/validating_resolver.h"

namespace godwit::app {

/// Where Debian's package dns-root-data keeps the root's keys.
inline constexpr std::string_view kSystemAnchorFile = "/usr/share/dns/root.key";

/// What libunbound is told; without the trust anchors when `is_validating` is false. Errors: an
/// address that is none.
Result<net::UnboundResolver::Options> resolver_options(const flow::Settings& settings,
                                                       bool is_validating);

struct MadeResolver {
    std::unique_ptr<net::Resolver> resolver;
    /// The same one, where it decides by itself; null with resolver.dnssec required or off.
    const net::ValidatingResolver* deciding = nullptr;
};
/// `home` outlives it. See net::UnboundResolver::create.
Result<MadeResolver> make_resolver(const flow::Settings& settings, net::Shard* home);

/// For `godwit status`: "validating", "unvalidated: ..." ...
std::string dnssec_status(const flow::Settings& settings, const MadeResolver& made);

}  // namespace godwit::app
