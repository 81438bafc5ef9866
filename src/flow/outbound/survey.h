// What would happen to mail for an address, without sending any: the recipient is resolved, the
// route chosen, hosts, addresses and TLS policies looked up by the very parts that an attempt uses,
// in the same order. With probes, each address is asked whether it would take the recipient, in a
// session that ends before DATA. For operators: `godwit test-route`.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "flow/outbound/attempt_tls.h"
#include "flow/outbound/outlet_book.h"
#include "flow/outbound/remote.h"
#include "flow/outbound/route.h"
#include "flow/outbound/suspension.h"
#include "flow/services.h"
#include "mail/address/address.h"
#include "net/io/task.h"
#include "store/directory/directory.h"

namespace godwit::flow {

/// Remote places that one address may lead to and that are looked at: a group may have thousands.
inline constexpr std::size_t survey_targets_max = 8;

struct SurveyQuestion {
    mail::Address address;
    std::string sender;  ///< Decides between routes and sources; empty: the null sender.
    bool probes = false;
};

/// What a host said at one of its addresses.
struct SurveyProbe {
    std::string peer;       ///< "mx.example.com[192.0.2.1]:25"; empty: no session was had.
    smtp::Outcome outcome;  ///< Of RCPT, or of what failed before it.
    AttemptTls tls;
};
struct SurveyedAddress {
    net::Endpoint at;
    std::optional<SurveyProbe> probe;
};
struct SurveyedHost {
    HopAddress hop;  ///< With its TLS policy.
    std::uint16_t preference = 0;
    bool is_fallback = false;
    /// In the order to try them; empty: it has none, or is passed over as one that is dead.
    std::vector<SurveyedAddress> addresses;
};
/// Where mail for one remote address goes.
struct SurveyedRoute {
    mail::Address address;
    std::string route;  ///< What the route that decides is for; empty: none does.
    NextHop hop;
    bool is_kept_for_request = false;  ///< Waits until its own server asks for it (ETRN, ATRN).
    std::string source;  ///< Name of the [[egress]]; one of several that may be chosen.
    std::string hello;
    std::string provider;               ///< Whose bounds hold; empty: nobody's.
    std::uint32_t connections_max = 0;  ///< To these hosts from this source.
    std::vector<SurveyedHost> hosts;
    std::optional<smtp::Reply> dead_end;  ///< Why no address would be tried at all.
    std::optional<OutletState> outlet;    ///< When mail went there since the start.
    std::optional<Suspension> suspension;
};
struct Survey {
    store::RecipientVerdict verdict = store::RecipientVerdict::NotLocal;
    std::vector<store::LocalTarget> local;
    std::vector<SurveyedRoute> remote;
    std::size_t remote_count = 0;  ///< Those beyond survey_targets_max too.
};

/// Error: the directory could not be read. The probes take as long as those asked take, each within
/// the times of an attempt. The scheduler is there.
net::Task<Result<Survey>> survey(const Services* services, SurveyQuestion question);

}  // namespace godwit::flow
