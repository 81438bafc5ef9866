#include "store/directory/credential.h"

#include "base/limits.h"

namespace godwit::store {

namespace {
constexpr std::size_t kSaltSize = 16;
// RFC 7677 section 4 asks for at least 4096. A leaked SCRAM key must not be much cheaper to try
// than the Argon2id hash beside it; more rounds than this make phones wait.
constexpr std::uint32_t kScramIterations = 15000;

Result<> check_password(std::string_view password) {
    if (password.empty() || password.size() > limits::password_size_max) {
        return peer_error(ErrorCode::LimitExceeded, "a password has 1 to " +
                                                        std::to_string(limits::password_size_max) +
                                                        " octets (limits.h: password_size_max)");
    }
    return {};
}
}  // namespace

Result<Credentials> make_credentials(std::string_view password, Random& random, Argon2Cost cost) {
    TRY(check_password(password));
    Credentials credentials;
    credentials.argon2id = TRY(argon2id_hash(password, random.bytes(kSaltSize), cost));
    ScramKeys& scram = credentials.scram;
    scram.salt = random.bytes(kSaltSize);
    scram.iterations = kScramIterations;
    // RFC 5802 section 3: SaltedPassword, ClientKey, StoredKey, ServerKey.
    const std::string salted = pbkdf2_sha256(password, scram.salt, scram.iterations);
    scram.stored_key = sha256_bytes(hmac_sha256(salted, "Client Key"));
    scram.server_key = hmac_sha256(salted, "Server Key");
    return credentials;
}

Result<AppPassword> make_app_password(std::string_view name, std::string_view password,
                                      Random& random, Argon2Cost cost, std::int64_t now) {
    TRY(check_password(password));
    AppPassword made{.name = std::string(name), .argon2id = {}, .created_at = now};
    made.argon2id = TRY(argon2id_hash(password, random.bytes(kSaltSize), cost));
    return made;
}

bool verify_password(const Credentials& credentials, std::string_view password, Argon2Cost cost) {
    if (password.size() > limits::password_size_max) {
        password = {};
    }
    bool has_tried = false;
    if (!credentials.argon2id.empty()) {
        has_tried = true;
        if (argon2id_verify(credentials.argon2id, password)) {
            return true;
        }
    }
    for (const AppPassword& app_password : credentials.app_passwords) {
        has_tried = true;
        if (argon2id_verify(app_password.argon2id, password)) {
            return true;
        }
    }
    if (!has_tried) {
        // Nobody there must cost what somebody there costs; the hash itself is of no use.
        (void)argon2id_hash(password, std::string(kSaltSize, '\0'), cost);
    }
    return false;
}

}  // namespace godwit::store
