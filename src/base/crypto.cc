#include "base/crypto.h"

#include "base/pbkdf2.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include <cstring>
#include <new>

namespace godwit {

namespace {

// OpenSSL fails here for one reason: it finds no memory. That ends the process as it does
// everywhere else (STYLE.md: bad_alloc), and not as a mistake of ours.
void need_memory(bool is_done) {
    if (!is_done) {
        throw std::bad_alloc();
    }
}

const unsigned char* octets(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

std::string digest(const EVP_MD* type, std::string_view bytes) {
    std::string out(static_cast<std::size_t>(EVP_MD_get_size(type)), '\0');
    need_memory(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()),
                           nullptr, type, nullptr) == 1);
    return out;
}

std::string hmac(const EVP_MD* type, std::string_view key, std::string_view bytes) {
    std::string out(static_cast<std::size_t>(EVP_MD_get_size(type)), '\0');
    unsigned int size = 0;
    need_memory(HMAC(type, key.data(), static_cast<int>(key.size()), octets(bytes), bytes.size(),
                     reinterpret_cast<unsigned char*>(out.data()), &size) != nullptr);
    return out;
}

std::string pbkdf2(const EVP_MD* type, std::string_view password, std::string_view salt,
                   std::uint32_t iterations) {
    std::string out(static_cast<std::size_t>(EVP_MD_get_size(type)), '\0');
    need_memory(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), octets(salt),
                                  static_cast<int>(salt.size()), static_cast<int>(iterations), type,
                                  static_cast<int>(out.size()),
                                  reinterpret_cast<unsigned char*>(out.data())) == 1);
    return out;
}

}  // namespace

struct Sha256Stream::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    State() {
        need_memory(context != nullptr && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1);
    }
    ~State() { EVP_MD_CTX_free(context); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {}
Sha256Stream::~Sha256Stream() = default;
Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;
Sha256Stream& Sha256Stream::operator=(Sha256Stream&&) noexcept = default;

void Sha256Stream::update(std::string_view bytes) {
    need_memory(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

Sha256Digest Sha256Stream::finish() {
    Sha256Digest out{};
    need_memory(EVP_DigestFinal_ex(state_->context, out.data(), nullptr) == 1);
    return out;
}

Sha256Digest sha256(std::string_view bytes) {
    Sha256Digest out{};
    const std::string raw = digest(EVP_sha256(), bytes);
    std::memcpy(out.data(), raw.data(), out.size());
    return out;
}

std::string sha256_bytes(std::string_view bytes) {
    return digest(EVP_sha256(), bytes);
}
std::string sha1_bytes(std::string_view bytes) {
    return digest(EVP_sha1(), bytes);
}
std::string hmac_sha256(std::string_view key, std::string_view bytes) {
    return hmac(EVP_sha256(), key, bytes);
}
std::string hmac_sha1(std::string_view key, std::string_view bytes) {
    return hmac(EVP_sha1(), key, bytes);
}

std::string pbkdf2_sha256(std::string_view password, std::string_view salt,
                          std::uint32_t iterations) {
    return pbkdf2(EVP_sha256(), password, salt, iterations);
}
std::string pbkdf2_sha1(std::string_view password, std::string_view salt,
                        std::uint32_t iterations) {
    return pbkdf2(EVP_sha1(), password, salt, iterations);
}

bool constant_time_equal(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Result<std::string> argon2id_hash(std::string_view password, std::string_view salt,
                                  Argon2Cost cost) {
    check(salt.size() == crypto_pwhash_SALTBYTES, "Argon2id salts are 16 bytes");
    constexpr std::size_t kTagSize = 32;
    std::string tag(kTagSize, '\0');
    if (crypto_pwhash(reinterpret_cast<unsigned char*>(tag.data()), tag.size(), password.data(),
                      password.size(), octets(salt), cost.passes,
                      static_cast<std::size_t>(cost.memory_kib) * 1024,
                      crypto_pwhash_ALG_ARGON2ID13) != 0) {
        return temporary_error(ErrorCode::Unavailable, "no memory for Argon2id");
    }
    const auto unpadded64 = [](std::string_view bytes) {
        std::string out(
            sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL_NO_PADDING),
            '\0');
        sodium_bin2base64(out.data(), out.size(), octets(bytes), bytes.size(),
                          sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
        out.resize(std::strlen(out.c_str()));
        return out;
    };
    return "$argon2id$v=19$m=" + std::to_string(cost.memory_kib) +
           ",t=" + std::to_string(cost.passes) + ",p=1$" + unpadded64(salt) + "$" + unpadded64(tag);
}

bool argon2id_verify(std::string_view phc, std::string_view password) {
    if (phc.size() >= crypto_pwhash_STRBYTES || !phc.starts_with("$argon2id$")) {
        return false;
    }
    // libsodium reads a fixed, NUL-padded array.
    std::array<char, crypto_pwhash_STRBYTES> text{};
    std::memcpy(text.data(), phc.data(), phc.size());
    return crypto_pwhash_str_verify(text.data(), password.data(), password.size()) == 0;
}

}  // namespace godwit
