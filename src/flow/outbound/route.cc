#include "flow/outbound/route.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/ascii.h"
#include "base/probe.h"
#include "flow/outbound/reroute.h"
#include "flow/policy/domain_pattern.h"
#include "mail/address/domain.h"
#include "net/dial/dial.h"
#include "store/queue/queue.h"

namespace godwit::flow {

namespace {

constexpr std::string_view kNoRoute = "no route for ";

// An address says more than any domain.
constexpr std::size_t kWhole = domain_fitness_exact + 1;

std::string_view domain_of(std::string_view address) {
    return address.substr(address.rfind('@') + 1);
}

std::size_t recipient_fitness(const RouteSettings& route, const RouteQueryView& query) {
    if (!route.recipient.empty()) {
        return equals_ignore_case(route.recipient, query.recipient) ? kWhole : 0;
    }
    return route.domain.empty() ? 1 : domain_fitness(route.domain, query.domain);
}

std::size_t sender_fitness(const RouteSettings& route, std::string_view sender) {
    if (route.sender.empty()) {
        return 1;
    }
    if (route.sender == "<>") {
        return sender.empty() ? kWhole : 0;
    }
    if (route.sender.find('@') != std::string::npos) {
        return equals_ignore_case(route.sender, sender) ? kWhole : 0;
    }
    return sender.empty() ? 0 : domain_fitness(route.sender, domain_of(sender));
}

Families families_of(const Settings& settings, Families wanted) {
    const Families chosen = wanted == Families::Default ? settings.outbound.families : wanted;
    return chosen == Families::Default ? Families::Balanced : chosen;
}

std::vector<HostPort> hosts_of(const std::vector<std::string>& texts, std::uint16_t port) {
    std::vector<HostPort> hosts;
    for (const std::string& text : texts) {
        if (auto host = parse_host_port(text, port)) {
            hosts.push_back(*std::move(host));
        }
    }
    return hosts;
}

NextHop hop_of(const Settings& settings, const RouteSettings& route, std::string_view domain) {
    switch (route.kind) {
        case RouteSettings::Kind::Discard: return DiscardHop{};
        case RouteSettings::Kind::Hold: return HoldHop{"by the route for " + name_of(route)};
        case RouteSettings::Kind::Smtp:
        case RouteSettings::Kind::Lmtp: break;
    }
    const bool is_by_domain = route.host.empty();
    if (is_by_domain && settings.resolver.is_off) {
        return HoldHop{std::string(kNoRoute) + std::string(domain) + ": that for " +
                       name_of(route) + " needs MX, and look-ups are off"};
    }
    const auto& fallback =
        is_by_domain && route.fallback.empty() ? settings.outbound.fallback : route.fallback;
    return RelayHop{.lookup = route.lookup,
                    .host = is_by_domain ? std::string(domain) : route.host,
                    .port = route.port,
                    .is_lmtp = route.kind == RouteSettings::Kind::Lmtp,
                    .tls = route.tls,
                    .username = route.username,
                    .password = route.password,
                    .token_file = route.token_file,
                    .is_configured = !is_by_domain,
                    .fallback = hosts_of(fallback, route.port),
                    .egress = route.egress,
                    .families = families_of(settings, route.families)};
}

bool is_egress_for(const EgressSettings& egress, std::string_view sender) {
    return std::ranges::any_of(egress.sender_domains, [sender](const std::string& pattern) {
        return !sender.empty() && domain_fitness(pattern, domain_of(sender)) > 0;
    });
}

std::unexpected<MxFailure> failure(std::uint16_t code, smtp::EnhancedStatus status,
                                   std::string text) {
    return std::unexpected(MxFailure{smtp::make_reply(code, status, std::move(text))});
}

// A number that differs for each name and chance.
std::uint64_t lot(std::string_view name, std::uint64_t chance) {
    return std::hash<std::string>()(std::string(name) + std::to_string(chance));
}

}  // namespace

std::optional<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port) {
    HostPort out{.host = std::string(text), .port = default_port};
    const std::size_t colon = text.rfind(':');
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        out.host = text.substr(1, end - 1);
        if (!mail::is_ipv6(out.host) || (end + 1 != text.size() && end + 1 != colon)) {
            return std::nullopt;
        }
    } else if (colon != std::string_view::npos && !mail::is_ipv6(text)) {
        out.host = text.substr(0, colon);
    }
    const bool has_port = colon != std::string_view::npos && !mail::is_ipv6(text) &&
                          (!text.starts_with('[') || text.find(']') < colon);
    if (has_port) {
        const auto port = parse_u32(text.substr(colon + 1));
        if (!port || *port == 0 || *port > 65535) {
            return std::nullopt;
        }
        out.port = static_cast<std::uint16_t>(*port);
    }
    if (!mail::is_ipv4(out.host) && !mail::is_ipv6(out.host) && !mail::normalize_domain(out.host)) {
        return std::nullopt;
    }
    return out;
}

std::string name_of(const RouteSettings& route) {
    std::string name = !route.recipient.empty() ? route.recipient
                       : route.domain.empty()   ? "*"
                                                : route.domain;
    return route.sender.empty() ? name : name + " from " + route.sender;
}

const RouteSettings* find_route(const Settings& settings, const RouteQueryView& query) {
    if (query.domain == store::local_site || rerouted_hop(query.domain)) {
        return nullptr;
    }
    const RouteSettings* best = nullptr;
    std::pair<std::size_t, std::size_t> best_fitness{0, 0};
    for (const RouteSettings& route : settings.routes) {
        const std::pair fits(recipient_fitness(route, query), sender_fitness(route, query.sender));
        if (fits.first > 0 && fits.second > 0 && fits > best_fitness) {
            best = &route;
            best_fitness = fits;
        }
    }
    return best;
}

NextHop decide_next_hop(const Settings& settings, const RouteQueryView& query) {
    if (query.domain == store::local_site) {
        return RelayHop{.host = std::string(query.domain)};  // No domain: no route is meant by it.
    }
    if (auto rerouted = rerouted_hop(query.domain)) {
        return *std::move(rerouted);
    }
    const RouteSettings* const best = find_route(settings, query);
    if (best != nullptr) {
        return hop_of(settings, *best, query.domain);
    }
    if (settings.resolver.is_off) {
        return HoldHop{std::string(kNoRoute) + std::string(query.domain) +
                       ", and look-ups are off"};
    }
    return RelayHop{.lookup = RouteSettings::Lookup::Mx,
                    .host = std::string(query.domain),
                    .username = "",
                    .password = "",
                    .fallback = hosts_of(settings.outbound.fallback, 25),
                    .egress = {},
                    .families = families_of(settings, Families::Default)};
}

bool is_for_lack_of_route(std::string_view held_reason) {
    return held_reason.starts_with(kNoRoute);
}

bool discards_all(const Settings& settings, std::string_view domain) {
    if (domain == store::local_site || rerouted_hop(domain)) {
        return false;
    }
    std::size_t best = 0;
    bool is_discard = false;
    for (const RouteSettings& route : settings.routes) {
        if (!route.recipient.empty()) {
            if (equals_ignore_case(domain_of(route.recipient), domain)) {
                return false;
            }
            continue;
        }
        const std::size_t fits = route.domain.empty() ? 1 : domain_fitness(route.domain, domain);
        const bool is_one = route.kind == RouteSettings::Kind::Discard && route.sender.empty();
        if (fits > best) {
            best = fits;
            is_discard = is_one;
        } else if (fits == best && fits > 0) {
            is_discard = is_discard && is_one;
        }
    }
    return is_discard;
}

const EgressSettings* choose_egress(const Settings& settings, const std::vector<std::string>& named,
                                    std::string_view sender, MailId mail) {
    const bool has_own = std::ranges::any_of(settings.egress, [sender](const EgressSettings& each) {
        return is_egress_for(each, sender);
    });
    const EgressSettings* chosen = nullptr;
    std::uint64_t highest = 0;
    for (const EgressSettings& each : settings.egress) {
        const bool fits = !named.empty() ? std::ranges::find(named, each.name) != named.end()
                          : has_own      ? is_egress_for(each, sender)
                                         : each.sender_domains.empty();
        // The highest lot of all that fit: one more or less moves its own share alone.
        if (const std::uint64_t drawn = lot(each.name, mail.value());
            fits && (chosen == nullptr || drawn > highest)) {
            chosen = &each;
            highest = drawn;
        }
    }
    return chosen;
}

std::expected<HostList, MxFailure> order_mx(const net::MxAnswer& answer, std::string_view domain,
                                            const std::vector<std::string>& own_names,
                                            std::uint64_t chance) {
    const std::string name(domain);
    if (answer.is_null_mx) {
        probe<"outbound.null_mx">();
        return failure(556, {5, 1, 10}, name + " takes no mail (null MX)");
    }
    if (answer.outcome == net::DnsOutcome::NxDomain) {
        probe<"outbound.no_domain">();
        return failure(550, {5, 1, 2}, "There is no domain " + name);
    }
    HostList list;
    if (answer.outcome == net::DnsOutcome::NoData) {
        // RFC 5321 5.1: without MX the domain itself is the exchanger.
        probe<"outbound.no_mx">();
        list.hosts.push_back({.preference = 0, .host = name});
    } else {
        list.hosts = answer.hosts;
    }
    std::ranges::sort(list.hosts, {}, [chance](const net::MxHost& host) {
        return std::pair(host.preference, lot(host.host, chance));
    });
    const auto ours = std::ranges::find_if(list.hosts, [&own_names](const net::MxHost& host) {
        return std::ranges::any_of(own_names, [&host](const std::string& own) {
            return equals_ignore_case(own, host.host);
        });
    });
    if (ours != list.hosts.end()) {
        list.includes_us = true;
        const std::uint16_t own_preference = ours->preference;
        std::erase_if(list.hosts, [own_preference](const net::MxHost& host) {
            return host.preference >= own_preference;
        });
        if (list.hosts.empty()) {
            return failure(550, {5, 4, 6}, "Mail for " + name + " loops back to this server");
        }
    }
    std::erase_if(list.hosts, [](const net::MxHost& host) {
        return host.host.empty() || host.host == "localhost";  // F5
    });
    return list;
}

std::expected<std::vector<HostPort>, MxFailure> order_srv(const net::SrvAnswer& answer,
                                                          std::string_view owner,
                                                          std::uint64_t chance) {
    const std::string name(owner);
    std::vector<net::SrvHost> left = answer.hosts;
    // RFC 2782: a lone "." says that there is no such service. An administrator named it: that may
    // change.
    std::erase_if(left, [](const net::SrvHost& host) { return host.host.empty(); });
    if (left.empty()) {
        return failure(451, {4, 4, 4}, "There is no SRV record of " + name);
    }
    std::ranges::sort(left);
    std::vector<HostPort> order;
    while (!left.empty()) {
        const auto end = std::ranges::find_if(left, [&left](const net::SrvHost& host) {
            return host.priority != left.front().priority;
        });
        // RFC 2782 "Weight": one in proportion to its weight; those of weight 0 have a small
        // chance.
        std::uint64_t total = 0;
        for (auto at = left.begin(); at != end; ++at) {
            total += std::uint64_t{at->weight} * 16 + 1;
        }
        std::uint64_t drawn = lot(name, chance + order.size()) % total;
        auto chosen = left.begin();
        while (drawn >= std::uint64_t{chosen->weight} * 16 + 1) {
            drawn -= std::uint64_t{chosen->weight} * 16 + 1;
            ++chosen;
        }
        order.push_back({.host = chosen->host, .port = chosen->port});
        left.erase(chosen);
    }
    return order;
}

std::vector<std::string> own_names(const Settings& settings) {
    std::vector<std::string> names = {settings.hostname};
    for (const EgressSettings& egress : settings.egress) {
        if (!egress.hello.empty()) {
            names.push_back(egress.hello);
        }
    }
    return names;
}

std::optional<net::IpAddress> address_in_literal(std::string_view domain) {
    if (!mail::is_address_literal(domain)) {
        return std::nullopt;
    }
    constexpr std::string_view kSix = "IPv6:";
    std::string_view inside = domain.substr(1, domain.size() - 2);
    inside.remove_prefix(starts_with_ignore_case(inside, kSix) ? kSix.size() : 0);
    const auto parsed = net::IpAddress::parse(inside);
    return parsed ? std::optional(*parsed) : std::nullopt;
}

bool is_own_door(const Settings& settings, const std::vector<net::IpAddress>& interfaces,
                 const net::Endpoint& at) {
    for (const ListenerSettings& listener : settings.listeners) {
        const auto door = net::Endpoint::parse(listener.address);
        if (listener.protocol != Protocol::Smtp || !door || door->is_unix() ||
            door->port() != at.port()) {
            continue;
        }
        if (door->address() == at.address() ||
            (door->address().is_any() &&
             std::ranges::find(interfaces, at.address()) != interfaces.end())) {
            return true;
        }
    }
    return at.port() == 25 &&
           std::ranges::any_of(settings.outbound.own_addresses, [&at](const std::string& own) {
               const auto address = net::IpAddress::parse(own);
               return address && *address == at.address();
           });
}

std::expected<std::vector<net::IpAddress>, Unusable> choose_addresses(
    std::vector<net::IpAddress> found, const AddressRules& rules) {
    if (found.empty()) {
        return std::unexpected(Unusable::NoAddress);
    }
    if (!rules.allow_private) {
        std::erase_if(found, [](const net::IpAddress& address) { return !address.is_global(); });
    }
    if (found.empty()) {
        return std::unexpected(Unusable::NotPublic);
    }
    std::erase_if(found, [&rules](const net::IpAddress& address) {
        return address.is_v4() ? !rules.is_v4_possible || rules.families == Families::Ipv6
                               : !rules.is_v6_possible || rules.families == Families::Ipv4;
    });
    if (found.empty()) {
        return std::unexpected(Unusable::OtherFamily);
    }
    const std::vector<net::IpAddress> balanced = net::dial_order(found);
    if (rules.families != Families::Ipv4First && rules.families != Families::Ipv6First) {
        return balanced;
    }
    std::vector<net::IpAddress> order;
    const bool is_v4_first = rules.families == Families::Ipv4First;
    std::ranges::copy_if(balanced, std::back_inserter(order),
                         [&](const auto& each) { return each.is_v4() == is_v4_first; });
    std::ranges::copy_if(balanced, std::back_inserter(order),
                         [&](const auto& each) { return each.is_v4() != is_v4_first; });
    return order;
}

}  // namespace godwit::flow
