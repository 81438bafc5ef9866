// Is this signature of this key? For tokens of others. The door of OpenSSL beside TLS itself.
// RFC 7518 (RS256, PS256, ES256), RFC 8037 (EdDSA).
#pragma once

#include <string_view>

#include "wire/oauth/jwk.h"

namespace godwit::net {

/// False for a wrong signature, a key that is no key, and an algorithm that is not the key's.
/// Costs up to about 0.2 ms; any thread.
bool is_signature(const oauth::Jwk& key, oauth::SignatureAlgorithm algorithm,
                  std::string_view message, std::string_view signature);

}  // namespace godwit::net
