// Where mail for a domain goes next: by the administrator's routes, else by MX. Decided anew at
// each attempt, so that a corrected configuration frees queued mail (SMTP-BEHAVIOUR.md M4). RFC
// 5321 5.1, RFC 7505 (null MX); F1-F9.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "flow/services.h"
#include "net/io/task.h"
#include "net/resolver/resolver.h"
#include "wire/smtp/client.h"

namespace godwit::flow {

/// To this host, without asking DNS for an MX.
struct RelayHop {
    std::string host;
    std::uint16_t port = 25;
    bool is_lmtp = false;
    RouteSettings::Tls tls = RouteSettings::Tls::Opportunistic;
    std::string username;
    std::string password;
};
/// To whoever the MX records of `domain` name.
struct MxHop {
    std::string domain;
};
/// Taken and dropped, by configuration.
struct DiscardHop {};
/// Kept until somebody decides.
struct HoldHop {
    std::string reason;
};
using NextHop = std::variant<MxHop, RelayHop, DiscardHop, HoldHop>;

/// Was a delivery held because there was no route, by this reason of its row? What operators,
/// routes and quarantine hold is not.
bool is_for_lack_of_route(std::string_view held_reason);

/// Pure. `domain` is normalised. The first exact route wins, then the longest "*.x", then "*".
NextHop decide_next_hop(const Settings& settings, std::string_view domain);

/// Why a domain cannot be reached by MX, as the reply that would have said so.
struct MxFailure {
    smtp::Reply reply;
};
/// Hosts to try, best first; equal preferences shuffled by `chance`. Pure.
/// Our own name among them drops it and all less preferred (F6).
std::expected<std::vector<std::string>, MxFailure> order_mx(const net::MxAnswer& answer,
                                                            std::string_view domain,
                                                            std::string_view own_name,
                                                            std::uint64_t chance);

/// Asks DNS. Never a permanent failure for an error of DNS itself (F2).
net::Task<std::expected<std::vector<std::string>, MxFailure>> find_mx(const Services* services,
                                                                      std::string domain);

}  // namespace godwit::flow
