#include "flow/outbound/survey.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "flow/forward/return_address.h"
#include "flow/outbound/hop_walk.h"
#include "flow/outbound/operator_desk.h"
#include "flow/outbound/providers.h"
#include "flow/outbound/scheduler.h"
#include "flow/policy/relay_domains.h"
#include "flow/read.h"

namespace godwit::flow {
namespace {

net::Task<SurveyProbe> probe_address(const Services* services, HopAddress hop, net::Endpoint at,
                                     SurveyQuestion question) {
    SurveyProbe said;
    said.tls = wanted_tls(hop);
    auto session = co_await RemoteSession::open(services, std::move(hop), std::move(at));
    if (!session) {
        said.outcome = std::move(session.error());
        co_return said;
    }
    said.peer = (*session)->peer_name();
    said.tls = (*session)->tls();
    said.outcome = co_await (*session)->ask(question.sender, std::move(question.address));
    co_await (*session)->close();
    co_return said;
}

// A host that was passed over as dead comes again at the end; it is listed where it has addresses.
void add_host(std::vector<SurveyedHost>* hosts, SurveyedHost host) {
    std::erase_if(*hosts, [&host](const SurveyedHost& each) {
        return each.addresses.empty() && each.hop.host == host.hop.host &&
               each.hop.port == host.hop.port;
    });
    hosts->push_back(std::move(host));
}

net::Task<void> visit_hosts(const Services* services, SurveyedRoute* out, HopWalk* walk,
                            SurveyQuestion question) {
    question.address = out->address;
    while (auto hop = co_await walk->next_host(std::nullopt)) {
        SurveyedHost host;
        host.preference = walk->preference();
        host.is_fallback = walk->is_fallback();
        co_await decide_hop_tls(services, &*hop, to_lower(out->address.domain), TlsWish::Usual);
        hop->policy->accounting.reset();  // No mail: nothing to report.
        host.hop = *std::move(hop);
        const std::vector<net::Endpoint> endpoints = co_await walk->endpoints(host.hop);
        for (const net::Endpoint& at : endpoints) {
            SurveyedAddress& address = host.addresses.emplace_back(at);
            if (question.probes) {
                address.probe = co_await probe_address(services, host.hop, at, question);
            }
        }
        add_host(&out->hosts, std::move(host));
    }
    const bool has_address = std::ranges::any_of(
        out->hosts, [](const SurveyedHost& host) { return !host.addresses.empty(); });
    if (!has_address) {
        out->dead_end = walk->dead_end(Duration{});
    }
}

void note_orders(const Services* services, SurveyedRoute* out, const std::string& sender) {
    if (services->operators == nullptr) {
        return;
    }
    const auto table = services->operators->suspensions();
    if (const Suspension* found =
            table->of(to_lower(out->address.domain), sender, services->clock->wall())) {
        out->suspension = *found;
    }
}

net::Task<SurveyedRoute> survey_route(const Services* services, mail::Address address,
                                      SurveyQuestion question) {
    const SettingsPtr settings = services->settings();
    SurveyedRoute out;
    out.address = std::move(address);
    const std::string domain = to_lower(out.address.domain);
    const std::string recipient = out.address.to_string();
    const RouteQueryView query{.domain = domain, .recipient = recipient, .sender = question.sender};
    if (const RouteSettings* route = find_route(*settings, query)) {
        out.route = name_of(*route);
    }
    out.hop = decide_next_hop(*settings, query);
    out.is_kept_for_request = is_kept_for_request(*settings, domain);
    note_orders(services, &out, question.sender);
    const auto* relay = std::get_if<RelayHop>(&out.hop);
    if (relay == nullptr) {
        co_return out;
    }
    const EgressSettings* egress =
        choose_egress(*settings, relay->egress, question.sender, MailId{});
    out.source = egress != nullptr ? egress->name : "";
    out.hello = egress != nullptr && !egress->hello.empty() ? egress->hello : settings->hostname;
    Outlets& outlets = services->scheduler->outlets();
    HopWalk walk(services, *relay, egress, &outlets);
    co_await walk.look_up();
    const std::optional<ProviderBounds> provider = find_provider(*settings, walk.host_names());
    out.provider = provider ? provider->name : "";
    out.connections_max = connections_max(*settings, provider ? &*provider : nullptr);
    for (OutletState& state : outlets.states()) {
        if (state.hosts == walk.hosts() && state.source == out.source) {
            out.outlet = std::move(state);
        }
    }
    co_await visit_hosts(services, &out, &walk, std::move(question));
    co_return out;
}

}  // namespace

net::Task<Result<Survey>> survey(const Services* services, SurveyQuestion question) {
    const mail::Address address = question.address;
    const ReturnContext context = return_context(services);
    store::Recipient found = CO_TRY(
        co_await read(services,
                      [address, context](const store::Snapshot& snapshot,
                                         store::ReadTier tier) -> Result<store::Recipient> {
                          return TRY(resolve_returned(snapshot, tier, address, context)).recipient;
                      }));
    Survey out;
    out.verdict = found.verdict;
    if (found.verdict == store::RecipientVerdict::NotLocal) {
        found.targets = {store::RemoteTarget{address}};
    }
    for (store::Target& target : found.targets) {
        if (auto* local = std::get_if<store::LocalTarget>(&target)) {
            out.local.push_back(std::move(*local));
            continue;
        }
        if (++out.remote_count <= survey_targets_max) {
            mail::Address remote = std::get<store::RemoteTarget>(std::move(target)).address;
            out.remote.push_back(co_await survey_route(services, std::move(remote), question));
        }
    }
    co_return out;
}

}  // namespace godwit::flow
