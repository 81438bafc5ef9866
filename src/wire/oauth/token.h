// Access tokens: signed ones (JWT), and what an issuer says of one when it is asked. Whether a
// signature is right is net/tls/signature's word; time is an argument. Pure and linear.
// RFC 7519, RFC 7515 (compact form), RFC 8725 (what goes wrong with them), RFC 7662
// (introspection), RFC 6749 (client credentials), OpenID Connect Discovery 1.0.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "wire/oauth/jwk.h"

namespace godwit::oauth {

/// How far an issuer's clock may be from ours.
inline constexpr std::chrono::seconds clock_leeway{60};
/// Octets of an answer to introspection, and of a discovery document: those seen have 2 to 8 KiB.
inline constexpr std::size_t issuer_answer_size_max = 64 * 1024;

/// A token as it was sent: nothing of it is believed yet.
struct SignedToken {
    SignatureAlgorithm algorithm = SignatureAlgorithm::Rs256;
    std::string key_id;       ///< "kid"; empty: none.
    std::string signed_text;  ///< What the signature is over.
    std::string signature;
    JsonValue claims;  ///< An object.
    [[nodiscard]] std::string issuer() const { return claims.string_or("iss", ""); }
};
/// Three parts with dots between them; else the token is opaque.
bool looks_signed(std::string_view token);
/// Peer/Invalid for what is no JWT of an algorithm we know, and for critical extensions.
Result<SignedToken> parse_signed_token(std::string_view token);

/// What a token must say to let somebody in.
struct TokenRules {
    std::string issuer;
    std::string audience;             ///< Empty: any (introspection alone).
    std::vector<std::string> scopes;  ///< All of them.
    std::string account_claim;        ///< Whose value is the login name.
    /// The issuer itself said this just now: it need not repeat who it is and when the token ends.
    bool is_introspected = false;
};
struct AcceptedToken {
    std::string account;    ///< As the claim says it.
    WallTime expires_at{};  ///< When the issuer did not say: WallTime::max().
};
/// Peer/Denied with the reason; it holds nothing of the token but what it lacks.
Result<AcceptedToken> check_claims(const JsonValue& claims, const TokenRules& rules, WallTime now);

/// The body (application/x-www-form-urlencoded) that asks about a token.
std::string introspection_request(std::string_view token);
/// "Basic ...": the value of Authorization.
std::string client_authorization(std::string_view id, std::string_view secret);
/// The claims; nullopt when the token is not active. Peer/Invalid when it is no such answer.
Result<std::optional<JsonValue>> parse_introspection(std::string_view body);

/// Where the discovery document of an issuer is.
std::string discovery_url(std::string_view issuer);
/// "jwks_uri" of the document, which must be this issuer's (OpenID Connect Discovery 4.3).
Result<std::string> parse_discovery(std::string_view body, std::string_view issuer);

}  // namespace godwit::oauth
