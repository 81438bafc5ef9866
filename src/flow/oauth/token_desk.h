// Whose access token is this? Signed tokens (JWT) are looked at here, with keys of a file or those
// that the issuer publishes; opaque ones are asked about. What issuers said is remembered, bounded.
// RFC 7519, RFC 7517, RFC 7662, OpenID Connect Discovery 1.0; RFC 6750 (tokens are secrets:
// none is logged or kept, but for its hash).
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "flow/oauth/key_shelf.h"
#include "flow/policy/recent_table.h"
#include "flow/services.h"
#include "net/io/locked.h"
#include "net/io/task.h"
#include "wire/oauth/jwk.h"
#include "wire/oauth/token.h"
#include "wire/sasl/bearer.h"

namespace godwit::flow {

/// For each request to an issuer: somebody waits to be let in.
inline constexpr std::chrono::seconds issuer_patience{10};
/// An issuer that could not be asked about a token is not asked again for this long: clients try
/// again at once.
inline constexpr std::chrono::seconds introspection_pause(5);
/// What introspection said of a token holds so long, and so long a revoked one still lets in.
inline constexpr std::chrono::seconds introspection_keep{60};
/// Rows of [[oauth]].
inline constexpr std::size_t oauth_issuers_max = 16;

/// Does any row let clients log in with tokens?
bool takes_tokens(const Settings& settings);
/// What a client is told whose token is refused: of the first row.
sasl::BearerRefusal token_refusal(const Settings& settings);

/// Any thread.
class TokenDesk {
public:
    /// The value of the account claim of a token that is good now. Peer error: it is not, with the
    /// reason for the log. Temporary error: the issuer could not be asked. May wait for it.
    net::Task<Result<std::string>> account_of(const Services* services, std::string token);

private:
    using Keys = KeyShelf::Keys;
    struct Tables {
        KeyShelf published;                                             // By name_of(row).
        RecentTable<std::optional<oauth::AcceptedToken>> introspected;  // By the token's hash.
        RecentTable<MonoTime> introspected_at;                          // The same keys.
        std::map<std::string, MonoTime> silent_until;  // By name_of(row): the configured ones.
    };
    class Fetching;

    net::Task<Result<Keys>> keys_of(const Services* services, OauthSettings row, bool wants_newer);
    net::Task<Result<std::string>> check_signed(const Services* services, OauthSettings row,
                                                oauth::SignedToken token);
    net::Task<Result<std::string>> introspect(const Services* services, OauthSettings row,
                                              std::string token);
    std::optional<oauth::AcceptedToken> remembered(const std::string& key, MonoTime now);

    net::Locked<Tables> tables_;
};

}  // namespace godwit::flow
