// Who we are and whom we trust in TLS: certificates by name for servers, trust for clients.
// TLS 1.2 and up, forward secret AEAD suites, no renegotiation, no compression (T17). Contexts are
// built once and may be used on all shards; certificates are replaced while they serve.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/tls/tlsa.h"

namespace godwit::net {

/// Of one client certificate. Each costs a look-up at login.
inline constexpr std::size_t tls_client_addresses_max = 16;

/// A certificate chain (leaf first) and its private key, as PEM text.
struct TlsCertificate {
    std::string chain_pem;
    std::string key_pem;
};
/// Reads both files; a chain_file may hold the key too (then key_file is the same).
Result<TlsCertificate> read_tls_certificate(const std::string& chain_file,
                                            const std::string& key_file);

/// The text of a PEM file, at most limits::tls_pem_size_max.
Result<std::string> read_pem_file(const std::string& path);

/// What an administrator wants to see of a certificate.
struct CertificateFacts {
    std::vector<std::string> names;  ///< DNS names, lower case.
    WallTime not_before;
    WallTime not_after;
    std::string issuer;
};
Result<CertificateFacts> certificate_facts(std::string_view chain_pem);

/// The certificates of this server, shared by its listeners. Any thread.
class TlsCertificates {
public:
    TlsCertificates();
    ~TlsCertificates();
    /// Checks all (parse, key fits leaf, RSA >= 2048 bits), then takes them in one step: handshakes
    /// from here on use them. The first is the default for unknown or missing names. On error
    /// nothing changes. Names come from the certificates, "*.x" standing for one label.
    Result<> replace(const std::vector<TlsCertificate>& certificates);
    struct Set;
    /// The two halves of replace(), for who has more to prepare before anything may change: the
    /// checks, and the step, which cannot fail. An empty set: no TLS is offered any more.
    static Result<std::shared_ptr<const Set>> load(const std::vector<TlsCertificate>& certificates);
    void take(std::shared_ptr<const Set> set);
    [[nodiscard]] bool is_empty() const;
    [[nodiscard]] std::shared_ptr<const Set> current() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// One service's side of TLS. Tickets of one service are worth nothing to another (T15).
class TlsServerContext {
public:
    struct Options {
        std::string service{};  ///< "imaps": what tickets are bound to.
        std::vector<std::string>
            alpn{};  ///< Taken in this order. A client that offers only others is
                     ///< refused; one that offers none is served. Empty: ignored.
        /// PEM of the CAs of client certificates, at least one. Empty: none is
        /// asked for. With it a client may show one; one that does not verify is as
        /// good as none. No session is resumed then: each connection shows its
        /// certificate anew.
        std::string client_ca_pem{};
    };
    /// The certificates outlive it.
    static Result<std::unique_ptr<TlsServerContext>> create(const TlsCertificates* certificates,
                                                            Options options);
    ~TlsServerContext();
    struct State;
    [[nodiscard]] const State& state() const { return *state_; }

private:
    explicit TlsServerContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Whom our client side trusts.
class TlsClientContext {
public:
    struct Options {
        std::string ca_file{};         ///< PEM. Empty: the system's store.
        bool use_system_store = true;  ///< Looked at when ca_file is empty; false: trust nobody.
        std::optional<TlsCertificate> certificate{};  ///< Shown to servers that ask for one.
    };
    static Result<std::unique_ptr<TlsClientContext>> create(Options options);
    ~TlsClientContext();
    struct State;
    [[nodiscard]] const State& state() const { return *state_; }

private:
    explicit TlsClientContext(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

enum class TlsVerify : std::uint8_t {
    Opportunistic,  ///< Any certificate; what a check would have said is in TlsSession.
    Name,           ///< The chain must lead to a trusted CA and name `host` or one of `names`.
    Dane,           ///< One of `tlsa` must match (RFC 7671): DANE-EE whatever the certificate says,
                    ///< DANE-TA with a name as above. Trusted CAs say nothing.
};

struct TlsClientOptions {
    std::string host{};  ///< SNI, and the name to be verified. An IP address is verified, not sent.
    TlsVerify verify = TlsVerify::Name;
    std::vector<std::string> alpn{};
    std::vector<std::string> names{};  ///< Names that will do beside `host`.
    /// With Dane, at least one; usable ones (tlsa.h: is_usable_for_smtp).
    std::vector<TlsaRecord> tlsa{};
    /// What a session is kept under and resumed by: all that it was checked for, and where (C14).
    /// Empty: neither.
    std::string resume_key{};
};

enum class ChannelBinding : std::uint8_t {
    TlsServerEndPoint,  ///< RFC 5929: hash of the server's certificate.
    TlsExporter,        ///< RFC 9266: 32 bytes; TLS 1.3, or 1.2 with extended master secret.
};

/// What a handshake came to. Owned by the stream.
class TlsSession {
public:
    virtual ~TlsSession() = default;
    [[nodiscard]] virtual std::string version() const = 0;      ///< "TLSv1.3".
    [[nodiscard]] virtual std::string cipher() const = 0;       ///< "TLS_AES_256_GCM_SHA384".
    [[nodiscard]] virtual std::string server_name() const = 0;  ///< SNI, lower case; empty: none.
    [[nodiscard]] virtual std::string alpn() const = 0;         ///< Empty: none.
    [[nodiscard]] virtual bool is_resumed() const = 0;
    /// Client side: chain trusted (or TLSA matched) and name right, whether or not it was required.
    [[nodiscard]] virtual bool is_verified() const = 0;
    /// Client side: why not; empty when verified.
    [[nodiscard]] virtual std::string verify_error() const = 0;
    /// Client side: what the server sent, DER, leaf first (for DANE). Bounded by OpenSSL (100 KiB).
    [[nodiscard]] virtual std::vector<std::string> peer_chain() const = 0;
    /// Server side: the addresses (rfc822Name, SmtpUTF8Mailbox) in the client's
    /// certificate, at most tls_client_addresses_max; empty when it showed none
    /// or none that verifies.
    [[nodiscard]] virtual std::vector<std::string> client_addresses() const = 0;
    /// Empty when this session cannot give it.
    [[nodiscard]] virtual std::optional<std::string> channel_binding(ChannelBinding kind) const = 0;
};

}  // namespace godwit::net
