// PBKDF2 with SHA-1, for SCRAM-SHA-1 alone; with SHA-256 it is in crypto.h. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace godwit {

/// RFC 8018 PBKDF2 with HMAC-SHA-1; Hi() of SCRAM-SHA-1 (RFC 5802 2.2). 20 octets. Costs about
/// 1 ms per 4,096 iterations: off the event loop.
std::string pbkdf2_sha1(std::string_view password, std::string_view salt, std::uint32_t iterations);

}  // namespace godwit
