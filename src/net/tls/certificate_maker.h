// Makes certificates where none were given: a private CA for dev mode, self-signed ones for init.
// ECDSA P-256. Blocks for a few milliseconds: at start, not on a shard.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "net/tls/context.h"

namespace godwit::net {

/// Valid from an hour ago for `lifetime`; names may be IP addresses; at least one.
Result<TlsCertificate> make_self_signed(const std::vector<std::string>& names, WallTime now,
                                        std::chrono::days lifetime);

/// A client's, for one mail address: rfc822Name, or SmtpUTF8Mailbox (RFC 9598)
/// when it is not ASCII. Self-signed, and so its own CA.
Result<TlsCertificate> make_client_certificate(const std::string& address, WallTime now,
                                               std::chrono::days lifetime);

struct DevCertificate {
    std::string ca_file;    ///< dir/ca.pem: what clients are told to trust.
    std::string cert_file;  ///< dir/cert.pem
    std::string key_file;   ///< dir/key.pem, mode 0600
};
/// Keeps what is in `dir` when it names all `names` and lasts a week more; else makes the CA (if
/// needed) and a server certificate anew. `dir` must exist.
Result<DevCertificate> make_dev_certificate(const std::string& dir,
                                            const std::vector<std::string>& names, WallTime now);

}  // namespace godwit::net
