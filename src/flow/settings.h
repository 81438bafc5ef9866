// What the administrator decided, as plain values: read by the work and the desks, filled by
// app/config (TOML, command line, defaults). Every field has a key in app/config_keys but the last
// two of Settings, which only `godwit dev` sets: no public listener takes passwords in the clear
// (T36). Immutable once made; a reload makes a new one and swaps the shared_ptr.
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
};

/// Where mail for a domain goes instead of its MX.
struct RouteSettings {
    std::string domain;  ///< "example.com", "*.example.com", or "*" for all that is not local.
    enum class Kind : std::uint8_t { Smtp, Lmtp, Discard, Hold } kind = Kind::Smtp;
    std::string host;  ///< Name or address, without MX lookup.
    std::uint16_t port = 25;
    enum class Tls : std::uint8_t {
        Opportunistic,
        Required,
        Implicit,
        Never
    } tls = Tls::Opportunistic;
    /// Take mail for the domain on port 25 too, from anybody: a backup or relay domain.
    bool accepts_from_outside = false;
    std::string username;  ///< AUTH to a smart host; empty = none.
    std::string password;
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
    std::uint32_t deliveries_per_site = 10;  ///< Concurrent outbound sessions to one site.
    std::uint32_t deliveries_total = 200;
    std::chrono::seconds command_timeout = limits::smtp_command_timeout;
    std::uint32_t login_attempts_per_minute = 20;      ///< Failed ones, per account and address.
    std::uint32_t unknown_recipients_per_minute = 30;  ///< Per address that sends to us (T34).
};

/// DNS for MX look-ups.
struct ResolverSettings {
    std::vector<std::string> forward_to;  ///< "127.0.0.1:5353"; empty = what /etc/resolv.conf says.
    bool is_off = false;                  ///< Development: never look up, hold what is unrouted.
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

struct Settings {
    std::string hostname;        ///< EHLO name, Received by, certificate: "mx.example.org".
    std::string default_domain;  ///< Completes bare login names and postmaster.
    std::string data_folder = "/var/lib/godwit";
    std::vector<ListenerSettings> listeners;
    std::vector<RouteSettings> routes;  ///< First match wins: exact, then "*.x", then "*".
    std::vector<CertificateSettings> certificates;
    std::string ca_file;  ///< Trust for outbound verified TLS; empty = system's.
    RetrySettings retry;
    ForwardingSettings forwarding;
    ArchiveSettings archive;
    LimitSettings limits;
    ResolverSettings resolver;
    StorageSettings storage;
    Argon2Cost argon2;
    std::uint32_t shards = 0;  ///< Threads; 0 = one a core.
    std::uint32_t trace_keep_days = 30;
    std::string log_level = "info";
    bool is_development = false;
    /// Development on loopback only: LOGIN and AUTH without TLS.
    bool allow_plaintext_login = false;
};
using SettingsPtr = std::shared_ptr<const Settings>;

}  // namespace godwit::flow
