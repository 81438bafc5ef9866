#include "flow/outbound/reroute.h"

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/address/domain.h"

namespace godwit::flow {

namespace {

// "mx.example.net:25", "[2001:db8::1]:25"; the port is stated.
std::optional<HostPort> split_host_port(std::string_view text) {
    std::optional<HostPort> to = parse_host_port(text, 0);
    return to && to->port != 0 ? to : std::nullopt;
}

}  // namespace

Result<std::string> rerouted_site(std::string_view target) {
    const auto wrong = [target] {
        return peer_error(ErrorCode::Invalid,
                          "expected HOST:PORT, lmtp:HOST:PORT or a domain, found '" +
                              std::string(target.substr(0, limits::domain_size_max)) + "'");
    };
    const bool is_lmtp = starts_with_ignore_case(target, "lmtp:");
    const bool is_named = is_lmtp || starts_with_ignore_case(target, "smtp:");
    const std::string_view rest = is_named ? target.substr(5) : target;
    if (const auto to = split_host_port(rest)) {
        const std::string& host = to->host;
        const bool is_v6 = host.find(':') != std::string::npos;
        std::string site = std::string(is_lmtp ? "lmtp:" : "smtp:") +
                           to_lower(is_v6 ? "[" + host + "]" : host) + ":" +
                           std::to_string(to->port);
        return site.size() <= limits::domain_size_max ? Result<std::string>(std::move(site))
                                                      : wrong();
    }
    const auto domain = mail::normalize_domain(target);
    if (is_named || !domain) {
        return wrong();
    }
    return *domain;
}

std::optional<RelayHop> rerouted_hop(std::string_view site) {
    const bool is_lmtp = site.starts_with("lmtp:");
    if (!is_lmtp && !site.starts_with("smtp:")) {
        return std::nullopt;
    }
    const auto to = split_host_port(site.substr(5));
    if (!to) {
        return std::nullopt;
    }
    RelayHop hop;
    hop.lookup = RouteSettings::Lookup::Address;
    hop.is_configured = true;
    hop.host = to->host;
    hop.port = to->port;
    hop.is_lmtp = is_lmtp;
    return hop;
}

}  // namespace godwit::flow
