// Who may log in: the one place where SMTP, IMAP, POP3 and the rest ask. Passwords, SCRAM proofs,
// guessing, disabled accounts. SECURITY.md T36-T41, T46; RFC 4616 (authzid).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "flow/services.h"
#include "net/io/endpoint.h"
#include "net/io/task.h"
#include "wire/sasl/scram.h"
#include "wire/sasl/server_exchange.h"

namespace godwit::serve {

/// What a session keeps of its login.
struct LoggedIn {
    AccountId account;
    std::string name;  ///< The account's login name.
    std::uint64_t auth_epoch = 0;
};

struct LoginOutcome {
    sasl::Verdict verdict = sasl::Verdict::Denied;
    std::optional<LoggedIn> who;  ///< With Granted.
    bool is_throttled = false;    ///< Temporary because of too many failures: say so.
};

/// The credentials that something was proved with: the account's for as long as its epoch stands.
struct CredentialMark {
    AccountId account;
    std::uint64_t auth_epoch = 0;
};

/// What a SCRAM exchange is held with. Keep the mark beside the exchange, for admit_proved().
struct ScramLookup {
    sasl::ScramKeys keys;
    std::optional<CredentialMark> mark;  ///< nullopt: decoys, which admit nobody.
};

/// Name and password as PLAIN, LOGIN, IMAP LOGIN or USER/PASS gave them. Never a hint which of the
/// two was wrong, in words or in time. Costs an Argon2id hash on the password pool unless
/// remembered. Denied too when the credentials changed meanwhile (T46). An account of an older
/// version that has no SCRAM-SHA-1 keys gets them here, once.
net::Task<LoginOutcome> verify_password(const flow::Services* services, std::string authzid,
                                        std::string authcid, std::string password,
                                        net::Endpoint peer);

/// Keys for SCRAM; decoys that no proof fits for an unknown or disabled account, the same whatever
/// way its name is written (T38), and for one without keys of that hash. Temporary error when
/// throttled or when the store did not answer.
net::Task<Result<ScramLookup>> find_scram_keys(const flow::Services* services, std::string authcid,
                                               sasl::ScramHash hash, net::Endpoint peer);

/// After a SCRAM proof that fits the keys `mark` came with. Denied when the account is gone or
/// disabled, or has other credentials by now: the proof is of an old password then (T46).
net::Task<LoginOutcome> admit_proved(const flow::Services* services,
                                     std::optional<CredentialMark> mark, std::string authzid,
                                     std::string authcid, net::Endpoint peer);

/// EXTERNAL (RFC 4422 appendix A): the account that one of the certificate's
/// `addresses` is the login name of. With an authzid it must be that account;
/// without, the addresses must lead to one account.
net::Task<LoginOutcome> admit_certificate(const flow::Services* services,
                                          std::vector<std::string> addresses, std::string authzid,
                                          net::Endpoint peer);

/// OAUTHBEARER and XOAUTH2: the account that an issuer of [[oauth]] names in the token. With an
/// authzid it must be that account. Waits for the issuer, flow::issuer_patience a request. An
/// account that is unknown or disabled is denied. The token is never logged.
net::Task<LoginOutcome> admit_token(const flow::Services* services, std::string token,
                                    std::string authzid, net::Endpoint peer);

/// Is what a session logged in with still good (T46)? False for a removed or disabled account and
/// for changed credentials; true when the store did not answer.
net::Task<bool> is_still_valid(const flow::Services* services, LoggedIn who);

/// A SASL exchange failed: counts against guessing.
void note_failure(const flow::Services* services, std::string_view authcid,
                  const net::Endpoint& peer);

}  // namespace godwit::serve
