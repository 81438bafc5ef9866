// The keys that an issuer signs access tokens with, as it publishes them. Pure and linear.
// RFC 7517 (JWK, JWK Set), RFC 7518 (RSA, EC), RFC 8037 (OKP); RFC 8725 (one algorithm, one
// kind of key).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace godwit::oauth {

/// Octets of a JWK Set: large issuers publish a dozen keys with their certificates.
inline constexpr std::size_t jwks_size_max = 64 * 1024;
/// Keys of a set: each may be tried for a token that names none.
inline constexpr std::size_t jwks_keys_max = 32;
/// Bits of an RSA modulus: below it signatures can be forged (RFC 7518), above it looking at
/// one costs milliseconds.
inline constexpr std::size_t rsa_bits_min = 2048;
inline constexpr std::size_t rsa_bits_max = 4096;

/// What tokens are signed with. None that a public key could be the secret of (HS256), and not
/// "none": they have no name here.
enum class SignatureAlgorithm : std::uint8_t { Rs256, Ps256, Es256, EdDsa };
std::optional<SignatureAlgorithm> find_algorithm(std::string_view name);

enum class KeyType : std::uint8_t { Rsa, P256, Ed25519 };
KeyType key_type_of(SignatureAlgorithm algorithm);

/// A public key; numbers as octets, the most significant first.
struct Jwk {
    KeyType type = KeyType::Rsa;
    std::string id;                               ///< "kid"; empty: none.
    std::optional<SignatureAlgorithm> algorithm;  ///< "alg": no other is taken.
    std::string first;                            ///< RSA: n; P-256 and Ed25519: x.
    std::string second;                           ///< RSA: e; P-256: y.
    bool operator==(const Jwk&) const = default;
};
/// May `key` have signed what says `algorithm` and `id` (empty: none)?
bool fits(const Jwk& key, SignatureAlgorithm algorithm, std::string_view id);

/// The keys of a JWK Set that can verify; others (for encryption, of other kinds, out of bounds)
/// are passed over (RFC 7517). Peer/Invalid when it is no set or none is left, LimitExceeded.
Result<std::vector<Jwk>> parse_jwks(std::string_view text);

/// RFC 7515: without padding, strict.
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace godwit::oauth
