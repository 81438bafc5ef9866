#include "flow/outbound/reroute.h"

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/address/domain.h"

namespace godwit::flow {

namespace {

struct Target {
    std::string_view host;
    std::uint16_t port = 0;
};

// "mx.example.net:25", "[2001:db8::1]:25".
std::optional<Target> split_host_port(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    const auto port = parse_u32(text.substr(colon + 1));
    std::string_view host = text.substr(0, colon);
    const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
    if (is_bracketed) {
        host = host.substr(1, host.size() - 2);
    }
    const bool is_clean =
        host.find_first_not_of(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:") ==
        std::string_view::npos;
    if (!port || *port == 0 || *port > 65535 || host.empty() || !is_clean ||
        (host.find(':') != std::string_view::npos && !is_bracketed)) {
        return std::nullopt;
    }
    return Target{host, static_cast<std::uint16_t>(*port)};
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
        const std::string host(to->host);
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
    hop.host = to->host;
    hop.port = to->port;
    hop.is_lmtp = is_lmtp;
    return hop;
}

}  // namespace godwit::flow
