#include "flow/outbound/host_cache.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/probe.h"

namespace godwit::flow {

void HostCache::failed(const net::IpAddress& address, MonoTime now, std::string host) {
    const std::string key(address.bytes());
    const Dead* known = dead_.find(key);
    Dead dead;
    dead.time = std::clamp<Duration>(known != nullptr ? known->time * 2 : Duration(0),
                                     host_dead_min, host_dead_max);
    dead.until = now + dead.time;
    dead.host = std::move(host);
    dead.address = address;
    dead_.set(key, std::move(dead));
    keys_.insert(key);
    if (keys_.size() > 2 * hosts_dead_max) {
        std::erase_if(keys_, [this](const std::string& each) { return !dead_.find(each); });
    }
    Family& all = family(address);
    // One host that is down is no path that is broken, however often it is tried.
    if (all.last != address) {
        ++all.failures;
        all.last = address;
    }
    if (all.failures >= family_failures_max && all.broken_until <= now) {
        probe<"outbound.family_broken">();
        all.broken_until = now + family_dead_time;
    }
}

void HostCache::answered(const net::IpAddress& address) {
    dead_.erase(std::string(address.bytes()));
    family(address) = {};
}

bool HostCache::is_dead(const net::IpAddress& address, MonoTime now) {
    const Dead* known = dead_.find(std::string(address.bytes()));
    return known != nullptr && known->until > now;
}

std::vector<DeadHost> HostCache::dead(MonoTime now) {
    std::vector<DeadHost> all;
    for (const std::string& key : keys_) {
        const Dead* const known = dead_.find(key);
        if (known != nullptr && known->until > now) {
            all.push_back(
                {.host = known->host, .address = *known->address, .time_left = known->until - now});
        }
    }
    return all;
}

std::vector<net::IpAddress> HostCache::order(const std::vector<net::IpAddress>& found,
                                             MonoTime now) {
    std::vector<net::IpAddress> sorted;
    for (const bool is_broken : {false, true}) {
        std::ranges::copy_if(found, std::back_inserter(sorted), [&](const net::IpAddress& each) {
            return (family(each).broken_until > now) == is_broken;
        });
    }
    std::vector<net::IpAddress> alive;
    std::ranges::copy_if(sorted, std::back_inserter(alive),
                         [this, now](const net::IpAddress& each) { return !is_dead(each, now); });
    if (!alive.empty() && alive.size() < sorted.size()) {
        probe<"outbound.dead_host_passed">();
    }
    return alive.empty() ? sorted : alive;
}

}  // namespace godwit::flow
