// What TLS had to be with a next hop, on whose word, and what it came to: for the trace of an
// attempt and for operators. Plain data.
#pragma once

#include <string>

namespace godwit::flow {

/// Octets of why a certificate was not accepted that are kept.
inline constexpr std::size_t attempt_tls_error_size_max = 160;

struct AttemptTls {
    std::string policy;   ///< "none", "may", "encrypt", "verify" or "dane".
    std::string origin;   ///< Whose word that is: TlsPolicy::origin.
    std::string version;  ///< "TLSv1.3"; empty: in the clear, or no session was had.
    std::string cipher;
    bool is_verified = false;  ///< The certificate is the host's, whether or not it had to be.
    std::string error;         ///< Why it is not.
    bool operator==(const AttemptTls&) const = default;
};

}  // namespace godwit::flow
