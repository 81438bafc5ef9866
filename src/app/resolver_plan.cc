#include "app/resolver_plan.h"

#include "app/file.h"
#include "net/io/endpoint.h"

namespace godwit::app {
namespace {

using Dnssec = flow::ResolverSettings::Dnssec;

// libunbound's way of writing it; a server on loopback must be allowed for.
Result<std::string> server_of(const std::string& text, net::UnboundResolver::Options& options) {
    const net::Endpoint server = TRY(net::Endpoint::parse(text));
    options.query_localhost = options.query_localhost || server.is_loopback();
    return server.address().to_string() + "@" + std::to_string(server.port());
}

}  // namespace

Result<net::UnboundResolver::Options> resolver_options(const flow::Settings& settings,
                                                       bool is_validating) {
    const flow::ResolverSettings& wanted = settings.resolver;
    net::UnboundResolver::Options options;
    for (const std::string& text : wanted.forward_to) {
        options.forwarders.push_back(TRY(server_of(text, options)));
    }
    options.use_resolv_conf = options.forwarders.empty() && !wanted.is_recursive;
    options.root_hints_file = wanted.root_hints_file;
    for (const flow::ZoneSettings& zone : settings.zones) {
        for (const std::string& text : zone.servers) {
            options.stubs.push_back({zone.domain, TRY(server_of(text, options))});
        }
        if (zone.is_unsigned && is_validating) {
            options.insecure_zones.push_back(zone.domain);
        }
    }
    if (!is_validating) {
        return options;
    }
    options.trust_anchor_files = wanted.trust_anchor_files;
    if (options.trust_anchor_files.empty() && file_exists(std::string(kSystemAnchorFile))) {
        options.trust_anchor_files.emplace_back(kSystemAnchorFile);
    } else if (options.trust_anchor_files.empty()) {
        options.trust_anchors = net::root_trust_anchors();
    }
    return options;
}

Result<MadeResolver> make_resolver(const flow::Settings& settings, net::Shard* home) {
    const Dnssec dnssec = settings.resolver.dnssec;
    std::unique_ptr<net::Resolver> validating;
    std::unique_ptr<net::Resolver> plain;
    if (dnssec != Dnssec::Off) {
        validating = TRY(net::UnboundResolver::create(home, TRY(resolver_options(settings, true))));
    }
    if (dnssec != Dnssec::Required) {
        plain = TRY(net::UnboundResolver::create(home, TRY(resolver_options(settings, false))));
    }
    if (!validating || !plain) {
        return MadeResolver{validating ? std::move(validating) : std::move(plain), nullptr};
    }
    auto deciding =
        std::make_unique<net::ValidatingResolver>(std::move(validating), std::move(plain));
    const net::ValidatingResolver* const raw = deciding.get();
    return MadeResolver{std::move(deciding), raw};
}

std::string dnssec_status(const flow::Settings& settings, const MadeResolver& made) {
    if (made.resolver == nullptr || settings.resolver.dnssec == Dnssec::Off) {
        return "off";
    }
    if (made.deciding == nullptr) {
        return "required";
    }
    std::string text(net::to_string(made.deciding->state()));
    if (made.deciding->state() == net::DnssecState::Unvalidated) {
        text += ": the DNS servers strip signatures, so that DANE is not used";
    }
    return text;
}

}  // namespace godwit::app
