// What the administrator decided, as plain values: read by the work and the desks, filled by
// app/config (TOML, command line, defaults). Every field has a key in app/config_keys but the last
// three of Settings; two of them only `godwit dev` sets: no public listener takes passwords in the
// clear (T36). Immutable once made; a reload makes a new one and swaps the shared_ptr.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "base/limits.h"

namespace godwit::oauth {
struct Jwk;
}

namespace godwit::flow {

/// What a listener speaks.
enum class Protocol : std::uint8_t {
    Smtp,         ///< Port 25: mail from anywhere to our domains. No AUTH.
    Submission,   ///< Port 587: STARTTLS, then AUTH (RFC 6409).
    Submissions,  ///< Port 465: implicit TLS (RFC 8314).
    Lmtp,         ///< RFC 2033.
    Imap,
    Imaps,
    Pop3,
    Pop3s,
    Http,
};

struct ListenerSettings {
    Protocol protocol = Protocol::Smtp;
    std::string address;  ///< "127.0.0.1:20025", "[::]:25" or "unix:/path".
    /// Refuse every bare newline instead of repairing LF (SMTP-BEHAVIOUR.md, "Decided").
    bool reject_bare_newline = false;
    /// Each connection begins with a PROXY header of one of trust.proxy.
    bool proxy = false;
    /// CAs (PEM) of the certificates that clients may log in with: AUTH EXTERNAL.
    /// Empty: none.
    std::vector<std::string> client_ca_files = {};
    /// False: whoever connects hears 521 and nothing else (RFC 7504).
    bool takes_mail = true;
};

/// Which kinds of addresses a next hop is reached by, and in which order.
enum class Families : std::uint8_t {
    Default,    ///< Of a route: as outbound.families says. There it means Balanced.
    Balanced,   ///< In turn, IPv6 first (F8).
    Ipv4First,  ///< All of IPv4, then IPv6.
    Ipv6First,
    Ipv4,  ///< No other.
    Ipv6,
};

/// Where mail goes instead of to the MX of its domain. Of several that match the one is taken that
/// says most about the recipient, then about the sender: flow/outbound/route.h.
struct RouteSettings {
    std::string domain;     ///< Of recipients: "example.com", "*.example.com", "*"; empty: "*".
    std::string recipient;  ///< One address; `domain` is empty then.
    std::string sender;     ///< "a@b", "b", "*.b", "<>" (the null sender); empty: any.
    enum class Kind : std::uint8_t { Smtp, Lmtp, Discard, Hold } kind = Kind::Smtp;
    std::string host;  ///< What `lookup` says.
    enum class Lookup : std::uint8_t {
        Address,  ///< `host` is a name or address, or "unix:/path" for LMTP.
        Mx,       ///< The MX of the domain `host`; empty: of the recipient's.
        Srv,      ///< The SRV records of `host`: "_submission._tcp.example.com".
    } lookup = Lookup::Address;
    std::uint16_t port = 25;
    /// "name", "name:port", "[::1]:port": in order, when all before had a fault of the host's.
    std::vector<std::string> fallback;
    enum class Tls : std::uint8_t {
        Opportunistic,
        Required,
        Implicit,
        Never
    } tls = Tls::Opportunistic;
    /// Take mail for the domain on port 25 too, from anybody: a backup or relay domain.
    bool accepts_from_outside = false;
    std::string username;             ///< AUTH to a smart host; empty = none.
    std::string password;             ///< This or token_file.
    std::string token_file;           ///< Holds an access token; read for each session.
    std::vector<std::string> egress;  ///< Names of [[egress]]; empty: by the sender.
    Families families = Families::Default;
};

/// A domain that lives elsewhere and whose mail anybody may hand in: we are its backup MX, or keep
/// its mail until it is asked for. Where it goes next, routes and MX say as for all mail.
struct RelayDomainSettings {
    std::string domain{};                   ///< "example.com", "*.example.com".
    std::vector<std::string> recipients{};  ///< Those that exist; empty: not known.
    /// Nothing is sent before it is asked for.
    bool hold = false;
    std::chrono::seconds lifetime = std::chrono::days(14);
    std::vector<std::string> networks{};  ///< May ask for the mail: ETRN.
    std::vector<std::string> accounts{};  ///< May ask for it: ETRN and ATRN, once logged in.
    std::string queue{};                  ///< "x" of "ETRN #x"; empty: none.
    bool verify = false;                  ///< The next hop is asked for each recipient.
    enum class Unverified : std::uint8_t {
        Defer,
        Accept
    } unverified = Unverified::Defer;  ///< What becomes of those it did not answer for.
};

/// What we come from: addresses and a name.
struct EgressSettings {
    std::string name;
    std::string ipv4;  ///< Local address; where only one kind is given, only that kind is used.
    std::string ipv6;
    std::string hello;                        ///< EHLO name; empty: the hostname.
    std::vector<std::string> sender_domains;  ///< "b", "*.b"; empty: for senders without their own.
};

/// Sending without a route, and what all routes share.
struct OutboundSettings {
    std::vector<std::string> fallback;  ///< As a route's; for mail by the recipient's MX.
    Families families = Families::Balanced;
    /// Addresses that lead to this server though no listener names them: behind NAT (G12).
    std::vector<std::string> own_addresses;
    /// 5xx that are about our source (blocklists) put mail off instead of returning it (H4).
    bool keep_blocked = false;
};

/// What one source may do at a provider.
struct ProviderSettings {
    std::string name;
    std::vector<std::string> mx;    ///< Its mail exchangers: these names and all below them.
    std::uint32_t connections = 0;  ///< 0: limits.deliveries_per_site.
    std::uint32_t messages_per_connection = 0;  ///< 0: any number.
};

/// What strangers may not do here.
struct InboundSettings {
    /// Keywords of RFC 3865 ("net.example:ADV"): mail that says it is that is refused.
    std::vector<std::string> refused_solicitation;
    bool check_sender_domain = true;  ///< 550 to senders whose domain takes no mail (RFC 7505).
};

struct RetrySettings {
    std::chrono::seconds lifetime = std::chrono::days(5);
    std::chrono::seconds delay_notice_after = std::chrono::hours(4);
};

struct CertificateSettings {
    std::string certificate_file;  ///< PEM chain.
    std::string key_file;          ///< PEM.
};

struct LimitSettings {
    std::uint64_t message_size = limits::message_size_max;
    std::uint32_t connections = limits::connections_max;
    std::uint32_t connections_per_address = limits::connections_per_address_max;
    std::uint32_t recipients = limits::smtp_recipients_max;
    std::uint32_t recipients_authenticated = limits::smtp_recipients_authenticated_max;
    std::uint32_t deliveries_per_site = 20;  ///< Concurrent outbound sessions to one site.
    std::uint32_t deliveries_total = 200;
    std::chrono::seconds command_timeout = limits::smtp_command_timeout;
    std::chrono::seconds pop3_login_delay{0};      ///< Between two of one account; 0: as they like.
    std::uint32_t login_attempts_per_minute = 20;  ///< Failed ones, per account and address.
    std::uint32_t unknown_recipients_per_minute = 30;  ///< Per address that sends to us (T34).
};

/// Whose mail is re-encoded where a next hop takes less than it holds, or where lines are too long.
/// What others signed never is.
enum class Reencode : std::uint8_t {
    Own,       ///< Of our users.
    Unsigned,  ///< All.
    Never,     ///< None; but binary content that a hop cannot take.
};

/// DNS for all look-ups.
struct ResolverSettings {
    std::vector<std::string> forward_to;  ///< "127.0.0.1:5353"; empty = what /etc/resolv.conf says.
    bool is_recursive = false;            ///< Ask from the root servers down instead of forwarding.
    bool is_off = false;                  ///< Development: never look up, hold what is unrouted.
    enum class Dnssec : std::uint8_t {
        Auto,      ///< Validate, unless the servers asked do not pass on what that needs.
        Required,  ///< What cannot be validated is an error, whatever the reason.
        Off
    } dnssec = Dnssec::Auto;
    std::vector<std::string> trust_anchor_files;  ///< Empty = the root's keys.
    std::string root_hints_file;                  ///< Empty = those of libunbound.
};

/// A zone that has name servers of its own.
struct ZoneSettings {
    std::string domain;
    std::vector<std::string> servers;  ///< "127.0.0.1:5300"
    bool is_unsigned = false;          ///< Not validated, whatever the zones above it say.
    bool operator==(const ZoneSettings&) const = default;
};

/// What TLS to a domain's exchangers must be, instead of what DANE and MTA-STS say.
struct TlsPolicySettings {
    std::string domain;  ///< Of the recipient: "example.com", "*.example.com" or "*".
    enum class Mode : std::uint8_t {
        None,         ///< Never.
        May,          ///< When offered, with any certificate.
        Encrypt,      ///< Always, with any certificate.
        Verify,       ///< Always, with a trusted certificate of the host's name.
        Dane,         ///< Always, as the host's TLSA records say; without them not at all.
        Fingerprint,  ///< Always, with one of these certificates or keys.
    } mode = Mode::Verify;
    std::vector<std::string> fingerprints;  ///< SHA-256, hex.
};

/// HTTPS requests of ours to `host` go to `address` instead of to what DNS says.
struct WebHostSettings {
    std::string host;
    std::string address;  ///< "127.0.0.1:8443"
};

/// Who issues access tokens that users may log in with. RFC 7628.
struct OauthSettings {
    std::string issuer;                    ///< "iss", exactly.
    std::string audience;                  ///< "aud" holds it. Empty: introspection alone.
    std::string account_claim = "email";   ///< Whose value is the login name.
    std::vector<std::string> scopes = {};  ///< All of them.
    std::string keys_file = {};            ///< JWK Set. This, or one of the next two, or none:
    std::string keys_url = {};             ///< then its discovery document says where they are.
    std::string introspection_url = {};    ///< Tokens are not looked at, but asked about.
    std::string client_id = {};            ///< Our name there.
    std::string client_secret = {};
    /// Found in keys_file by app/house at start and reload, no key. Shared: the settings, and who
    /// looks at a token with them.
    std::shared_ptr<const std::vector<oauth::Jwk>> keys = nullptr;
};

struct StorageSettings {
    std::uint64_t cache_mib = 32;
    std::uint64_t disk_low_mib = 256;
    std::uint64_t disk_critical_mib = 64;
};

/// Mail that comes for an address here and goes on elsewhere.
struct ForwardingSettings {
    bool srs = true;         ///< Rewrite the reverse-path of what others sent.
    std::string srs_domain;  ///< Domain of the rewritten ones; empty = the default domain.
};

/// Who gets a copy of all mail; empty = nobody.
struct ArchiveSettings {
    std::string inbound;   ///< Of what comes for local addresses.
    std::string outbound;  ///< Of what is submitted here.
};

/// Reports to others of how TLS with them went (RFC 8460).
struct TlsReportSettings {
    bool enabled = false;      ///< Count sessions and send reports.
    std::string organization;  ///< Who reports; empty = the default domain.
    std::string contact;       ///< Address in reports; empty = postmaster of the default domain.
    std::string from;          ///< Reports sent as mail come from it; empty = `contact`.
};

/// Networks ("192.0.2.0/24") that may do what others may not.
struct TrustSettings {
    bool answer_users = true;           ///< VRFY and EXPN of whoever is logged in.
    std::vector<std::string> answer;    ///< The same, of whoever is there.
    std::vector<std::string> xclient;   ///< Proxies and filters that stand in for clients.
    std::vector<std::string> xforward;  ///< Filters that say where mail came from.
    std::vector<std::string> proxy;     ///< Load balancers of listeners with `proxy`.
};

struct Settings {
    std::string hostname;        ///< EHLO name, Received by, certificate: "mx.example.org".
    std::string default_domain;  ///< Completes bare login names and postmaster.
    std::string data_folder = "/var/lib/godwit";
    std::vector<ListenerSettings> listeners;
    std::vector<RouteSettings> routes;
    std::vector<RelayDomainSettings> relay_domains;
    std::vector<EgressSettings> egress;
    OutboundSettings outbound;
    InboundSettings inbound;
    std::vector<ProviderSettings> providers;  ///< Beside those of flow/outbound/providers.
    std::vector<CertificateSettings> certificates;
    std::string ca_file;  ///< Trust for outbound verified TLS; empty = system's.
    RetrySettings retry;
    ForwardingSettings forwarding;
    ArchiveSettings archive;
    TlsReportSettings tls_reports;
    LimitSettings limits;
    TrustSettings trust;
    ResolverSettings resolver;
    Reencode reencode = Reencode::Own;
    std::vector<ZoneSettings> zones;
    std::vector<TlsPolicySettings> tls_policies;  ///< Exact, then "*.x", then "*".
    std::vector<WebHostSettings> web_hosts;
    std::vector<OauthSettings> oauth;
    StorageSettings storage;
    Argon2Cost argon2;
    std::uint32_t shards = 0;  ///< Threads; 0 = one a core.
    std::uint32_t trace_keep_days = 30;
    std::string log_level = "info";
    bool is_development = false;
    /// Development on loopback only: LOGIN and AUTH without TLS.
    bool allow_plaintext_login = false;
    /// Found out by app/house at start and reload, no key: every account has SCRAM-SHA-1 keys.
    bool has_sha1_keys = true;
};
using SettingsPtr = std::shared_ptr<const Settings>;

}  // namespace godwit::flow
