// The table of configuration keys, and the rows of the [[tables]].
#include "app/config_keys.h"

#include <array>

namespace godwit::app {
namespace {

using flow::CertificateSettings;
using flow::ListenerSettings;
using flow::RouteSettings;
using flow::Settings;

constexpr std::array<std::string_view, 9> kProtocols = {
    "smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s", "http"};
constexpr std::array<std::string_view, 4> kRouteKinds = {"smtp", "lmtp", "discard", "hold"};
constexpr std::array<std::string_view, 4> kRouteTls = {"opportunistic", "required", "implicit",
                                                       "never"};
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
     .help = "Outbound sessions to one destination at a time.",
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
});

constexpr auto kRoute = std::to_array<ConfigKey<RouteSettings>>({
    {.path = "domain",
     .field = [](RouteSettings& r) -> FieldRef { return &r.domain; },
     .help =
         "\"example.com\", \"*.example.com\" for what is below it, or \"*\" for all that is not "
         "local. An exact one wins over \"*.\", which wins over \"*\"."},
    {.path = "kind",
     .field = [](RouteSettings& r) -> FieldRef { return enum_field(kRouteKinds, r.kind); },
     .help =
         "smtp or lmtp: send it to `host`; discard: accept, then drop; hold: keep in the queue."},
    {.path = "host",
     .field = [](RouteSettings& r) -> FieldRef { return &r.host; },
     .help = "Name or address of the next host. Its MX records are not looked at."},
    {.path = "port",
     .field = [](RouteSettings& r) -> FieldRef { return &r.port; },
     .help = "Port of the next host.",
     .min = 1,
     .max = 65535},
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
});

constexpr auto kCertificate = std::to_array<ConfigKey<CertificateSettings>>({
    {.path = "certificate_file",
     .field = [](CertificateSettings& c) -> FieldRef { return &c.certificate_file; },
     .help = "PEM file: the certificate, then the chain up to (not with) the root."},
    {.path = "key_file",
     .field = [](CertificateSettings& c) -> FieldRef { return &c.key_file; },
     .help = "PEM file of its private key."},
});

constexpr auto kTables = std::to_array<ConfigTable>({
    {"listener", "An address that is listened on. At least one."},
    {"route", "Where mail for a domain goes instead of to the hosts that DNS names."},
    {"certificate",
     "A TLS certificate. The one that has the name a client asks for is used, else the first."},
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
std::span<const ConfigKey<CertificateSettings>> certificate_keys() {
    return kCertificate;
}
std::span<const ConfigTable> config_tables() {
    return kTables;
}

std::string_view to_string(flow::Protocol protocol) {
    return kProtocols[static_cast<std::size_t>(protocol)];
}

}  // namespace godwit::app
