// Who may log in: the one place where SMTP, IMAP, POP3 and the rest ask. Passwords, SCRAM proofs,
// guessing, disabled accounts. SECURITY.md T36-T41, T46; RFC 4616 (authzid).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

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
    std::string name;            ///< The account's login name.
    std::uint64_t auth_epoch = 0;
};

struct LoginOutcome {
    sasl::Verdict verdict = sasl::Verdict::Denied;
    std::optional<LoggedIn> who;  ///< With Granted.
    bool is_throttled = false;    ///< Temporary because of too many failures: say so.
};

/// Name and password as PLAIN, LOGIN, IMAP LOGIN or USER/PASS gave them. Never a hint which of the
/// two was wrong, in words or in time. Costs an Argon2id hash on the password pool unless remembered.
net::Task<LoginOutcome> verify_password(const flow::Services* services, std::string authzid,
                                        std::string authcid, std::string password, net::Endpoint peer);

/// Keys for SCRAM; decoys that no proof fits for an unknown or disabled account, the same whatever way
/// its name is written (T38). Temporary error when throttled or when the store did not answer.
net::Task<Result<sasl::ScramKeys>> find_scram_keys(const flow::Services* services,
                                                                  std::string authcid,
                                                                  net::Endpoint peer);

/// After a proof (SCRAM, or the peer credentials of a local socket): is the account still there.
net::Task<LoginOutcome> admit_proved(const flow::Services* services, std::string authzid,
                                     std::string authcid, net::Endpoint peer);

/// Is what a session logged in with still good (T46)? False for a removed or disabled account and for
/// changed credentials; true when the store did not answer.
net::Task<bool> is_still_valid(const flow::Services* services, LoggedIn who);

/// A SASL exchange failed: counts against guessing.
void note_failure(const flow::Services* services, std::string_view authcid, const net::Endpoint& peer);

}  // namespace godwit::serve
