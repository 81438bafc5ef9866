// Hashes, MACs, key derivation and password hashing. The door of OpenSSL and libsodium; pure.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit {

using Sha256Digest = std::array<std::uint8_t, 32>;

Sha256Digest sha256(std::string_view bytes);
std::string sha256_bytes(std::string_view bytes);
std::string sha1_bytes(std::string_view bytes);
std::string hmac_sha256(std::string_view key, std::string_view bytes);
std::string hmac_sha1(std::string_view key, std::string_view bytes);
/// RFC 8018 PBKDF2 with HMAC-SHA-256; SCRAM's Hi(). Costs about 1 ms per 4,096 iterations.
std::string pbkdf2_sha256(std::string_view password, std::string_view salt,
                          std::uint32_t iterations);
/// True when equal; time depends on the lengths only.
bool constant_time_equal(std::string_view a, std::string_view b);

/// SHA-256 over a stream. Not thread-safe; movable.
class Sha256Stream {
public:
    Sha256Stream();
    ~Sha256Stream();
    Sha256Stream(Sha256Stream&&) noexcept;
    Sha256Stream& operator=(Sha256Stream&&) noexcept;
    void update(std::string_view bytes);
    /// Ends the stream; call once.
    Sha256Digest finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// What one Argon2id hash costs; defaults are OWASP's 19 MiB, two passes (about 33 ms here).
struct Argon2Cost {
    std::uint32_t memory_kib = 19456;
    std::uint32_t passes = 2;
};
/// PHC string "$argon2id$v=19$m=...". `salt` is 16 bytes from base/random. Blocks: offload pool
/// only.
Result<std::string> argon2id_hash(std::string_view password, std::string_view salt,
                                  Argon2Cost cost);
/// Blocks: offload pool only. False for a wrong password and for a string that is no Argon2id hash.
bool argon2id_verify(std::string_view phc, std::string_view password);

}  // namespace godwit
