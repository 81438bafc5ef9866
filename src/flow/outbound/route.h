// Where mail goes next: by the administrator's routes, else by MX. Decided anew at each attempt, so
// that a corrected configuration frees queued mail (SMTP-BEHAVIOUR.md M4). RFC 5321 5.1, RFC 7505
// (null MX), RFC 2782 (SRV); F1-F9.
// Precedence, as of Postfix's transport and sender_dependent_default_transport maps: first what a
// route says of the recipient (address, domain, longest "*.x", "*"), then what it says of the
// sender (address, domain, longest "*.x", nothing), then the order of the file.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "flow/settings.h"
#include "net/resolver/resolver.h"
#include "wire/smtp/reply.h"

namespace godwit::flow {

struct HostPort {
    std::string host;
    std::uint16_t port = 25;
    bool operator==(const HostPort&) const = default;
};
/// "name", "name:587", "192.0.2.1", "2001:db8::1", "[2001:db8::1]:587"; nullopt otherwise.
std::optional<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port);

/// To the host that `lookup` finds.
struct RelayHop {
    RouteSettings::Lookup lookup = RouteSettings::Lookup::Mx;
    std::string host;  ///< Name, address or "unix:/path"; domain of the MX; owner of the SRV.
    std::uint16_t port = 25;  ///< Not of SRV.
    bool is_lmtp = false;
    RouteSettings::Tls tls = RouteSettings::Tls::Opportunistic;
    std::string username;
    std::string password;
    std::string token_file{};
    /// By a route that names it: private addresses are meant; loops are the administrator's.
    bool is_configured = false;
    std::vector<HostPort> fallback;
    std::vector<std::string> egress;
    Families families = Families::Balanced;
    bool operator==(const RelayHop&) const = default;
};
/// Taken and dropped, by configuration.
struct DiscardHop {
    bool operator==(const DiscardHop&) const = default;
};
/// Kept until somebody decides.
struct HoldHop {
    std::string reason;
    bool operator==(const HoldHop&) const = default;
};
using NextHop = std::variant<RelayHop, DiscardHop, HoldHop>;

/// Was a delivery held because there was no route, by this reason of its row? What operators,
/// routes and quarantine hold is not.
bool is_for_lack_of_route(std::string_view held_reason);

/// Of one recipient of one message. The strings are the caller's.
struct RouteQueryView {
    std::string_view domain;  ///< Normalised.
    std::string_view recipient;
    std::string_view sender;  ///< Empty: the null sender.
};
/// The administrator's route that decides; null: none does. Lives as long as `settings`. Pure.
const RouteSettings* find_route(const Settings& settings, const RouteQueryView& query);
/// What a route is for: "example.com", "* from shop.example".
std::string name_of(const RouteSettings& route);
/// Pure.
NextHop decide_next_hop(const Settings& settings, const RouteQueryView& query);
/// Whether all mail for the domain is dropped, whoever sends it to whomever. Pure.
bool discards_all(const Settings& settings, std::string_view domain);

/// What a message of `sender` comes from: one of `named`, or, without any, one by the sender's
/// domain; the same at each attempt for one `mail` while the configuration stands (H1, F13), and
/// for most when it changes. Null: the system chooses. Pure.
const EgressSettings* choose_egress(const Settings& settings, const std::vector<std::string>& named,
                                    std::string_view sender, MailId mail);

/// Why a domain cannot be reached, as the reply that would have said so.
struct MxFailure {
    smtp::Reply reply;
};
/// Hosts to try, best first.
struct HostList {
    std::vector<net::MxHost> hosts;  ///< Empty: there are none that mail could go to.
    bool includes_us = false;        ///< We are among the MX; no fallback relay then (F6).
};
/// Equal preferences are shuffled by `chance`. One of `own_names` among them drops it and all less
/// preferred (F6). Pure.
std::expected<HostList, MxFailure> order_mx(const net::MxAnswer& answer, std::string_view domain,
                                            const std::vector<std::string>& own_names,
                                            std::uint64_t chance);
/// RFC 2782: by priority, those of one priority by weighted chance. Pure.
std::expected<std::vector<HostPort>, MxFailure> order_srv(const net::SrvAnswer& answer,
                                                          std::string_view owner,
                                                          std::uint64_t chance);

/// The hostname and the names said in EHLO.
std::vector<std::string> own_names(const Settings& settings);
/// What stands in "[192.0.2.1]" and "[IPv6:2001:db8::1]" (RFC 5321 4.1.3); nullopt for a name.
std::optional<net::IpAddress> address_in_literal(std::string_view domain);
/// Mail sent to `at` would come back to us: a listener for mail from outside is there.
/// `interfaces`: the machine's addresses, for listeners on all of them. Pure.
bool is_own_door(const Settings& settings, const std::vector<net::IpAddress>& interfaces,
                 const net::Endpoint& at);

/// Which addresses of a host are tried, in this order.
struct AddressRules {
    bool allow_private = false;
    Families families = Families::Balanced;
    bool is_v4_possible = true;  ///< An [[egress]] may have addresses of one kind only.
    bool is_v6_possible = true;
};
enum class Unusable : std::uint8_t { NoAddress, NotPublic, OtherFamily };
std::expected<std::vector<net::IpAddress>, Unusable> choose_addresses(
    std::vector<net::IpAddress> found, const AddressRules& rules);

}  // namespace godwit::flow
