#include "flow/outbound/route.h"

#include <algorithm>
#include <utility>

#include "base/probe.h"
#include "flow/outbound/reroute.h"
#include "mail/address/domain.h"

namespace godwit::flow {

namespace {

NextHop hop_of(const RouteSettings& route) {
    switch (route.kind) {
        case RouteSettings::Kind::Discard: return DiscardHop{};
        case RouteSettings::Kind::Hold: return HoldHop{"by the route for " + route.domain};
        case RouteSettings::Kind::Smtp:
        case RouteSettings::Kind::Lmtp: break;
    }
    return RelayHop{.host = route.host,
                    .port = route.port,
                    .is_lmtp = route.kind == RouteSettings::Kind::Lmtp,
                    .tls = route.tls,
                    .username = route.username,
                    .password = route.password};
}

// How specific a route is for the domain; 0 when it does not match.
std::size_t fitness(const RouteSettings& route, std::string_view domain) {
    if (equals_ignore_case(route.domain, domain)) {
        return limits::domain_size_max + 2;
    }
    if (route.domain == "*") {
        return 1;
    }
    if (route.domain.starts_with("*.") &&
        ends_with_ignore_case(domain, std::string_view(route.domain).substr(1))) {
        return route.domain.size();
    }
    return 0;
}

}  // namespace

NextHop decide_next_hop(const Settings& settings, std::string_view domain) {
    if (const auto rerouted = rerouted_hop(domain)) {
        return *rerouted;
    }
    const RouteSettings* best = nullptr;
    std::size_t best_fitness = 0;
    for (const RouteSettings& route : settings.routes) {
        const std::size_t fits = fitness(route, domain);
        if (fits > best_fitness) {
            best = &route;
            best_fitness = fits;
        }
    }
    if (best != nullptr) {
        return hop_of(*best);
    }
    if (settings.resolver.is_off) {
        return HoldHop{"no route for " + std::string(domain) + ", and look-ups are off"};
    }
    return MxHop{std::string(domain)};
}

std::expected<std::vector<std::string>, MxFailure> order_mx(const net::MxAnswer& answer,
                                                            std::string_view domain,
                                                            std::string_view own_name,
                                                            std::uint64_t chance) {
    const auto failure = [](std::uint16_t code, smtp::EnhancedStatus status, std::string text) {
        return std::unexpected(MxFailure{smtp::make_reply(code, status, std::move(text))});
    };
    const std::string name(domain);
    if (answer.is_null_mx) {
        probe<"outbound.null_mx">();
        return failure(556, {5, 1, 10}, name + " takes no mail (null MX)");
    }
    if (answer.outcome == net::DnsOutcome::NxDomain) {
        probe<"outbound.no_domain">();
        return failure(550, {5, 1, 2}, "There is no domain " + name);
    }
    if (answer.outcome == net::DnsOutcome::NoData) {
        // RFC 5321 5.1: without MX the domain itself is the exchanger.
        probe<"outbound.no_mx">();
        return std::vector<std::string>{name};
    }
    std::vector<net::MxHost> hosts = answer.hosts;
    std::ranges::sort(hosts, {}, [chance](const net::MxHost& host) {
        return std::pair(host.preference, std::hash<std::string>()(host.host) ^ chance);
    });
    std::vector<std::string> names;
    bool is_ours_seen = false;
    std::uint16_t own_preference = 0;
    for (const net::MxHost& host : hosts) {
        if (equals_ignore_case(host.host, own_name)) {
            is_ours_seen = true;
            own_preference = host.preference;
            break;
        }
    }
    for (const net::MxHost& host : hosts) {
        if (is_ours_seen && host.preference >= own_preference) {
            break;
        }
        if (!host.host.empty() && host.host != "localhost") {
            names.push_back(host.host);
        }
    }
    if (names.empty()) {
        return is_ours_seen
                   ? failure(550, {5, 4, 6}, "Mail for " + name + " loops back to this server")
                   : failure(451, {4, 4, 4}, "No usable MX for " + name);
    }
    return names;
}

net::Task<std::expected<std::vector<std::string>, MxFailure>> find_mx(const Services* services,
                                                                      std::string domain) {
    if (mail::is_address_literal(domain)) {
        // RFC 5321 5.1: a literal is the host; no MX is asked for.
        std::string inside = domain.substr(1, domain.size() - 2);
        if (starts_with_ignore_case(inside, "IPv6:")) {
            inside.erase(0, 5);
        }
        co_return std::vector<std::string>{inside};
    }
    if (services->resolver == nullptr) {
        co_return std::unexpected(
            MxFailure{smtp::make_reply(451, {4, 4, 3}, "DNS look-ups are turned off")});
    }
    const Result<net::MxAnswer> answer = co_await services->resolver->mx(domain);
    if (!answer) {
        probe<"outbound.dns_silent">();
        co_return std::unexpected(MxFailure{smtp::make_reply(
            451, {4, 4, 3}, "DNS did not answer for " + domain + ": " + answer.error().text)});
    }
    co_return order_mx(*answer, domain, services->settings()->hostname, services->random->u64());
}

}  // namespace godwit::flow
