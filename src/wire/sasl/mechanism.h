// THE TABLE of SASL mechanisms: names as announced, what each needs, in the order of preference.
// RFC 4616 (PLAIN), RFC 5802 and RFC 7677 (SCRAM-SHA-1 and
// SCRAM-SHA-256, -PLUS); EXTERNAL (RFC 4422 appendix A);
// OAUTHBEARER (RFC 7628) and XOAUTH2, its older form; LOGIN is the old draft
// that Outlook and printers speak. No CRAM-MD5, NTLM or DIGEST, ever
// (SECURITY.md T40).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::sasl {

enum class Mechanism : std::uint8_t {
    External,
    ScramSha256Plus,
    ScramSha1Plus,
    ScramSha256,
    ScramSha1,
    OAuthBearer,
    XOAuth2,
    Plain,
    Login
};

/// What verifies the other side of a SCRAM exchange.
enum class ScramHash : std::uint8_t { Sha256, Sha1 };

struct MechanismRow {
    Mechanism mechanism;
    std::string_view name;
    bool reveals_password;       ///< The password (or token) crosses the wire: TLS only.
    bool needs_channel_binding;  ///< Announced only where the channel gives binding bytes.
    bool client_first;           ///< The client speaks first, so an initial response is possible.
    std::optional<ScramHash> scram = std::nullopt;  ///< It is SCRAM, with this hash.
    bool bears_token = false;                       ///< An access token instead of a password.
};

/// All rows, strongest first.
std::span<const MechanismRow> mechanisms();
const MechanismRow& row_of(Mechanism mechanism);
/// By name, any case; nullptr when unknown.
const MechanismRow* find_mechanism(std::string_view name);

/// Channel binding bytes as the TLS layer gives them; empty where it has none.
struct ChannelBindings {
    std::string tls_exporter;          ///< RFC 9266; TLS 1.3.
    std::string tls_server_end_point;  ///< RFC 5929: hash of the server's certificate.
    /// The client has shown a certificate that verifies and names at least one
    /// address.
    bool has_client_certificate = false;
    [[nodiscard]] bool is_empty() const {
        return tls_exporter.empty() && tls_server_end_point.empty();
    }
    /// The bytes of a binding type by its registered name; empty when not supported here.
    [[nodiscard]] std::string_view find(std::string_view type) const;
};

/// What one side can do with the mechanisms, beside what the channel gives.
struct Means {
    bool passwords_allowed = false;  ///< TLS is on, or a loopback development listener.
    bool has_sha1_keys = false;      ///< Every account that has a password has SCRAM-SHA-1 keys.
    bool takes_tokens = false;       ///< TLS is on, and there is an issuer; at clients: a token.
};

bool is_offered(const MechanismRow& row, const Means& means, const ChannelBindings& bindings);

/// What a service may announce: PLAIN and LOGIN only where passwords are
/// allowed, SCRAM-SHA-1 only with keys for it, -PLUS only with bindings,
/// EXTERNAL only with a client certificate, OAUTHBEARER and XOAUTH2 only where tokens are taken. In
/// the table's order.
std::vector<const MechanismRow*> offered_mechanisms(const Means& means,
                                                    const ChannelBindings& bindings);

}  // namespace godwit::sasl
