#include "flow/outbound/hop_walk.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/policy/relay_domains.h"
#include "mail/address/domain.h"

namespace godwit::flow {

namespace {

constexpr std::string_view kUnix = "unix:";

std::optional<net::IpAddress> address_from(const std::string& text) {
    const auto parsed = net::IpAddress::parse(text);
    return text.empty() || !parsed ? std::nullopt : std::optional(*parsed);
}

}  // namespace

HopWalk::HopWalk(const Services* services, RelayHop hop, const EgressSettings* egress,
                 Outlets* outlets)
    : services_(services),
      outlets_(outlets),
      settings_(services->settings()),
      hop_(std::move(hop)) {
    rules_ = {.allow_private = hop_.is_configured, .families = hop_.families};
    form_.is_lmtp = hop_.is_lmtp;
    form_.tls = hop_.host.starts_with(kUnix) ? RouteSettings::Tls::Never : hop_.tls;
    form_.username = hop_.username;
    form_.password = hop_.password;
    form_.token_file = hop_.token_file;
    if (egress != nullptr) {
        form_.source_v4 = address_from(egress->ipv4);
        form_.source_v6 = address_from(egress->ipv6);
        form_.hello = egress->hello;
        const bool is_any_named = form_.source_v4 || form_.source_v6;
        rules_.is_v4_possible = !is_any_named || form_.source_v4.has_value();
        rules_.is_v6_possible = !is_any_named || form_.source_v6.has_value();
    }
}

// We hold its mail for it: while DNS and routes name nobody better, it waits.
bool HopWalk::is_patient(std::string_view domain) const {
    return find_relay_domain(*settings_, domain) != nullptr;
}

HopAddress HopWalk::address_of(HostPort host, bool is_configured) const {
    HopAddress address = form_;
    address.host = std::move(host.host);
    address.port = host.port;
    address.is_configured = is_configured;
    return address;
}

net::Task<void> HopWalk::look_up_mx() {
    const std::string domain = hop_.host;
    if (const auto address = address_in_literal(domain)) {
        // RFC 5321 5.1: a literal is the host; no MX is asked for.
        hosts_.push_back({address_of({address->to_string(), hop_.port}, hop_.is_configured)});
        co_return;
    }
    const Result<net::MxAnswer> answer = co_await services_->resolver->mx(domain);
    if (!answer) {
        probe<"outbound.dns_silent">();
        refusal_ = smtp::make_reply(
            451, {4, 4, 3}, "DNS did not answer for " + domain + ": " + answer.error().text);
        co_return;
    }
    auto list = order_mx(*answer, domain, own_names(*settings_), services_->random->u64());
    if (!list) {
        refusal_ = std::move(list.error().reply);
        if (refusal_->enhanced == smtp::EnhancedStatus{5, 4, 6} && is_patient(domain)) {
            refusal_ = smtp::make_reply(451, {4, 4, 6}, refusal_->text);
        }
        may_fall_back_ = false;
        co_return;
    }
    may_fall_back_ = !list->includes_us;
    for (net::MxHost& host : list->hosts) {
        hosts_.push_back({.hop = address_of({std::move(host.host), hop_.port}, hop_.is_configured),
                          .preference = host.preference});
    }
    if (hosts_.empty()) {
        miss("No MX of " + domain + " is a host", {4, 4, 4});
    }
}

net::Task<void> HopWalk::look_up_srv() {
    const Result<net::SrvAnswer> answer = co_await services_->resolver->srv(hop_.host);
    if (!answer) {
        refusal_ = smtp::make_reply(
            451, {4, 4, 3}, "DNS did not answer for " + hop_.host + ": " + answer.error().text);
        co_return;
    }
    auto hosts = order_srv(*answer, hop_.host, services_->random->u64());
    if (!hosts) {
        refusal_ = std::move(hosts.error().reply);
        co_return;
    }
    for (HostPort& host : *hosts) {
        hosts_.push_back({address_of(std::move(host), true)});
    }
}

net::Task<void> HopWalk::look_up_hosts() {
    if (hop_.lookup == RouteSettings::Lookup::Address) {
        hosts_.push_back({address_of({hop_.host, hop_.port}, hop_.is_configured)});
        co_return;
    }
    if (services_->resolver == nullptr) {
        refusal_ = smtp::make_reply(451, {4, 4, 3}, "DNS look-ups are turned off");
        co_return;
    }
    if (hop_.lookup == RouteSettings::Lookup::Mx) {
        co_await look_up_mx();
    } else {
        co_await look_up_srv();
    }
}

net::Task<void> HopWalk::look_up() {
    co_await look_up_hosts();
    std::set<std::string> names;
    for (const Candidate& host : hosts_) {
        const bool is_smtp = host.hop.port == 25;
        names.insert(to_lower(host.hop.host) +
                     (is_smtp ? "" : ":" + std::to_string(host.hop.port)));
    }
    for (const std::string& name : names) {
        all_hosts_ += (all_hosts_.empty() ? "" : ",") + name;
    }
    if (all_hosts_.size() > outlet_hosts_size_max) {
        const std::size_t hash = std::hash<std::string>()(all_hosts_);
        all_hosts_.resize(outlet_hosts_size_max);
        all_hosts_ += "..." + std::to_string(hash);
    }
    cut_hosts();
}

std::vector<std::string> HopWalk::host_names() const {
    std::vector<std::string> names;
    for (const Candidate& host : hosts_) {
        names.push_back(host.hop.host);
    }
    return names;
}

net::Task<std::optional<HopAddress>> HopWalk::next_host(std::optional<HostPort> favoured) {
    if (!std::exchange(is_begun_, true)) {
        const auto open = std::ranges::find_if(hosts_, [&favoured](const Candidate& host) {
            return favoured == HostPort{host.hop.host, host.hop.port};
        });
        if (favoured && open != hosts_.end()) {
            std::rotate(hosts_.begin(), open, open + 1);
        }
    }
    if (next_ >= hosts_.size() && !begin_fallback()) {
        if (postponed_.empty()) {
            co_return std::nullopt;
        }
        hosts_ = std::exchange(postponed_, {});
        next_ = 0;
    }
    if (next_ > 0) {
        next_ + 1 == limits::outbound_hosts_max ? probe<"outbound.last_host">()
                                                : probe<"outbound.next_host">();
    }
    co_return hosts_[next_++].hop;
}

// As smtp_fallback_relay: when those before failed for now, never when the domain says no, nor when
// we are its MX ourselves (F6).
bool HopWalk::begin_fallback() {
    if (is_fallback_ || !may_fall_back_ || hop_.fallback.empty() ||
        (refusal_ && refusal_->is_permanent())) {
        return false;
    }
    probe<"outbound.fallback">();
    is_fallback_ = true;
    hosts_.clear();
    pass_over();
    next_ = 0;
    addresses_left_ = outbound_addresses_max;
    for (const HostPort& host : hop_.fallback) {
        hosts_.push_back({address_of(host, true)});
    }
    cut_hosts();
    rules_.allow_private = true;
    return true;
}

bool HopWalk::met_ourselves() {
    const bool is_best =
        !is_fallback_ && hosts_.front().preference == hosts_.at(next_ - 1).preference;
    may_fall_back_ = false;
    pass_over();
    next_ = hosts_.size();
    return is_best && !is_patient(hop_.host);
}

// Of those that are cut off nobody knows what they would take.
void HopWalk::cut_hosts() {
    if (hosts_.size() > limits::outbound_hosts_max) {
        has_passed_over_ = true;
        hosts_.resize(limits::outbound_hosts_max);
    }
}

void HopWalk::pass_over() {
    has_passed_over_ = has_passed_over_ || !postponed_.empty();
    postponed_.clear();
}

void HopWalk::miss(std::string text, smtp::EnhancedStatus status) {
    misses_ += misses_.empty() ? "" : "; ";
    misses_ += text;
    // What may pass by itself wins over what looks final.
    if (misses_.size() == text.size() || status.subject != 4 || status.detail != 4) {
        worst_miss_ = status;
    }
}

net::Task<std::vector<net::Endpoint>> HopWalk::endpoints(HopAddress host) {
    std::vector<net::Endpoint> out;
    std::vector<net::IpAddress> found;
    was_postponed_ = false;
    if (host.host.starts_with(kUnix)) {
        out.push_back(net::Endpoint::unix_path(host.host.substr(kUnix.size())));
        co_return out;
    }
    if (const auto address = net::IpAddress::parse(host.host)) {
        // F4: an MX that is an address is none, and is used all the same.
        found.push_back(*address);
    } else if (equals_ignore_case(host.host, "localhost")) {
        found.push_back(net::IpAddress::loopback_v4());
    } else if (services_->resolver == nullptr) {
        miss("DNS look-ups are turned off", {4, 4, 3});
        co_return out;
    } else {
        Result<net::AddressAnswer> answer = co_await services_->resolver->addresses(host.host);
        if (!answer) {
            miss(host.host + ": " + answer.error().text, {4, 4, 3});
            co_return out;
        }
        found = std::move(answer->addresses);
    }
    const std::vector<net::IpAddress> interfaces = services_->network->local_addresses();
    const bool is_ours = !host.is_configured && std::ranges::any_of(found, [&](const auto& each) {
        return is_own_door(*settings_, interfaces, net::Endpoint(each, host.port));
    });
    if (is_ours) {
        probe<"outbound.own_address">();
        const bool is_best = met_ourselves();
        refusal_ = is_best ? smtp::make_reply(550, {5, 4, 6},
                                              host.host + " is this server: mail loops back to it")
                           : smtp::make_reply(451, {4, 4, 6}, host.host + " is this server");
        co_return out;
    }
    rules_.allow_private = host.is_configured;
    auto chosen = choose_addresses(std::move(found), rules_);
    if (!chosen) {
        probe<"outbound.host_without_address">();
        switch (chosen.error()) {
            case Unusable::NoAddress: miss(host.host + " has no address", {4, 4, 4}); break;
            case Unusable::NotPublic:
                miss(host.host + " has no address that is publicly reachable", {4, 4, 4});
                break;
            case Unusable::OtherFamily:
                miss(host.host + " has only addresses of a kind that we do not send from",
                     {4, 4, 1});
                break;
        }
        co_return out;
    }
    const MonoTime now = outlets_->now();
    const bool is_dead = outlets_->hosts().with([&](HostCache& hosts) {
        return std::ranges::all_of(*chosen,
                                   [&](const auto& each) { return hosts.is_dead(each, now); });
    });
    if (is_dead && next_ < hosts_.size()) {
        probe<"outbound.dead_host_postponed">();
        postponed_.push_back(hosts_[next_ - 1]);
        was_postponed_ = true;
        co_return out;
    }
    const std::vector<net::IpAddress> order =
        outlets_->hosts().with([&](HostCache& hosts) { return hosts.order(*chosen, now); });
    for (const net::IpAddress& address : order) {
        if (addresses_left_ > 0) {
            --addresses_left_;
            out.emplace_back(address, host.port);
        }
    }
    co_return out;
}

smtp::Reply HopWalk::dead_end(Duration age) const {
    if (refusal_) {
        return *refusal_;
    }
    const bool is_final =
        worst_miss_ == smtp::EnhancedStatus{4, 4, 4} && age >= outbound_unroutable_patience;
    return smtp::make_reply(is_final ? 550 : 451,
                            is_final ? smtp::EnhancedStatus{5, 4, 4} : worst_miss_,
                            misses_.empty() ? "There is no host to send to" : misses_);
}

}  // namespace godwit::flow
