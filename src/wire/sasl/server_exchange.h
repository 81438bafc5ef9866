// One authentication exchange as the server sees it: messages in, steps out. Shared by SMTP, IMAP
// and POP3, which only carry the base64 around it. Pure: the caller looks up and verifies.
// RFC 4422; RFC 4616; RFC 5802; RFC 7677; RFC 4959 (initial response); RFC 7628.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "wire/sasl/bearer.h"
#include "wire/sasl/mechanism.h"
#include "wire/sasl/scram.h"

namespace godwit::sasl {

/// Send these bytes (base64 them first) and give the answer to respond().
struct Challenge {
    std::string bytes;
};
/// Verify this password (off the event loop), then call finish(). Names and passwords of all
/// steps have gone through SASLprep already.
/// An empty authzid means: the same as authcid.
struct NeedPassword {
    std::string authzid;
    std::string authcid;
    std::string password;
};
/// Look up the SCRAM keys of this name, then call keys().
struct NeedScramKeys {
    std::string authzid;
    std::string authcid;
    ScramHash hash = ScramHash::Sha256;
};
/// The TLS client certificate is the proof: may it act as authzid (empty:
/// whoever it names)? Then call finish().
struct NeedCertificate {
    std::string authzid;
};
/// Whose is this access token, and may it act as authzid (empty: whoever it names)? Then call
/// finish(); a refusal is told to the client in the mechanism's JSON before it ends in Failed.
struct NeedToken {
    std::string authzid;
    std::string token;  ///< Never to be logged.
};
/// The proof is right. Whether the account may log in (and act as authzid) is the caller's word,
/// given through finish().
struct Proved {
    std::string authzid;
    std::string authcid;
};
struct Done {
    std::string authzid;
    std::string authcid;
    Mechanism mechanism = Mechanism::Plain;
};
enum class Failure : std::uint8_t {
    Malformed,    ///< The message does not follow the mechanism's grammar: 501, BAD.
    Credentials,  ///< Wrong name, password, proof or channel binding: 535, NO.
    Cancelled,    ///< The client sent "*".
    Temporary,    ///< We could not look it up: 454, NO [UNAVAILABLE]. Never to be told as wrong.
};
struct Failed {
    Failure failure = Failure::Credentials;
    std::string authcid;  ///< Who it was about, when known. For rate limits and logs.
    std::string reason;   ///< For logs; the peer is never told.
};
using Step = std::variant<Challenge, NeedPassword, NeedScramKeys, NeedCertificate, NeedToken,
                          Proved, Done, Failed>;

enum class Verdict : std::uint8_t { Granted, Denied, Temporary };

struct ExchangeOptions {
    ChannelBindings bindings;
    bool plus_announced = false;  ///< A client that says "y" was lied to: RFC 5802 6.
    std::string nonce;            ///< Printable ASCII without ',', at least 18 random characters.
    std::string decoy_secret;     ///< For scram_decoy().
    BearerRefusal token_refusal = {};  ///< What a client is told whose token is refused.
};

/// Used once. Calls in any order that the last step does not ask for end in Failed{Malformed}.
class ServerExchange {
public:
    ServerExchange(Mechanism mechanism, ExchangeOptions options);
    /// `initial`: the initial response, decoded; nullopt when none came.
    Step start(std::optional<std::string_view> initial);
    /// The decoded answer to a Challenge.
    Step respond(std::string_view bytes);
    /// The client sent "*".
    Step cancel();
    /// Answer to NeedScramKeys: keys of the hash asked for. nullopt: nobody of that name has any
    /// (the exchange goes on with a decoy and fails at its end).
    Step keys(std::optional<ScramKeys> keys);
    /// Answer to NeedScramKeys when the lookup itself failed.
    Step unavailable();
    /// Answer to NeedPassword, NeedCertificate, NeedToken and Proved.
    Step finish(Verdict verdict);
    [[nodiscard]] Mechanism mechanism() const { return mechanism_; }

private:
    enum class State : std::uint8_t {
        New,
        External,
        Plain,
        LoginName,
        LoginPassword,
        ScramFirst,
        ScramKeysWanted,
        ScramFinal,
        ScramLast,
        Bearer,
        BearerRefused,
        Verdict,
        Over
    };
    [[nodiscard]] ScramHash scram_hash() const;
    Step fail(Failure failure, std::string_view reason);
    Step on_external(std::string_view bytes);
    Step on_bearer(std::string_view bytes);
    Step on_plain(std::string_view bytes);
    Step on_login_name(std::string_view bytes);
    Step on_login_password(std::string_view bytes);
    Step on_scram_first(std::string_view bytes);
    Step on_scram_final(std::string_view bytes);

    Mechanism mechanism_;
    ExchangeOptions options_;
    State state_ = State::New;
    std::string authzid_;
    std::string authcid_;
    ScramClientFirst first_;
    ScramKeys keys_;
    bool is_decoy_ = false;
    std::string server_first_;
};

}  // namespace godwit::sasl
