// Administrators' look at where mail goes: the connections of each set of hosts, what it may have,
// its pauses, and the addresses that do not answer. Of this process's memory: empty when no server
// runs, and after a restart until mail goes there.
#include <algorithm>
#include <ranges>
#include <string>

#include "base/ascii.h"
#include "flow/outbound/scheduler.h"
#include "serve/admin/calls.h"

namespace godwit::serve {
namespace {

using flow::DeadHost;
using flow::OutletState;

/// Of "mx1.example.net:25,mx2.example.net:25"; long lists are cut at their end.
bool names_host(std::string_view hosts, std::string_view host) {
    return std::ranges::any_of(hosts | std::views::split(','), [host](const auto& part) {
        const std::string_view one(part.begin(), part.end());
        return one == host || (one.starts_with(host) && one.substr(host.size()).starts_with(':'));
    });
}

/// Sorts as the outlets do: no name has an octet below it.
std::string page_key(const OutletState& state) {
    return state.hosts + '\x01' + state.source;
}

void write(JsonWriter& json, const OutletState& state, std::span<const DeadHost> dead,
           WallTime now) {
    json.begin_object().field("hosts", state.hosts).field("source", state.source);
    json.field("connections", state.in_flight).field("allowed", state.window);
    json.field("limit", state.limit).field("waiting", std::uint64_t{state.waiting});
    json.key("paused_until");
    state.paused_for ? json.string(show_time(
                           now + std::chrono::duration_cast<WallTime::duration>(*state.paused_for)))
                     : json.null();
    json.field("reason", state.reason).field("last_reply", state.last_reply);
    json.key("dead_hosts").begin_array();
    for (const DeadHost& one : dead) {
        if (names_host(state.hosts, one.host)) {
            json.begin_object().field("host", one.host).field("address", one.address.to_string());
            json.field(
                "until",
                show_time(now + std::chrono::duration_cast<WallTime::duration>(one.time_left)));
            json.end_object();
        }
    }
    json.end_array().end_object();
}

}  // namespace

Result<std::string> list_sites(const AdminHost& host, const AdminArguments& arguments) {
    const std::string site = to_lower(arguments.text_or("site", ""));
    Page page(arguments);
    if (host.services != nullptr && host.services->scheduler != nullptr) {
        flow::Outlets& outlets = host.services->scheduler->outlets();
        const std::vector<DeadHost> dead = outlets.dead_hosts();
        const std::string known = site.empty() ? "" : outlets.hosts_of(site);
        for (const OutletState& state : outlets.states()) {
            const bool is_meant =
                site.empty() || state.hosts == known || names_host(state.hosts, site);
            if (is_meant && page.admits(page_key(state))) {
                write(page.json(), state, dead, host.clock->wall());
            }
        }
    }
    return page.finish();
}

}  // namespace godwit::serve
