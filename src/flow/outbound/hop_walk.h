// The hosts of a next hop and their addresses, best first, looked up as they are needed.
// RFC 5321 5.1; SMTP-BEHAVIOUR.md F2-F9, G12.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flow/outbound/outlets.h"
#include "flow/outbound/remote.h"
#include "flow/outbound/route.h"
#include "flow/services.h"
#include "net/io/task.h"

namespace godwit::flow {

/// F5: for this long after its coming, mail is put off when no host of its domain has an address
/// that mail could go to: large domains have been seen like that for an hour. Then 5.4.4.
inline constexpr std::chrono::hours outbound_unroutable_patience(4);
/// Addresses tried in one attempt, of all hosts together, and as many again of the fallback hosts:
/// as Postfix's smtp_mx_address_limit (F9).
inline constexpr std::size_t outbound_addresses_max = 5;

/// Octets of a name for a set of hosts; longer ones end in a hash.
inline constexpr std::size_t outlet_hosts_size_max = 240;

/// Of one attempt; one task. `services` and `outlets` outlive it.
class HopWalk {
public:
    HopWalk(const Services* services, RelayHop hop, const EgressSettings* egress, Outlets* outlets);

    /// Finds the hosts. Once, before all else.
    net::Task<void> look_up();
    /// A name for all hosts together, whatever their order: domains that share them share it. Empty
    /// when there are none.
    [[nodiscard]] const std::string& hosts() const { return all_hosts_; }
    [[nodiscard]] std::vector<std::string> host_names() const;
    /// The next host to try; nullopt: there is none. `favoured`, when it is among them, goes first:
    /// there is a connection to it.
    net::Task<std::optional<HopAddress>> next_host(std::optional<HostPort> favoured);
    /// Of the host that next_host() gave last.
    [[nodiscard]] std::uint16_t preference() const { return hosts_.at(next_ - 1).preference; }
    [[nodiscard]] bool is_fallback() const { return is_fallback_; }
    /// Where that host is; empty: nowhere that mail could go to, which dead_end() tells. Never more
    /// than are left of outbound_addresses_max.
    net::Task<std::vector<net::Endpoint>> endpoints(HopAddress host);
    /// That host is at the end of the list now, as one that was dead a moment ago.
    [[nodiscard]] bool was_postponed() const { return was_postponed_; }
    /// Such a host was given up for others, or there were more than one attempt tries.
    [[nodiscard]] bool has_passed_over() const { return has_passed_over_; }
    /// C10: who was reached was ourselves; the less preferred are dropped. True when nobody better
    /// had been named: mail for the domain goes in circles for good. Not of a relay domain.
    bool met_ourselves();
    /// Why no address was tried at all, for a message of this age.
    [[nodiscard]] smtp::Reply dead_end(Duration age) const;

private:
    net::Task<void> look_up_hosts();
    net::Task<void> look_up_mx();
    net::Task<void> look_up_srv();
    HopAddress address_of(HostPort host, bool is_configured) const;
    [[nodiscard]] bool is_patient(std::string_view domain) const;
    bool begin_fallback();
    void cut_hosts();
    void pass_over();
    void miss(std::string text, smtp::EnhancedStatus status);

    struct Candidate {
        HopAddress hop;
        std::uint16_t preference = 0;
    };

    const Services* services_;
    Outlets* outlets_;
    SettingsPtr settings_;
    RelayHop hop_;
    HopAddress form_;  ///< What all hosts have in common.
    AddressRules rules_;
    std::vector<Candidate> hosts_;
    std::vector<Candidate> postponed_;  ///< Dead a moment ago, while others were left.
    std::size_t next_ = 0;
    bool is_begun_ = false;
    bool was_postponed_ = false;
    bool has_passed_over_ = false;
    bool is_fallback_ = false;
    bool may_fall_back_ = true;
    std::size_t addresses_left_ = outbound_addresses_max;
    std::optional<smtp::Reply> refusal_;  ///< Of the whole: no such domain, DNS silent.
    std::string all_hosts_;
    std::string misses_;
    smtp::EnhancedStatus worst_miss_{4, 4, 4};
};

}  // namespace godwit::flow
