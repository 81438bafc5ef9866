// What proves an account's login: an Argon2id hash, SCRAM keys beside it, and app passwords.
// RFC 5802 3 (StoredKey, ServerKey), RFC 7677. Pure; hashing costs tens of ms: offload pool.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/random.h"
#include "base/result.h"

namespace godwit::store {

/// Rounds of new SCRAM keys. RFC 7677 section 4 asks for at least 4096. A leaked SCRAM key must not
/// be much cheaper to try than the Argon2id hash beside it; more rounds than this make phones wait.
inline constexpr std::uint32_t kScramIterations = 15000;
/// The same for SHA-1, a round of which costs half.
inline constexpr std::uint32_t kScramSha1Iterations = 30000;

inline constexpr std::size_t kScramSaltSize = 16;

struct ScramKeys {
    std::string salt;
    std::uint32_t iterations = 0;
    std::string stored_key;
    std::string server_key;
    bool operator==(const ScramKeys&) const = default;
};
struct AppPassword {
    std::string name;      ///< "phone".
    std::string argon2id;  ///< PHC string.
    std::int64_t created_at = 0;
    bool operator==(const AppPassword&) const = default;
};
struct Credentials {
    std::string argon2id;  ///< PHC string; empty = no password login.
    ScramKeys scram;       ///< SCRAM-SHA-256.
    ScramKeys scram_sha1;  ///< Empty in rows of older versions until the password is seen again.
    std::vector<AppPassword> app_passwords;
    bool operator==(const Credentials&) const = default;
};

/// SCRAM-SHA-1 keys of a password (prepared by SASLprep). Blocks some ms.
ScramKeys make_scram_sha1(std::string_view password, std::string_view salt);
/// From a password (already prepared by SASLprep). Blocks tens of ms.
Result<Credentials> make_credentials(std::string_view password, Random& random, Argon2Cost cost);
Result<AppPassword> make_app_password(std::string_view name, std::string_view password,
                                      Random& random, Argon2Cost cost, std::int64_t now);
/// Tries the password and each app password. Blocks. With no usable hash it burns the same time
/// (T38).
bool verify_password(const Credentials& credentials, std::string_view password, Argon2Cost cost);

}  // namespace godwit::store
