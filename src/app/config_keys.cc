// The table of configuration keys, and the rows of the [[tables]].
#include "app/config_keys.h"

#include <array>

namespace godwit::app {
namespace {

using flow::CertificateSettings;
using flow::EgressSettings;
using flow::ListenerSettings;
using flow::OauthSettings;
using flow::ProviderSettings;
using flow::RelayDomainSettings;
using flow::RouteSettings;
using flow::Settings;
using flow::TlsPolicySettings;
using flow::WebHostSettings;
using flow::ZoneSettings;

constexpr std::array<std::string_view, 3> kReencode = {"own", "unsigned", "never"};
constexpr std::array<std::string_view, 9> kProtocols = {
    "smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s", "http"};
constexpr std::array<std::string_view, 4> kRouteKinds = {"smtp", "lmtp", "discard", "hold"};
constexpr std::array<std::string_view, 4> kRouteTls = {"opportunistic", "required", "implicit",
                                                       "never"};
constexpr std::array<std::string_view, 3> kDnssec = {"auto", "required", "off"};
constexpr std::array<std::string_view, 6> kTlsModes = {"none",   "may",  "encrypt",
                                                       "verify", "dane", "fingerprint"};
constexpr std::array<std::string_view, 3> kLookups = {"address", "mx", "srv"};
constexpr std::array<std::string_view, 6> kFamilies = {"default",    "balanced", "ipv4_first",
                                                       "ipv6_first", "ipv4",     "ipv6"};
constexpr std::array<std::string_view, 4> kLogLevels = {"debug", "info", "warn", "error"};

// The enums are one octet wide and an octet pointer may look at anything.
template <class Enum>
EnumField enum_field(std::span<const std::string_view> words, Enum& value) {
    static_assert(sizeof(Enum) == 1);
    return {words, reinterpret_cast<std::uint8_t*>(&value)};
}

constexpr std::uint64_t kKib = 1024;
constexpr std::uint64_t kMib = 1024 * kKib;
constexpr std::uint64_t kHour = 3600;
constexpr std::uint64_t kDay = 24 * kHour;

constexpr auto kSettings = std::to_array<ConfigKey<Settings>>({
    {.path = "hostname",
     .field = [](Settings& s) -> FieldRef { return &s.hostname; },
     .help = "This server's name: in greetings, EHLO, Received lines. Must be a full domain name.",
     .applies = Applies::Restart},
    {.path = "default_domain",
     .field = [](Settings& s) -> FieldRef { return &s.default_domain; },
     .help = "Completes login names and recipients without a domain (\"alice\", \"postmaster\").",
     .applies = Applies::Restart},
    {.path = "data_folder",
     .field = [](Settings& s) -> FieldRef { return &s.data_folder; },
     .help = "Where mail, queue and directory live. One server at a time.",
     .applies = Applies::Restart},
    {.path = "threads",
     .field = [](Settings& s) -> FieldRef { return &s.shards; },
     .help = "Event loops; 0 means one a processor core.",
     .applies = Applies::Restart,
     .max = 256},
    {.path = "log.level",
     .field = [](Settings& s) -> FieldRef { return WordField{kLogLevels, &s.log_level}; },
     .help = "The least important log lines that are written."},
    {.path = "trust.ca_file",
     .field = [](Settings& s) -> FieldRef { return &s.ca_file; },
     .help = "PEM file of authorities that other servers' certificates are checked against; empty "
             "means the system's.",
     .applies = Applies::Restart},
    {.path = "trace.keep",
     .field = [](Settings& s) -> FieldRef { return &s.trace_keep_days; },
     .help = "How long `godwit message show` remembers what happened to a message.",
     .unit = Unit::Days,
     .min = kDay,
     .max = 3650 * kDay},
    {.path = "delivery.reencode",
     .field = [](Settings& s) -> FieldRef { return enum_field(kReencode, s.reencode); },
     .help =
         "Whose 8-bit text, binary content and over-long lines are put into quoted-printable or "
         "base64 where a next hop cannot take them: own (of our users), unsigned (all that "
         "carries no signature), never."},
    {.path = "retry.lifetime",
     .field = [](Settings& s) -> FieldRef { return &s.retry.lifetime; },
     .help = "Undelivered mail is returned to its sender after this time.",
     .min = kHour,
     .max = 30 * kDay},
    {.path = "retry.delay_notice_after",
     .field = [](Settings& s) -> FieldRef { return &s.retry.delay_notice_after; },
     .help = "The sender of waiting mail is told of the delay once, after this time.",
     .min = 60,
     .max = 30 * kDay},
    {.path = "outbound.fallback",
     .field = [](Settings& s) -> FieldRef { return &s.outbound.fallback; },
     .help = "Hosts that mail without a route goes to, in order, when none of the hosts that MX "
             "names could be spoken to: \"relay.example.net\" or \"relay.example.net:587\"."},
    {.path = "outbound.families",
     .field = [](Settings& s) -> FieldRef { return enum_field(kFamilies, s.outbound.families); },
     .help = "Addresses of other servers: balanced (in turn, IPv6 first), ipv4_first, ipv6_first, "
             "or ipv4 or ipv6 alone."},
    {.path = "outbound.own_addresses",
     .field = [](Settings& s) -> FieldRef { return &s.outbound.own_addresses; },
     .help = "Public addresses that lead here though no listener names them (behind NAT): mail "
             "whose MX is one of them is going in a circle."},
    {.path = "outbound.keep_blocked",
     .field = [](Settings& s) -> FieldRef { return &s.outbound.keep_blocked; },
     .help =
         "Mail that a server refuses for good because our address is on a blocklist waits and "
         "is tried again, instead of being returned. Sending to that server pauses either way."},
    {.path = "inbound.check_sender_domain",
     .field = [](Settings& s) -> FieldRef { return &s.inbound.check_sender_domain; },
     .help = "Port 25: refuse a sender whose domain says in DNS that it takes no mail (a null MX): "
             "nobody could ever answer."},
    {.path = "inbound.refused_solicitation",
     .field = [](Settings& s) -> FieldRef { return &s.inbound.refused_solicitation; },
     .help = "SMTP: keywords such as \"net.example:ADV\". They are announced behind NO-SOLICITING, "
             "and mail that bears one in SOLICIT= or in a Solicitation field is refused."},
    {.path = "forwarding.srs",
     .field = [](Settings& s) -> FieldRef { return &s.forwarding.srs; },
     .help = "Rewrite the reverse-path of forwarded mail that others sent, so that SPF holds and "
             "reports come back (SRS)."},
    {.path = "forwarding.srs_domain",
     .field = [](Settings& s) -> FieldRef { return &s.forwarding.srs_domain; },
     .help = "The domain of rewritten reverse-paths; its MX leads here and its SPF record names "
             "this server. Empty means default_domain."},
    {.path = "archive.inbound",
     .field = [](Settings& s) -> FieldRef { return &s.archive.inbound; },
     .help = "Gets a copy of all mail for local addresses; empty means nobody. Domains may have "
             "archives of their own beside it."},
    {.path = "archive.outbound",
     .field = [](Settings& s) -> FieldRef { return &s.archive.outbound; },
     .help = "Gets a copy of all mail that is submitted here; empty means nobody."},
    {.path = "tls_reports.enabled",
     .field = [](Settings& s) -> FieldRef { return &s.tls_reports.enabled; },
     .help =
         "Count how TLS with other servers goes, and send each domain that asks for it a report "
         "a day (TLSRPT)."},
    {.path = "tls_reports.organization",
     .field = [](Settings& s) -> FieldRef { return &s.tls_reports.organization; },
     .help = "Whose reports these are, in words; empty means default_domain."},
    {.path = "tls_reports.contact",
     .field = [](Settings& s) -> FieldRef { return &s.tls_reports.contact; },
     .help = "Address that reports name for questions; its domain is the one that reports. Empty "
             "means postmaster of default_domain."},
    {.path = "tls_reports.from",
     .field = [](Settings& s) -> FieldRef { return &s.tls_reports.from; },
     .help = "Address that reports sent as mail come from; empty means tls_reports.contact."},
    {.path = "trust.answer_users",
     .field = [](Settings& s) -> FieldRef { return &s.trust.answer_users; },
     .help =
         "SMTP: VRFY and EXPN of users who have logged in get true answers. Others hear 252 and "
         "502."},
    {.path = "trust.answer",
     .field = [](Settings& s) -> FieldRef { return &s.trust.answer; },
     .help = "SMTP: networks (\"192.0.2.0/24\", \"2001:db8::1\") whose VRFY and EXPN get true "
             "answers without a login."},
    {.path = "trust.xclient",
     .field = [](Settings& s) -> FieldRef { return &s.trust.xclient; },
     .help = "SMTP: networks of proxies that may say with XCLIENT who their client is: its address "
             "counts for limits and in Received, and its LOGIN is believed without a password."},
    {.path = "trust.xforward",
     .field = [](Settings& s) -> FieldRef { return &s.trust.xforward; },
     .help = "SMTP: networks of content filters that may say with XFORWARD where a message came "
             "from, for logs and traces."},
    {.path = "trust.proxy",
     .field = [](Settings& s) -> FieldRef { return &s.trust.proxy; },
     .help = "Networks of the load balancers in front of listeners with `proxy`."},
    {.path = "limits.message_size",
     .field = [](Settings& s) -> FieldRef { return &s.limits.message_size; },
     .help = "Largest message taken in (SIZE of RFC 1870).",
     .unit = Unit::Octets,
     .min = 64 * kKib,  // RFC 5321 4.5.3.1.7: at least 64K octets.
     .max = 1024 * kMib},
    {.path = "limits.connections",
     .field = [](Settings& s) -> FieldRef { return &s.limits.connections; },
     .help = "Open connections, all listeners together.",
     .min = 10,
     .max = 1'000'000},
    {.path = "limits.connections_per_address",
     .field = [](Settings& s) -> FieldRef { return &s.limits.connections_per_address; },
     .help = "Open connections from one IPv4 address or IPv6 /64.",
     .min = 1,
     .max = 1'000'000},
    {.path = "limits.recipients",
     .field = [](Settings& s) -> FieldRef { return &s.limits.recipients; },
     .help = "Recipients of one message from outside.",
     .min = 100,  // RFC 5321 4.5.3.1.8: at least 100.
     .max = 100'000},
    {.path = "limits.recipients_authenticated",
     .field = [](Settings& s) -> FieldRef { return &s.limits.recipients_authenticated; },
     .help = "Recipients of one message from an account.",
     .min = 1,
     .max = 100'000},
    {.path = "limits.deliveries_per_site",
     .field = [](Settings& s) -> FieldRef { return &s.limits.deliveries_per_site; },
     .help =
         "Outbound sessions at a time to one destination: the hosts that many domains may share, "
         "from one source. Grows to this as the destination answers well.",
     .min = 1,
     .max = 1000},
    {.path = "limits.deliveries_total",
     .field = [](Settings& s) -> FieldRef { return &s.limits.deliveries_total; },
     .help = "Outbound sessions to all destinations at a time.",
     .min = 1,
     .max = 10'000},
    {.path = "limits.command_timeout",
     .field = [](Settings& s) -> FieldRef { return &s.limits.command_timeout; },
     .help = "How long an SMTP client may be silent.",
     .min = 10,
     .max = kHour},
    {.path = "limits.pop3_login_delay",
     .field = [](Settings& s) -> FieldRef { return &s.limits.pop3_login_delay; },
     .help = "Least time from one POP3 login of an account to the next, announced as LOGIN-DELAY; "
             "\"0 seconds\": none, and not announced.",
     .min = 0,
     .max = kHour},
    {.path = "limits.login_attempts_per_minute",
     .field = [](Settings& s) -> FieldRef { return &s.limits.login_attempts_per_minute; },
     .help = "Failed logins per account and address before further ones are put off.",
     .min = 1,
     .max = 100'000},
    {.path = "limits.unknown_recipients_per_minute",
     .field = [](Settings& s) -> FieldRef { return &s.limits.unknown_recipients_per_minute; },
     .help =
         "Unknown recipients a sending address may name before all of its recipients are put off.",
     .min = 1,
     .max = 100'000},
    {.path = "resolver.forward_to",
     .field = [](Settings& s) -> FieldRef { return &s.resolver.forward_to; },
     .help = "DNS servers as \"address:port\"; empty means those of /etc/resolv.conf.",
     .applies = Applies::Restart},
    {.path = "resolver.off",
     .field = [](Settings& s) -> FieldRef { return &s.resolver.is_off; },
     .help = "Never ask DNS: mail that no route covers is held in the queue.",
     .applies = Applies::Restart},
    {.path = "resolver.recursive",
     .field = [](Settings& s) -> FieldRef { return &s.resolver.is_recursive; },
     .help = "Ask from the root servers down, not the servers of /etc/resolv.conf. Not together "
             "with forward_to.",
     .applies = Applies::Restart},
    {.path = "resolver.dnssec",
     .field = [](Settings& s) -> FieldRef { return enum_field(kDnssec, s.resolver.dnssec); },
     .help = "auto: answers are validated, unless the servers asked strip what that needs (then "
             "nothing counts as secure, and `godwit status` says so); required: such servers give "
             "no answers; off: nothing is validated, and DANE not used.",
     .applies = Applies::Restart},
    {.path = "resolver.trust_anchors",
     .field = [](Settings& s) -> FieldRef { return &s.resolver.trust_anchor_files; },
     .help = "Files of DS or DNSKEY records to trust instead of the root's keys; empty means those "
             "of /usr/share/dns/root.key (package dns-root-data) or, without it, those built in.",
     .applies = Applies::Restart},
    {.path = "resolver.root_hints",
     .field = [](Settings& s) -> FieldRef { return &s.resolver.root_hints_file; },
     .help = "File of the root servers' names and addresses; empty means those built in.",
     .applies = Applies::Restart},
    {.path = "storage.cache",
     .field = [](Settings& s) -> FieldRef { return &s.storage.cache_mib; },
     .help = "Memory for recently read parts of the store.",
     .applies = Applies::Restart,
     .unit = Unit::Mebibytes,
     .min = kMib,
     .max = 1024 * 1024 * kMib},
    {.path = "storage.disk_low",
     .field = [](Settings& s) -> FieldRef { return &s.storage.disk_low_mib; },
     .help = "With less free disk space than this, new mail is put off with 452.",
     .applies = Applies::Restart,
     .unit = Unit::Mebibytes,
     .min = kMib,
     .max = 1024 * 1024 * kMib},
    {.path = "storage.disk_critical",
     .field = [](Settings& s) -> FieldRef { return &s.storage.disk_critical_mib; },
     .help = "With less free disk space than this, only deleting is possible.",
     .applies = Applies::Restart,
     .unit = Unit::Mebibytes,
     .min = kMib,
     .max = 1024 * 1024 * kMib},
    {.path = "passwords.argon2_memory",
     .field = [](Settings& s) -> FieldRef { return &s.argon2.memory_kib; },
     .help = "Memory that hashing one password costs (Argon2id). Holds for new passwords.",
     .unit = Unit::Kibibytes,
     .min = 8 * kKib,
     .max = 1024 * kMib},
    {.path = "passwords.argon2_passes",
     .field = [](Settings& s) -> FieldRef { return &s.argon2.passes; },
     .help = "Passes over that memory.",
     .min = 1,
     .max = 20},
});

constexpr auto kListener = std::to_array<ConfigKey<ListenerSettings>>({
    {.path = "protocol",
     .field = [](ListenerSettings& l) -> FieldRef { return enum_field(kProtocols, l.protocol); },
     .help =
         "What is spoken: smtp (25), submission (587), submissions (465, TLS), lmtp, imap (143), "
         "imaps (993, TLS), pop3 (110), pop3s (995, TLS), http."},
    {.path = "address",
     .field = [](ListenerSettings& l) -> FieldRef { return &l.address; },
     .help = "\"192.0.2.1:25\", \"[::]:25\" (all addresses, IPv4 too) or \"unix:/path\"."},
    {.path = "reject_bare_newline",
     .field = [](ListenerSettings& l) -> FieldRef { return &l.reject_bare_newline; },
     .help = "SMTP: refuse messages with a bare LF instead of repairing them."},
    {.path = "takes_mail",
     .field = [](ListenerSettings& l) -> FieldRef { return &l.takes_mail; },
     .help = "SMTP: false answers every connection with 521, for a host or address that takes "
             "no mail and says so, instead of leaving others to try for days."},
    {.path = "proxy",
     .field = [](ListenerSettings& l) -> FieldRef { return &l.proxy; },
     .help = "Every connection begins with a PROXY header (version 1 or 2) of a load balancer from "
             "trust.proxy, before TLS; the client's address is the one it names. Without a right "
             "header the connection is closed."},
    {.path = "client_ca_files",
     .field = [](ListenerSettings& l) -> FieldRef { return &l.client_ca_files; },
     .help = "CAs (PEM) of certificates that clients may log in with by AUTH EXTERNAL: submission, "
             "submissions, imap, imaps, pop3, pop3s. A mail address in the certificate must be an "
             "account's."},
});

constexpr auto kRoute = std::to_array<ConfigKey<RouteSettings>>({
    {.path = "domain",
     .field = [](RouteSettings& r) -> FieldRef { return &r.domain; },
     .help = "Recipients' domain: \"example.com\", \"*.example.com\" for what is below it, or "
             "\"*\" for all that is not local."},
    {.path = "recipient",
     .field = [](RouteSettings& r) -> FieldRef { return &r.recipient; },
     .help = "One recipient, instead of `domain`."},
    {.path = "sender",
     .field = [](RouteSettings& r) -> FieldRef { return &r.sender; },
     .help = "Only for mail from this sender: \"a@example.org\", \"example.org\", "
             "\"*.example.org\", or \"<>\" for reports. Of all routes that match, the recipient's "
             "address wins over its domain, that over \"*.\", that over \"*\"; of those alike, the "
             "sender's address over its domain, that over \"*.\", that over none."},
    {.path = "kind",
     .field = [](RouteSettings& r) -> FieldRef { return enum_field(kRouteKinds, r.kind); },
     .help =
         "smtp or lmtp: send it to `host`; discard: accept, then drop; hold: keep in the queue."},
    {.path = "host",
     .field = [](RouteSettings& r) -> FieldRef { return &r.host; },
     .help = "Name or address of the next host, or \"unix:/path\" for lmtp; with `lookup`, what is "
             "looked up."},
    {.path = "lookup",
     .field = [](RouteSettings& r) -> FieldRef { return enum_field(kLookups, r.lookup); },
     .help = "address: `host` is the next host; mx: the MX records of `host` name it (without "
             "`host`: those of the recipient's domain); srv: SRV records do, \"_submission._tcp."
             "example.com\", with their ports."},
    {.path = "port",
     .field = [](RouteSettings& r) -> FieldRef { return &r.port; },
     .help = "Port of the next host.",
     .min = 1,
     .max = 65535},
    {.path = "fallback",
     .field = [](RouteSettings& r) -> FieldRef { return &r.fallback; },
     .help = "Further hosts, \"name\" or \"name:port\", tried in order when none before could be "
             "spoken to; with the route's TLS and login."},
    {.path = "tls",
     .field = [](RouteSettings& r) -> FieldRef { return enum_field(kRouteTls, r.tls); },
     .help =
         "opportunistic: when offered; required: with a valid certificate or not at all; implicit: "
         "TLS from the first octet; never."},
    {.path = "accepts_from_outside",
     .field = [](RouteSettings& r) -> FieldRef { return &r.accepts_from_outside; },
     .help = "Take mail for this domain on port 25 from anybody, as its relay or backup MX."},
    {.path = "username",
     .field = [](RouteSettings& r) -> FieldRef { return &r.username; },
     .help = "Login at the next host; empty means none. Needs tls required or implicit."},
    {.path = "password",
     .field = [](RouteSettings& r) -> FieldRef { return &r.password; },
     .help = "Its password.",
     .shown = Shown::Secret},
    {.path = "token_file",
     .field = [](RouteSettings& r) -> FieldRef { return &r.token_file; },
     .help =
         "Instead of a password: a file with an access token, shown by OAUTHBEARER or XOAUTH2. It "
         "is read for each session, so that whoever renews the token need not say so."},
    {.path = "egress",
     .field = [](RouteSettings& r) -> FieldRef { return &r.egress; },
     .help = "Names of [[egress]] tables to come from; a message keeps to one of them. Empty: by "
             "the sender's domain."},
    {.path = "families",
     .field = [](RouteSettings& r) -> FieldRef { return enum_field(kFamilies, r.families); },
     .help = "As outbound.families, for this route."},
});

constexpr auto kUnverified = std::to_array<std::string_view>({"defer", "accept"});

constexpr auto kRelayDomain = std::to_array<ConfigKey<RelayDomainSettings>>({
    {.path = "domain",
     .field = [](RelayDomainSettings& r) -> FieldRef { return &r.domain; },
     .help = "\"example.com\", or \"*.example.com\" for what is below it. Where its mail goes "
             "next a [[route]] for it says, else its MX records: to those better than this server. "
             "While there are none its mail waits."},
    {.path = "recipients",
     .field = [](RelayDomainSettings& r) -> FieldRef { return &r.recipients; },
     .help = "The addresses that exist; others are refused (550 5.1.1), but postmaster. Empty: all "
             "are taken."},
    {.path = "hold",
     .field = [](RelayDomainSettings& r) -> FieldRef { return &r.hold; },
     .help = "Send nothing until it is asked for: ETRN, ATRN, `godwit queue release`. What could "
             "not be delivered then waits to be asked for again."},
    {.path = "lifetime",
     .field = [](RelayDomainSettings& r) -> FieldRef { return &r.lifetime; },
     .help = "Mail for the domain is returned to its sender after this time, instead of after "
             "retry.lifetime.",
     .min = kHour,
     .max = 400 * kDay},
    {.path = "networks",
     .field = [](RelayDomainSettings& r) -> FieldRef { return &r.networks; },
     .help = "Who may ask for its mail with ETRN from there: \"192.0.2.1\", \"192.0.2.0/24\"."},
    {.path = "accounts",
     .field = [](RelayDomainSettings& r) -> FieldRef { return &r.accounts; },
     .help = "Accounts of this server that may ask for its mail with ETRN, and fetch it with ATRN, "
             "once logged in on a submission listener."},
    {.path = "queue",
     .field = [](RelayDomainSettings& r) -> FieldRef { return &r.queue; },
     .help = "A name for `ETRN #name`; several domains may have one in common. Empty: none."},
    {.path = "verify",
     .field = [](RelayDomainSettings& r) -> FieldRef { return &r.verify; },
     .help = "Ask the next hop at each RCPT whether it would take the recipient, and refuse (550 "
             "5.1.1) whom it refuses. Answers are remembered."},
    {.path = "unverified",
     .field = [](RelayDomainSettings& r) -> FieldRef {
         return enum_field(kUnverified, r.unverified);
     },
     .help = "defer: a recipient that the next hop has not answered for is put off (450 4.1.1); "
             "accept: it is taken."},
});

constexpr auto kEgress = std::to_array<ConfigKey<EgressSettings>>({
    {.path = "name",
     .field = [](EgressSettings& e) -> FieldRef { return &e.name; },
     .help = "What routes call it."},
    {.path = "ipv4",
     .field = [](EgressSettings& e) -> FieldRef { return &e.ipv4; },
     .help = "Local IPv4 address to send from. With only one of `ipv4` and `ipv6`, only that kind "
             "is used."},
    {.path = "ipv6",
     .field = [](EgressSettings& e) -> FieldRef { return &e.ipv6; },
     .help = "Local IPv6 address to send from."},
    {.path = "hello",
     .field = [](EgressSettings& e) -> FieldRef { return &e.hello; },
     .help = "The name said in EHLO; empty means `hostname`. It should be the address's own name."},
    {.path = "sender_domains",
     .field = [](EgressSettings& e) -> FieldRef { return &e.sender_domains; },
     .help = "For mail from these domains (\"example.org\", \"*.example.org\"); empty: for all "
             "that no other [[egress]] names. Where several fit, messages are spread over them, "
             "and each keeps to its own."},
});

constexpr auto kProvider = std::to_array<ConfigKey<ProviderSettings>>({
    {.path = "name",
     .field = [](ProviderSettings& p) -> FieldRef { return &p.name; },
     .help = "What it is called. One of deploy/providers.toml with this name is replaced."},
    {.path = "mx",
     .field = [](ProviderSettings& p) -> FieldRef { return &p.mx; },
     .help = "Its mail exchangers: these host names and all below them."},
    {.path = "connections",
     .field = [](ProviderSettings& p) -> FieldRef { return &p.connections; },
     .help = "Connections from one source to one set of its hosts; 0 means "
             "limits.deliveries_per_site.",
     .max = 1000},
    {.path = "messages_per_connection",
     .field = [](ProviderSettings& p) -> FieldRef { return &p.messages_per_connection; },
     .help = "Messages through one connection; 0 means any number.",
     .max = 1'000'000},
});

constexpr auto kCertificate = std::to_array<ConfigKey<CertificateSettings>>({
    {.path = "certificate_file",
     .field = [](CertificateSettings& c) -> FieldRef { return &c.certificate_file; },
     .help = "PEM file: the certificate, then the chain up to (not with) the root."},
    {.path = "key_file",
     .field = [](CertificateSettings& c) -> FieldRef { return &c.key_file; },
     .help = "PEM file of its private key."},
});

constexpr auto kZone = std::to_array<ConfigKey<ZoneSettings>>({
    {.path = "domain",
     .field = [](ZoneSettings& z) -> FieldRef { return &z.domain; },
     .help = "The zone, with all below it.",
     .applies = Applies::Restart},
    {.path = "servers",
     .field = [](ZoneSettings& z) -> FieldRef { return &z.servers; },
     .help = "Its name servers as \"address:port\".",
     .applies = Applies::Restart},
    {.path = "unsigned",
     .field = [](ZoneSettings& z) -> FieldRef { return &z.is_unsigned; },
     .help = "Do not validate it: a private zone that the public DNS denies.",
     .applies = Applies::Restart},
});

constexpr auto kTlsPolicy = std::to_array<ConfigKey<TlsPolicySettings>>({
    {.path = "domain",
     .field = [](TlsPolicySettings& p) -> FieldRef { return &p.domain; },
     .help = "Domain of the recipients: \"example.com\", \"*.example.com\" for what is below it, "
             "or \"*\". An exact one wins over \"*.\", which wins over \"*\"."},
    {.path = "mode",
     .field = [](TlsPolicySettings& p) -> FieldRef { return enum_field(kTlsModes, p.mode); },
     .help = "none: never TLS; may: when offered, with any certificate; encrypt: always, with any "
             "certificate; verify: always, with a trusted certificate that names the host; dane: "
             "always, by TLSA records, without which mail waits; fingerprint: always, with one of "
             "`fingerprints`. DANE and MTA-STS of the domain are not looked at otherwise."},
    {.path = "fingerprints",
     .field = [](TlsPolicySettings& p) -> FieldRef { return &p.fingerprints; },
     .help = "SHA-256 of certificates or of their public keys (SubjectPublicKeyInfo), in hex."},
});

constexpr auto kWebHost = std::to_array<ConfigKey<WebHostSettings>>({
    {.path = "host",
     .field = [](WebHostSettings& w) -> FieldRef { return &w.host; },
     .help = "Name of the web server: \"mta-sts.example.com\"."},
    {.path = "address",
     .field = [](WebHostSettings& w) -> FieldRef { return &w.address; },
     .help = "\"192.0.2.1:443\"."},
});

constexpr auto kOauth = std::to_array<ConfigKey<OauthSettings>>({
    {.path = "issuer",
     .field = [](OauthSettings& o) -> FieldRef { return &o.issuer; },
     .help = "The issuer as its tokens say it (iss): \"https://id.example.org\". Its discovery "
             "document says where its keys are, unless one of the next keys does."},
    {.path = "audience",
     .field = [](OauthSettings& o) -> FieldRef { return &o.audience; },
     .help = "Tokens must be for this audience (aud). May be empty with introspection_url only."},
    {.path = "account_claim",
     .field = [](OauthSettings& o) -> FieldRef { return &o.account_claim; },
     .help = "The claim whose value is the login name, complete or bare in default_domain."},
    {.path = "scopes",
     .field = [](OauthSettings& o) -> FieldRef { return &o.scopes; },
     .help = "Tokens must have all of these; clients are told them."},
    {.path = "keys_file",
     .field = [](OauthSettings& o) -> FieldRef { return &o.keys_file; },
     .help = "JWK Set with the issuer's public keys: RS256, PS256, ES256, EdDSA."},
    {.path = "keys_url",
     .field = [](OauthSettings& o) -> FieldRef { return &o.keys_url; },
     .help = "Where the issuer publishes its JWK Set, by https."},
    {.path = "introspection_url",
     .field = [](OauthSettings& o) -> FieldRef { return &o.introspection_url; },
     .help = "The issuer is asked here about each token (RFC 7662), by https; at most one row. For "
             "tokens that are not signed, and to hear of revoked ones within a minute."},
    {.path = "client_id",
     .field = [](OauthSettings& o) -> FieldRef { return &o.client_id; },
     .help = "The server's name at introspection_url."},
    {.path = "client_secret",
     .field = [](OauthSettings& o) -> FieldRef { return &o.client_secret; },
     .help = "Its secret.",
     .shown = Shown::Secret},
});

constexpr auto kTables = std::to_array<ConfigTable>({
    {"listener", "An address that is listened on. At least one."},
    {"route",
     "Where mail goes instead of to the hosts that DNS names: by recipient, sender or both."},
    {"relay_domain",
     "A domain that lives elsewhere and whose mail is taken from anybody: this server is its "
     "backup "
     "MX, or keeps its mail until it is asked for. A domain of `godwit domain` is local whatever "
     "stands here."},
    {"egress", "Addresses and a name to send from. None: what the system chooses, and `hostname`."},
    {"provider",
     "What one source may do at a provider, by its mail exchangers. Many come with the program: "
     "deploy/providers.toml."},
    {"certificate",
     "A TLS certificate. The one that has the name a client asks for is used, else the first."},
    {"zone", "A DNS zone that has name servers of its own, asked before any other."},
    {"tls_policy",
     "What TLS to a domain's exchangers must be, instead of what DANE and MTA-STS say."},
    {"web_host",
     "Where an HTTPS request of ours (MTA-STS policies, issuers of access tokens) goes instead of "
     "to the "
     "address that DNS names. The certificate is still checked against the name."},
    {"oauth",
     "Who issues access tokens that users may log in with (OAUTHBEARER, XOAUTH2) instead of a "
     "password, within TLS."},
});

}  // namespace

std::span<const ConfigKey<Settings>> settings_keys() {
    return kSettings;
}
std::span<const ConfigKey<ListenerSettings>> listener_keys() {
    return kListener;
}
std::span<const ConfigKey<RouteSettings>> route_keys() {
    return kRoute;
}
std::span<const ConfigKey<RelayDomainSettings>> relay_domain_keys() {
    return kRelayDomain;
}
std::span<const ConfigKey<EgressSettings>> egress_keys() {
    return kEgress;
}
std::span<const ConfigKey<ProviderSettings>> provider_keys() {
    return kProvider;
}
std::span<const ConfigKey<CertificateSettings>> certificate_keys() {
    return kCertificate;
}
std::span<const ConfigKey<ZoneSettings>> zone_keys() {
    return kZone;
}
std::span<const ConfigKey<TlsPolicySettings>> tls_policy_keys() {
    return kTlsPolicy;
}
std::span<const ConfigKey<WebHostSettings>> web_host_keys() {
    return kWebHost;
}
std::span<const ConfigKey<OauthSettings>> oauth_keys() {
    return kOauth;
}
std::span<const ConfigTable> config_tables() {
    return kTables;
}

std::string_view to_string(flow::Protocol protocol) {
    return kProtocols[static_cast<std::size_t>(protocol)];
}

}  // namespace godwit::app
