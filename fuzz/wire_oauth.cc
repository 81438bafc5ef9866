// What issuers publish and what clients show as tokens: JWK Sets, signed tokens and their claims,
// discovery documents, introspection. The first octet says which.
#include "base/result.h"
#include "input.h"
#include "wire/oauth/token.h"

using namespace godwit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const oauth::TokenRules rules{.issuer = "i",
                                  .audience = (data[0] & 16) != 0 ? "a" : "",
                                  .scopes = {"mail"},
                                  .account_claim = "email",
                                  .is_introspected = (data[0] & 32) != 0};
    const WallTime now = from_unix_seconds(1'767'225'600);
    const auto look_at = [&](const JsonValue& claims) {
        const auto accepted = oauth::check_claims(claims, rules, now);
        check(!accepted || !accepted->account.empty(), "an account has a name");
        check(!accepted || now - oauth::clock_leeway < accepted->expires_at, "it has not expired");
    };
    switch (data[0] % 5) {
        case 0:
            if (const auto keys = oauth::parse_jwks(text)) {
                check(!keys->empty() && keys->size() <= oauth::jwks_keys_max, "keys are bounded");
            }
            break;
        case 1:
            if (const auto token = oauth::parse_signed_token(text)) {
                look_at(token->claims);
            }
            break;
        case 2:
            if (const auto claims = parse_json(text); claims) {
                look_at(*claims);
            }
            break;
        case 3: (void)oauth::parse_discovery(text, "i"); break;
        default:
            if (const auto claims = oauth::parse_introspection(text); claims && *claims) {
                look_at(**claims);
            }
            break;
    }
    return 0;
}
