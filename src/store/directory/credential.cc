#include "store/directory/credential.h"

#include "base/limits.h"
#include "base/metrics.h"
#include "base/pbkdf2.h"

namespace godwit::store {

namespace {
constexpr std::size_t kSaltSize = 16;  // Of Argon2id.

Result<> check_password(std::string_view password) {
    if (password.empty() || password.size() > limits::password_size_max) {
        return peer_error(ErrorCode::LimitExceeded, "a password has 1 to " +
                                                        std::to_string(limits::password_size_max) +
                                                        " octets (limits.h: password_size_max)");
    }
    return {};
}
}  // namespace

ScramKeys make_scram_sha1(std::string_view password, std::string_view salt) {
    ScramKeys keys;
    keys.salt = salt;
    keys.iterations = kScramSha1Iterations;
    const std::string salted = pbkdf2_sha1(password, keys.salt, keys.iterations);
    keys.stored_key = sha1_bytes(hmac_sha1(salted, "Client Key"));
    keys.server_key = hmac_sha1(salted, "Server Key");
    return keys;
}

Result<Credentials> make_credentials(std::string_view password, Random& random, Argon2Cost cost) {
    TRY(check_password(password));
    Credentials credentials;
    credentials.argon2id = TRY(argon2id_hash(password, random.bytes(kSaltSize), cost));
    ScramKeys& scram = credentials.scram;
    scram.salt = random.bytes(kScramSaltSize);
    scram.iterations = kScramIterations;
    // RFC 5802 section 3: SaltedPassword, ClientKey, StoredKey, ServerKey.
    const std::string salted = pbkdf2_sha256(password, scram.salt, scram.iterations);
    scram.stored_key = sha256_bytes(hmac_sha256(salted, "Client Key"));
    scram.server_key = hmac_sha256(salted, "Server Key");
    credentials.scram_sha1 = make_scram_sha1(password, random.bytes(kScramSaltSize));
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
    const auto is_made_from = [password](const std::string& hash) {
        count(Metric::PasswordHashes);
        return argon2id_verify(hash, password);
    };
    if (!credentials.argon2id.empty()) {
        has_tried = true;
        if (is_made_from(credentials.argon2id)) {
            return true;
        }
    }
    for (const AppPassword& app_password : credentials.app_passwords) {
        has_tried = true;
        if (is_made_from(app_password.argon2id)) {
            return true;
        }
    }
    if (!has_tried) {
        // Nobody there must cost what somebody there costs; the hash itself is of no use.
        count(Metric::PasswordHashes);
        (void)argon2id_hash(password, std::string(kSaltSize, '\0'), cost);
    }
    return false;
}

}  // namespace godwit::store
