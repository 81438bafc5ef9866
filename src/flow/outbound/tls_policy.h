// What TLS to one next hop must be: from the administrator's word, REQUIRETLS and `TLS-Required:
// No` of the message, DANE, MTA-STS, in this order; else opportunistic. Decided before the
// connection is made, and part of what a kept connection is known by (F12). RFC 7672, RFC 8461, RFC
// 8689 4.2; SMTP-BEHAVIOUR.md C11-C16, F12, J11.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flow/outbound/sts_policy.h"
#include "flow/report/tls_tally.h"
#include "flow/services.h"
#include "net/io/task.h"
#include "net/tls/tlsa.h"
#include "wire/smtp/reply.h"

namespace godwit::net {
class Resolver;
}

namespace godwit::flow {

/// What the message asks for (RFC 8689).
enum class TlsWish : std::uint8_t {
    Usual,
    Required,  ///< REQUIRETLS: rather return it than send it any other way.
    Optional,  ///< `TLS-Required: No`: rather send it in the clear than not at all.
};

struct TlsPolicy {
    enum class Level : std::uint8_t {
        None,     ///< Never.
        May,      ///< When offered, with any certificate.
        Encrypt,  ///< Always, with any certificate.
        Verify,   ///< Always; a trusted chain and one of the names.
        Dane,     ///< Always; one of `tlsa` matches.
    } level = Level::May;
    std::vector<net::TlsaRecord> tlsa;  ///< With Dane; usable ones.
    std::string server_name;            ///< SNI and the name to verify; empty: the host.
    std::vector<std::string> names;     ///< Others that will do as well.
    bool wants_requiretls = false;      ///< The hop must offer REQUIRETLS.
    /// Set: the host must not be used, and this is why.
    std::optional<smtp::Reply> refusal;
    std::string origin = "default";  ///< For the log: "dane", "mta-sts", "route", "config" ...
    /// What sessions are counted as in the report to the domain (RFC 8460); nullopt: they are not,
    /// as it was not the domain's word that decided. A report itself is such a case.
    std::optional<TlsAccounting> accounting;

    /// Equal ones may share a connection and resume each other's TLS sessions. Not what a refusal
    /// or an origin says, nor how it is counted.
    [[nodiscard]] std::string identity() const;
    bool operator==(const TlsPolicy& other) const { return identity() == other.identity(); }
    [[nodiscard]] bool is_mandatory() const { return level > Level::May; }
};

/// "none", "may", "encrypt", "verify", "dane": as in [[tls_policy]].
std::string_view to_string(TlsPolicy::Level level);

/// A host about to be tried.
struct TlsQuestion {
    std::string domain;  ///< Of the recipients; empty: none, as for a smart host.
    std::string host;    ///< The name in the MX record, the domain without any, or an address.
    std::uint16_t port = 25;
    /// Set: the administrator named the host; no MX was asked for.
    std::optional<RouteSettings::Tls> route{};
    TlsWish wish = TlsWish::Usual;
};

/// Pure: the administrator's policy for the domain; exact, then the longest "*.x", then "*".
const TlsPolicySettings* find_tls_policy(const Settings& settings, std::string_view domain);

/// What DNS says of a host's TLSA records (RFC 7672).
struct DaneAnswer {
    enum class Kind : std::uint8_t {
        None,      ///< No DNSSEC, or no records.
        Usable,    ///< `records` decide.
        Unusable,  ///< There are some, of which none can be used: encrypt without checking.
        Failed,    ///< Nobody knows: the host must not be used now.
    } kind = Kind::None;
    std::vector<net::TlsaRecord> records;
    std::string base;                      ///< TLSA base domain: where they were found.
    bool is_name_secure = false;           ///< DNSSEC vouches that `host` is one of the domain's.
    std::string text;                      ///< Of Failed.
    bool is_bogus = false;                 ///< Failed, and because DNSSEC says so.
    std::vector<std::string> published{};  ///< All records found, as in zone files.
};
/// `domain` empty: no MX led to the host. The resolver outlives the wait.
net::Task<DaneAnswer> find_tlsa(net::Resolver* resolver, std::string domain, std::string host,
                                std::uint16_t port);

/// What MTA-STS says of a host.
struct StsVerdict {
    enum class Kind : std::uint8_t {
        None,     ///< No policy, or one of mode none.
        Testing,  ///< Reported on, and not enforced.
        Match,    ///< Enforced; the host is one of the policy's.
        NoMatch,  ///< Enforced; the host is not.
    } kind = Kind::None;
    bool is_host_listed = false;  ///< By a policy of any mode but none.
};

/// Pure.
StsVerdict judge_sts(const StsPolicy& policy, std::string_view host);

/// Pure: the policy of a domain that the administrator has no word on.
TlsPolicy combine_tls(const TlsQuestion& question, const DaneAnswer& dane, const StsVerdict& sts);
/// Pure: the policy that `settings` states.
TlsPolicy policy_of(const TlsPolicySettings& settings, const DaneAnswer& dane,
                    const TlsQuestion& question);
/// Pure: the policy for the host of a route.
TlsPolicy policy_of(RouteSettings::Tls route, const DaneAnswer& dane, const TlsQuestion& question);

/// Pure: what sessions to the host are counted as, where the domain's own word decides. `sts`:
/// nullopt when the domain has no policy.
std::optional<TlsAccounting> account_for(const TlsQuestion& question, const DaneAnswer& dane,
                                         const std::optional<StsPolicy>& sts);

/// Asks DNS and the policy cache as far as the answer depends on them. Never fails: what is not
/// known becomes a refusal, for now.
net::Task<TlsPolicy> decide_tls(const Services* services, TlsQuestion question);

}  // namespace godwit::flow
