#include "wire/oauth/jwk.h"

#include <array>
#include <bit>
#include <utility>

#include "base/encoding.h"
#include "base/json.h"

namespace godwit::oauth {

namespace {

constexpr std::size_t kDepthMax = 8;
constexpr std::size_t kKeyIdMax = 512;
constexpr std::size_t kFieldSize = 32;  // Of P-256 and Ed25519.
// RSA: 65537 is what is used; a long exponent makes a signature costly to look at.
constexpr std::size_t kExponentSizeMax = 4;

constexpr auto kAlgorithms = std::to_array<std::pair<std::string_view, SignatureAlgorithm>>({
    {"RS256", SignatureAlgorithm::Rs256},
    {"PS256", SignatureAlgorithm::Ps256},
    {"ES256", SignatureAlgorithm::Es256},
    {"EdDSA", SignatureAlgorithm::EdDsa},
});

std::optional<std::string> octets_of(const JsonValue& key, std::string_view name) {
    const JsonValue* member = key.find(name);
    const std::string* text = member != nullptr ? member->string() : nullptr;
    return text != nullptr ? base64url_decode(*text) : std::nullopt;
}

std::string without_zeros(std::string number) {
    number.erase(0, std::min(number.find_first_not_of('\0'), number.size()));
    return number;
}

std::size_t bits_of(std::string_view number) {
    return number.empty()
               ? 0
               : (number.size() - 1) * 8 + static_cast<std::size_t>(std::bit_width(
                                               static_cast<unsigned char>(number.front())));
}

std::optional<Jwk> rsa_of(const JsonValue& value) {
    Jwk key{.type = KeyType::Rsa,
            .id = "",
            .algorithm = std::nullopt,
            .first = without_zeros(octets_of(value, "n").value_or("")),
            .second = without_zeros(octets_of(value, "e").value_or(""))};
    const std::size_t bits = bits_of(key.first);
    const bool is_odd = !key.second.empty() && (key.second.back() & 1) != 0;
    if (bits < rsa_bits_min || bits > rsa_bits_max || !is_odd || key.second == "\x01" ||
        key.second.size() > kExponentSizeMax) {
        return std::nullopt;
    }
    return key;
}

std::optional<Jwk> curve_of(const JsonValue& value, KeyType type) {
    Jwk key{.type = type,
            .id = "",
            .algorithm = std::nullopt,
            .first = octets_of(value, "x").value_or(""),
            .second = type == KeyType::P256 ? octets_of(value, "y").value_or("") : ""};
    const bool is_whole = key.first.size() == kFieldSize &&
                          (type != KeyType::P256 || key.second.size() == kFieldSize);
    return is_whole ? std::optional(std::move(key)) : std::nullopt;
}

std::optional<Jwk> key_of(const JsonValue& value) {
    // RFC 7517: a key for encryption signs nothing.
    if (value.string_or("use", "sig") != "sig") {
        return std::nullopt;
    }
    const std::string type = value.string_or("kty", "");
    const std::string curve = value.string_or("crv", "");
    std::optional<Jwk> key;
    if (type == "RSA") {
        key = rsa_of(value);
    } else if (type == "EC" && curve == "P-256") {
        key = curve_of(value, KeyType::P256);
    } else if (type == "OKP" && curve == "Ed25519") {
        key = curve_of(value, KeyType::Ed25519);
    }
    if (!key) {
        return std::nullopt;
    }
    key->id = value.string_or("kid", "");
    if (const JsonValue* algorithm = value.find("alg"); algorithm != nullptr) {
        key->algorithm = find_algorithm(value.string_or("alg", ""));
        if (!key->algorithm || key_type_of(*key->algorithm) != key->type) {
            return std::nullopt;
        }
    }
    return key->id.size() <= kKeyIdMax ? key : std::nullopt;
}

}  // namespace

std::optional<SignatureAlgorithm> find_algorithm(std::string_view name) {
    for (const auto& [known, algorithm] : kAlgorithms) {
        if (known == name) {
            return algorithm;
        }
    }
    return std::nullopt;
}

KeyType key_type_of(SignatureAlgorithm algorithm) {
    switch (algorithm) {
        case SignatureAlgorithm::Es256: return KeyType::P256;
        case SignatureAlgorithm::EdDsa: return KeyType::Ed25519;
        case SignatureAlgorithm::Rs256:
        case SignatureAlgorithm::Ps256: break;
    }
    return KeyType::Rsa;
}

bool fits(const Jwk& key, SignatureAlgorithm algorithm, std::string_view id) {
    return key.type == key_type_of(algorithm) && (!key.algorithm || *key.algorithm == algorithm) &&
           (id.empty() || key.id.empty() || key.id == id);
}

Result<std::vector<Jwk>> parse_jwks(std::string_view text) {
    if (text.size() > jwks_size_max) {
        return peer_error(ErrorCode::LimitExceeded,
                          "JWK Set of " + std::to_string(text.size()) + " octets exceeds " +
                              std::to_string(jwks_size_max) + " (jwk.h: jwks_size_max)");
    }
    const JsonValue set = TRY(parse_json(text, kDepthMax));
    const JsonValue* keys = set.find("keys");
    if (keys == nullptr || keys->array() == nullptr) {
        return peer_error(ErrorCode::Invalid, "JWK Set: expected a member \"keys\" with an array");
    }
    std::vector<Jwk> out;
    for (const JsonValue& value : *keys->array()) {
        std::optional<Jwk> key = key_of(value);
        if (key && out.size() == jwks_keys_max) {
            return peer_error(ErrorCode::LimitExceeded, "JWK Set: more than " +
                                                            std::to_string(jwks_keys_max) +
                                                            " keys (jwk.h: jwks_keys_max)");
        }
        if (key) {
            out.push_back(*std::move(key));
        }
    }
    if (out.empty()) {
        return peer_error(ErrorCode::Invalid,
                          "JWK Set: no public key for RS256, PS256, ES256 or EdDSA in it");
    }
    return out;
}

std::optional<std::string> base64url_decode(std::string_view text) {
    std::string plain(text);
    for (char& c : plain) {
        if (c == '+' || c == '/' || c == '=') {
            return std::nullopt;
        }
        c = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    plain.append((4 - plain.size() % 4) % 4, '=');
    return base64_decode(plain);
}

}  // namespace godwit::oauth
