#include "flow/policy/relay_domains.h"

#include <algorithm>

#include "base/ascii.h"
#include "flow/policy/domain_pattern.h"
#include "flow/policy/networks.h"

namespace godwit::flow {

const RelayDomainSettings* find_relay_domain(const Settings& settings, std::string_view domain) {
    return find_by_domain(settings.relay_domains, domain);
}

bool is_asked_downstream(const Settings& settings, std::string_view domain) {
    const RelayDomainSettings* const relay = find_relay_domain(settings, domain);
    return relay != nullptr && relay->verify;
}

bool is_kept_for_request(const Settings& settings, std::string_view domain) {
    const RelayDomainSettings* const relay = find_relay_domain(settings, domain);
    return relay != nullptr && relay->hold;
}

bool may_exist(const RelayDomainSettings& relay, const mail::Address& address) {
    if (relay.recipients.empty() || equals_ignore_case(address.local, "postmaster")) {
        return true;
    }
    const std::string name = address.to_string();
    return std::ranges::any_of(relay.recipients, [&name](const std::string& known) {
        return equals_ignore_case(known, name);
    });
}

std::string MailAsker::name() const {
    return !account.empty() ? account : peer.is_unix() ? "local" : peer.address().to_string();
}

bool may_ask_for(const Settings& settings, const RelayDomainSettings& relay,
                 const MailAsker& asker) {
    if (!asker.takes_it && is_in(relay.networks, asker.peer)) {
        return true;
    }
    return !asker.account.empty() &&
           std::ranges::any_of(relay.accounts, [&](const std::string& named) {
               const bool is_whole = named.find('@') != std::string::npos;
               return equals_ignore_case(is_whole ? named : named + "@" + settings.default_domain,
                                         asker.account);
           });
}

bool may_ask_from(const Settings& settings, const net::Endpoint& peer) {
    return std::ranges::any_of(settings.relay_domains,
                               [&peer](const auto& relay) { return is_in(relay.networks, peer); });
}

bool may_users_ask(const Settings& settings) {
    return std::ranges::any_of(settings.relay_domains,
                               [](const auto& relay) { return !relay.accounts.empty(); });
}

std::chrono::seconds lifetime_of(const Settings& settings, std::string_view domain) {
    const RelayDomainSettings* const relay = find_relay_domain(settings, domain);
    return relay != nullptr ? relay->lifetime : settings.retry.lifetime;
}

}  // namespace godwit::flow
