// SCRAM's algebra and its messages. RFC 5802 3, 5.1, 7.
#include "wire/sasl/scram.h"

#include "base/ascii.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "base/limits.h"
#include "base/pbkdf2.h"

namespace godwit::sasl {

namespace {

std::unexpected<Error> malformed(std::string_view what) {
    return peer_error(ErrorCode::Invalid, "SCRAM: " + std::string(what));
}

/// Takes "x=value" off the front, up to the next comma, which is dropped.
std::optional<std::string_view> take_attribute(std::string_view& rest, char name) {
    if (rest.size() < 2 || rest[0] != name || rest[1] != '=') {
        return std::nullopt;
    }
    const std::size_t end = std::min(rest.find(','), rest.size());
    const std::string_view value = rest.substr(2, end - 2);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return value;
}

/// printable of RFC 5802 7: ASCII but space and ','. One nonce of either side.
bool is_nonce(std::string_view text) {
    if (text.empty() || text.size() > limits::sasl_name_size_max) {
        return false;
    }
    for (const char c : text) {
        if (!is_vchar(c) || c == ',') {
            return false;
        }
    }
    return true;
}

bool is_binding_name(std::string_view text) {
    for (const char c : text) {
        if (!is_alnum(c) && c != '.' && c != '-') {
            return false;
        }
    }
    return !text.empty();
}

Result<std::string> take_name(std::string_view text) {
    auto name = unescape_name(text);
    if (!name || name->empty() || name->size() > limits::sasl_name_size_max || !is_utf8(*name) ||
        name->find('\0') != std::string::npos) {
        return malformed("bad name");
    }
    return *std::move(name);
}

std::string exclusive_or(std::string a, std::string_view b) {
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
        a[i] = static_cast<char>(a[i] ^ b[i]);
    }
    return a;
}

std::string hash_of(ScramHash hash, std::string_view bytes) {
    return hash == ScramHash::Sha1 ? sha1_bytes(bytes) : sha256_bytes(bytes);
}
std::string mac_of(ScramHash hash, std::string_view key, std::string_view bytes) {
    return hash == ScramHash::Sha1 ? hmac_sha1(key, bytes) : hmac_sha256(key, bytes);
}
// Hi() of RFC 5802 2.2.
std::string salted_password(ScramHash hash, std::string_view password, std::string_view salt,
                            std::uint32_t iterations) {
    return hash == ScramHash::Sha1 ? pbkdf2_sha1(password, salt, iterations)
                                   : pbkdf2_sha256(password, salt, iterations);
}

}  // namespace

std::size_t hash_size(ScramHash hash) {
    return hash == ScramHash::Sha1 ? 20 : 32;
}

ScramKeys scram_keys(std::string_view password, std::string_view salt, std::uint32_t iterations,
                     ScramHash hash) {
    // RFC 5802 3: SaltedPassword, ClientKey, StoredKey, ServerKey.
    const std::string salted = salted_password(hash, password, salt, iterations);
    return ScramKeys{.salt = std::string(salt),
                     .iterations = iterations,
                     .stored_key = hash_of(hash, mac_of(hash, salted, "Client Key")),
                     .server_key = mac_of(hash, salted, "Server Key"),
                     .hash = hash};
}

bool scram_matches(const ScramKeys& keys, std::string_view password) {
    const ScramKeys made = scram_keys(password, keys.salt, keys.iterations, keys.hash);
    return constant_time_equal(made.stored_key, keys.stored_key);
}

ScramKeys scram_decoy(std::string_view secret, std::string_view name, std::uint32_t iterations,
                      ScramHash hash) {
    // Another seed for each hash: an account has another salt for each too.
    const std::string seed =
        hmac_sha256(secret, hash == ScramHash::Sha1 ? "sha-1 " + std::string(name) : name);
    return ScramKeys{.salt = hmac_sha256(seed, "salt").substr(0, 16),
                     .iterations = iterations,
                     .stored_key = hmac_sha256(seed, "stored").substr(0, hash_size(hash)),
                     .server_key = hmac_sha256(seed, "server").substr(0, hash_size(hash)),
                     .hash = hash};
}

Result<ScramClientFirst> parse_client_first(std::string_view message) {
    ScramClientFirst first;
    std::string_view rest = message;
    if (rest.starts_with("p=")) {
        const std::string_view type = take_attribute(rest, 'p').value_or("");
        if (!is_binding_name(type)) {
            return malformed("bad channel binding name");
        }
        first.binding = ScramClientFirst::Binding::Used;
        first.binding_type = type;
    } else if (rest.starts_with("n,") || rest.starts_with("y,")) {
        first.binding = rest[0] == 'y' ? ScramClientFirst::Binding::NotUsed
                                       : ScramClientFirst::Binding::NotSupported;
        rest.remove_prefix(2);
    } else {
        return malformed("message must start with n, y or p");
    }
    if (rest.starts_with("a=")) {
        first.authzid = TRY(take_name(take_attribute(rest, 'a').value_or("")));
    } else if (rest.starts_with(',')) {
        rest.remove_prefix(1);
    } else {
        return malformed("bad GS2 header");
    }
    first.gs2_header = message.substr(0, message.size() - rest.size());
    first.bare = rest;
    // RFC 5802 5.1: an unknown mandatory extension ("m=") fails, and so does anything but "n=".
    const auto name = take_attribute(rest, 'n');
    const auto nonce = take_attribute(rest, 'r');
    if (!name || !nonce || !is_nonce(*nonce)) {
        return malformed("client-first-message lacks name or nonce");
    }
    first.name = TRY(take_name(*name));
    first.nonce = *nonce;
    return first;
}

Result<ScramServerFirst> parse_server_first(std::string_view message) {
    std::string_view rest = message;
    const auto nonce = take_attribute(rest, 'r');
    const auto salt = take_attribute(rest, 's');
    const auto count = take_attribute(rest, 'i');
    if (!nonce || !salt || !count || !is_nonce(*nonce)) {
        return malformed("server-first-message lacks nonce, salt or iteration count");
    }
    auto salt_bytes = base64_decode(*salt);
    const auto iterations = parse_u32(*count);
    if (!salt_bytes || salt_bytes->empty()) {
        return malformed("bad salt");
    }
    if (!iterations || *iterations < limits::scram_iterations_min ||
        *iterations > limits::scram_iterations_max) {
        return malformed("iteration count outside limits.h: scram_iterations_min and _max");
    }
    return ScramServerFirst{
        .nonce = std::string(*nonce), .salt = *std::move(salt_bytes), .iterations = *iterations};
}

Result<ScramClientFinal> parse_client_final(std::string_view message, ScramHash hash) {
    std::string_view rest = message;
    const auto binding = take_attribute(rest, 'c');
    const auto nonce = take_attribute(rest, 'r');
    // Extensions may stand between; the proof is last (RFC 5802 7).
    const std::size_t proof_at = message.rfind(",p=");
    if (!binding || !nonce || !is_nonce(*nonce) || proof_at == std::string_view::npos) {
        return malformed("client-final-message lacks channel binding, nonce or proof");
    }
    auto binding_bytes = base64_decode(*binding);
    auto proof = base64_decode(message.substr(proof_at + 3));
    if (!binding_bytes || !proof || proof->size() != hash_size(hash)) {
        return malformed("bad base64 in client-final-message");
    }
    return ScramClientFinal{.channel_binding = *std::move(binding_bytes),
                            .nonce = std::string(*nonce),
                            .proof = *std::move(proof),
                            .without_proof = std::string(message.substr(0, proof_at))};
}

Result<std::string> parse_server_final(std::string_view message, ScramHash hash) {
    std::string_view rest = message;
    if (const auto error = take_attribute(rest, 'e')) {
        return malformed("the server says: " + std::string(error->substr(0, 80)));
    }
    const auto verifier = take_attribute(rest, 'v');
    auto signature = base64_decode(verifier.value_or(""));
    if (!verifier || !signature || signature->size() != hash_size(hash)) {
        return malformed("bad server-final-message");
    }
    return *std::move(signature);
}

std::string escape_name(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c == ',') {
            out += "=2C";
        } else if (c == '=') {
            out += "=3D";
        } else {
            out += c;
        }
    }
    return out;
}

std::optional<std::string> unescape_name(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '=') {
            out += text[i];
            continue;
        }
        const std::string_view code = text.substr(i, 3);
        if (code != "=2C" && code != "=3D") {
            return std::nullopt;
        }
        out += code == "=2C" ? ',' : '=';
        i += 2;
    }
    return out;
}

std::optional<std::string> verify_proof(const ScramKeys& keys, std::string_view auth_message,
                                        std::string_view proof) {
    // RFC 5802 3: the proof is ClientKey XOR ClientSignature; its hash must be StoredKey.
    const std::string signature = mac_of(keys.hash, keys.stored_key, auth_message);
    const std::string client_key = exclusive_or(std::string(proof), signature);
    if (proof.size() != hash_size(keys.hash) ||
        !constant_time_equal(hash_of(keys.hash, client_key), keys.stored_key)) {
        return std::nullopt;
    }
    return mac_of(keys.hash, keys.server_key, auth_message);
}

ScramProof make_proof(ScramHash hash, std::string_view password, const ScramServerFirst& first,
                      std::string_view auth_message) {
    const std::string salted = salted_password(hash, password, first.salt, first.iterations);
    const std::string client_key = mac_of(hash, salted, "Client Key");
    const std::string signature = mac_of(hash, hash_of(hash, client_key), auth_message);
    return {.proof = exclusive_or(client_key, signature),
            .server_signature = mac_of(hash, mac_of(hash, salted, "Server Key"), auth_message)};
}

}  // namespace godwit::sasl
