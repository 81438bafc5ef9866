// OAuth bearer tokens in SASL: what clients say in OAUTHBEARER and XOAUTH2, and the error they are
// told. RFC 7628 3.1, 3.2.2; RFC 6750 2.1 (b64token). XOAUTH2 is Google's older form of the same,
// which Microsoft speaks too. Pure and linear.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::sasl {

/// Of a token. Tokens of Microsoft have about 2,500 octets; a line of AUTH holds 12,288 of base64.
inline constexpr std::size_t bearer_token_size_max = 8192;

struct BearerRequest {
    std::string authzid;  ///< OAUTHBEARER: "a=" of the GS2 header; XOAUTH2: "user=". Empty: none.
    std::string token;    ///< 1 to bearer_token_size_max octets of the b64token alphabet.
    std::string host;     ///< Of OAUTHBEARER, as the client called us; empty: not said.
    std::string port;     ///< The same.
};

/// Peer error for what does not follow the grammar, and for another scheme than Bearer.
Result<BearerRequest> parse_oauthbearer(std::string_view message);
Result<BearerRequest> parse_xoauth2(std::string_view message);

/// What a client says; the fields follow the grammar.
std::string make_oauthbearer(const BearerRequest& request);
std::string make_xoauth2(const BearerRequest& request);
/// Of the b64token alphabet and no longer than bearer_token_size_max?
bool is_bearer_token(std::string_view text);

/// Why a token is refused, for the JSON of RFC 7628 3.2.2.
struct BearerRefusal {
    std::string scope;                 ///< Empty: none is asked for.
    std::string openid_configuration;  ///< URL of the issuer's discovery document; empty: none.
};
/// {"status":"invalid_token", ...}
std::string oauthbearer_error(const BearerRefusal& refusal);
/// {"status":"401","schemes":"bearer", ...}: what clients of XOAUTH2 look for.
std::string xoauth2_error(const BearerRefusal& refusal);

}  // namespace godwit::sasl
