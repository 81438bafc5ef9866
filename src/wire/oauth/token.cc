#include "wire/oauth/token.h"

#include <algorithm>
#include <cmath>

#include "base/ascii.h"
#include "base/encoding.h"
#include "wire/sasl/bearer.h"

namespace godwit::oauth {

namespace {

constexpr std::size_t kDepthMax = 8;
constexpr std::size_t kAccountSizeMax = 512;
// The year 9999: beyond it no time can be reckoned with.
constexpr double kTimeMax = 253'402'300'799;

std::unexpected<Error> malformed(std::string_view what) {
    return peer_error(ErrorCode::Invalid, "token: " + std::string(what));
}
std::unexpected<Error> refused(std::string what) {
    return peer_error(ErrorCode::Denied, std::move(what));
}

// RFC 7519: a NumericDate may have a fraction. Peer error for what is no time at all.
Result<std::optional<WallTime>> time_of(const JsonValue& claims, std::string_view name) {
    const JsonValue* member = claims.find(name);
    if (member == nullptr) {
        return std::nullopt;
    }
    double seconds = -1;
    if (const auto* whole = std::get_if<std::int64_t>(&member->value)) {
        seconds = static_cast<double>(*whole);
    } else if (const auto* broken = std::get_if<double>(&member->value)) {
        seconds = *broken;
    }
    if (!std::isfinite(seconds) || seconds < 0 || seconds > kTimeMax) {
        return refused(std::string(name) + " is no time");
    }
    return from_unix_seconds(static_cast<std::int64_t>(seconds));
}

// A text, or an array that holds it: "aud" (RFC 7519 4.1.3).
bool names(const JsonValue& claims, std::string_view claim, std::string_view wanted) {
    const JsonValue* member = claims.find(claim);
    if (member == nullptr) {
        return false;
    }
    if (const std::string* text = member->string()) {
        return *text == wanted;
    }
    const JsonValue::Array* list = member->array();
    return list != nullptr && std::ranges::any_of(*list, [&](const JsonValue& one) {
               return one.string() != nullptr && *one.string() == wanted;
           });
}

// "scope" is words (RFC 8693, RFC 7662); Microsoft's "scp" the same, Okta's an array.
bool has_scope(const JsonValue& claims, std::string_view wanted) {
    for (const std::string_view claim : {"scope", "scp"}) {
        if (names(claims, claim, wanted)) {
            return true;
        }
        const JsonValue* member = claims.find(claim);
        const std::string* text = member != nullptr ? member->string() : nullptr;
        if (text == nullptr) {
            continue;
        }
        const auto words = split(*text, ' ');
        if (std::ranges::find(words, wanted) != words.end()) {
            return true;
        }
    }
    return false;
}

Result<WallTime> check_times(const JsonValue& claims, bool is_introspected, WallTime now) {
    const std::optional<WallTime> expires = TRY(time_of(claims, "exp"));
    const std::optional<WallTime> begins = TRY(time_of(claims, "nbf"));
    const std::optional<WallTime> issued = TRY(time_of(claims, "iat"));
    if (!expires && !is_introspected) {
        return refused("it has no exp");
    }
    // RFC 7519 4.1.4: on or after exp it MUST NOT be accepted, but for a small leeway.
    if (expires && now >= *expires + clock_leeway) {
        return refused("it has expired");
    }
    if ((begins && now + clock_leeway < *begins) || (issued && now + clock_leeway < *issued)) {
        return refused("its time has not come");
    }
    return expires.value_or(WallTime::max());
}

}  // namespace

bool looks_signed(std::string_view token) {
    return std::ranges::count(token, '.') == 2;
}

Result<SignedToken> parse_signed_token(std::string_view token) {
    if (token.size() > sasl::bearer_token_size_max || !looks_signed(token)) {
        return malformed("not three parts (bearer.h: bearer_token_size_max)");
    }
    const std::size_t last = token.rfind('.');
    const std::size_t first = token.find('.');
    const auto header_text = base64url_decode(token.substr(0, first));
    const auto claims_text = base64url_decode(token.substr(first + 1, last - first - 1));
    auto signature = base64url_decode(token.substr(last + 1));
    if (!header_text || !claims_text || !signature || signature->empty()) {
        return malformed("not base64url");
    }
    const JsonValue header = TRY(parse_json(*header_text, kDepthMax));
    // RFC 8725: the algorithm is one of ours, and is held to the key's kind later.
    const auto algorithm = find_algorithm(header.string_or("alg", ""));
    if (!algorithm) {
        return malformed("of an algorithm that is not taken");
    }
    // RFC 7515: an extension that must be understood, and none is.
    if (header.find("crit") != nullptr) {
        return malformed("critical extensions");
    }
    SignedToken out{.algorithm = *algorithm,
                    .key_id = header.string_or("kid", ""),
                    .signed_text = std::string(token.substr(0, last)),
                    .signature = *std::move(signature),
                    .claims = TRY(parse_json(*claims_text, kDepthMax))};
    if (out.claims.object() == nullptr) {
        return malformed("its claims are no object");
    }
    return out;
}

Result<AcceptedToken> check_claims(const JsonValue& claims, const TokenRules& rules, WallTime now) {
    const bool may_be_silent = rules.is_introspected;
    if (!names(claims, "iss", rules.issuer) && (!may_be_silent || claims.find("iss") != nullptr)) {
        return refused("of another issuer");
    }
    if (!rules.audience.empty() && !names(claims, "aud", rules.audience)) {
        return refused("for another audience");
    }
    AcceptedToken out;
    out.expires_at = TRY(check_times(claims, may_be_silent, now));
    for (const std::string& scope : rules.scopes) {
        if (!has_scope(claims, scope)) {
            return refused("without the scope " + scope);
        }
    }
    out.account = claims.string_or(rules.account_claim, "");
    if (out.account.empty() || out.account.size() > kAccountSizeMax) {
        return refused("without a " + rules.account_claim);
    }
    // OpenID Connect Core 5.1: anybody can write any address into an account that is not verified.
    const JsonValue* verified = claims.find("email_verified");
    if (rules.account_claim == "email" && verified != nullptr &&
        !claims.bool_or("email_verified", false) &&
        claims.string_or("email_verified", "") != "true") {
        return refused("its email is not verified");
    }
    return out;
}

namespace {

// RFC 6749 appendix B; every octet but the unreserved ones.
std::string form_encode(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        if (is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
            out += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        out += {'%', kHex[octet >> 4], kHex[octet & 15]};
    }
    return out;
}

Result<JsonValue> object_of(std::string_view body) {
    if (body.size() > issuer_answer_size_max) {
        return peer_error(ErrorCode::LimitExceeded,
                          "the issuer's answer is too long (token.h: issuer_answer_size_max)");
    }
    JsonValue value = TRY(parse_json(body));
    if (value.object() == nullptr) {
        return peer_error(ErrorCode::Invalid, "the issuer's answer is no JSON object");
    }
    return value;
}

}  // namespace

std::string introspection_request(std::string_view token) {
    return "token=" + form_encode(token) + "&token_type_hint=access_token";
}

std::string client_authorization(std::string_view id, std::string_view secret) {
    return "Basic " + base64_encode(form_encode(id) + ":" + form_encode(secret));
}

Result<std::optional<JsonValue>> parse_introspection(std::string_view body) {
    JsonValue value = TRY(object_of(body));
    const JsonValue* active = value.find("active");
    if (active == nullptr || !std::holds_alternative<bool>(active->value)) {
        return peer_error(ErrorCode::Invalid, "the issuer's answer has no \"active\"");
    }
    return std::get<bool>(active->value) ? std::optional(std::move(value)) : std::nullopt;
}

std::string discovery_url(std::string_view issuer) {
    while (issuer.ends_with('/')) {
        issuer.remove_suffix(1);
    }
    return std::string(issuer) + "/.well-known/openid-configuration";
}

Result<std::string> parse_discovery(std::string_view body, std::string_view issuer) {
    const JsonValue value = TRY(object_of(body));
    if (value.string_or("issuer", "") != issuer) {
        return peer_error(ErrorCode::Denied, "the discovery document is of another issuer");
    }
    std::string keys = value.string_or("jwks_uri", "");
    if (keys.empty()) {
        return peer_error(ErrorCode::Invalid, "the discovery document has no jwks_uri");
    }
    return keys;
}

}  // namespace godwit::oauth
