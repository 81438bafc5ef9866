#include "net/tls/signature.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "net/tls/openssl.h"

namespace godwit::net {

namespace {

using oauth::Jwk;
using oauth::KeyType;
using oauth::SignatureAlgorithm;

using NumberPtr = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using BuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using ParamsPtr = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;
using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using PairPtr = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;

constexpr std::size_t kFieldSize = 32;  // Of P-256.

const unsigned char* octets(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

NumberPtr number(std::string_view bytes) {
    return NumberPtr(BN_bin2bn(octets(bytes), static_cast<int>(bytes.size()), nullptr));
}

// Public numbers as an OpenSSL key; that a point lies on its curve is looked at there.
KeyPtr key_from(const char* type, OSSL_PARAM_BLD* builder) {
    const ParamsPtr params(OSSL_PARAM_BLD_to_param(builder));
    const KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* made = nullptr;
    if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
        return nullptr;
    }
    return KeyPtr(made);
}

KeyPtr load(const Jwk& key) {
    if (key.type == KeyType::Ed25519) {
        return KeyPtr(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(key.first),
                                                  key.first.size()));
    }
    const BuilderPtr builder(OSSL_PARAM_BLD_new());
    if (key.type == KeyType::Rsa) {
        // The builder borrows the numbers until it has made its parameters.
        const NumberPtr modulus = number(key.first);
        const NumberPtr exponent = number(key.second);
        if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
            OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
            return nullptr;
        }
        return key_from("RSA", builder.get());
    }
    const std::string point = "\x04" + key.first + key.second;  // SEC 1: not compressed.
    if (OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) !=
            1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1) {
        return nullptr;
    }
    return key_from("EC", builder.get());
}

// RFC 7518: r and s side by side; OpenSSL wants them in DER. Empty when it is no such pair.
std::string der_of(std::string_view pair) {
    if (pair.size() != 2 * kFieldSize) {
        return "";
    }
    const PairPtr made(ECDSA_SIG_new());
    NumberPtr r = number(pair.substr(0, kFieldSize));
    NumberPtr s = number(pair.substr(kFieldSize));
    if (!made || ECDSA_SIG_set0(made.get(), r.get(), s.get()) != 1) {
        return "";
    }
    (void)r.release();
    (void)s.release();
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(made.get(), &der);
    std::string out(reinterpret_cast<const char*>(der),
                    size > 0 ? static_cast<std::size_t>(size) : 0);
    OPENSSL_free(der);
    return out;
}

}  // namespace

bool is_signature(const Jwk& key, SignatureAlgorithm algorithm, std::string_view message,
                  std::string_view signature) {
    if (!oauth::fits(key, algorithm, "")) {
        return false;
    }
    const KeyPtr loaded = load(key);
    const DigestContextPtr context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* how = nullptr;
    const EVP_MD* digest = algorithm == SignatureAlgorithm::EdDsa ? nullptr : EVP_sha256();
    bool is_right = loaded && context &&
                    EVP_DigestVerifyInit(context.get(), &how, digest, nullptr, loaded.get()) == 1;
    if (is_right && algorithm == SignatureAlgorithm::Ps256) {
        is_right = EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
                   EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1;
    }
    const std::string der = algorithm == SignatureAlgorithm::Es256 ? der_of(signature) : "";
    const std::string_view shown = algorithm == SignatureAlgorithm::Es256 ? der : signature;
    is_right = is_right && EVP_DigestVerify(context.get(), octets(shown), shown.size(),
                                            octets(message), message.size()) == 1;
    ERR_clear_error();
    return is_right;
}

}  // namespace godwit::net
