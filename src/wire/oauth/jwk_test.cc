#include "wire/oauth/jwk.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace godwit::oauth {
namespace {

// A key of `bits` bits; "AQAB" is 65537.
std::string rsa(std::size_t bits, const std::string& exponent = "AQAB",
                const std::string& more = "") {
    std::string modulus((bits + 7) / 8, '\xFF');
    if (bits % 8 != 0) {
        modulus[0] = static_cast<char>((1 << (bits % 8)) - 1);
    }
    return R"({"kty":"RSA","n":")" + base64url_encode(modulus) + R"(","e":")" + exponent + "\"" +
           more + "}";
}
const std::string kPoint = base64url_encode(std::string(32, 'x'));
std::string set(const std::string& keys) {
    return R"({"keys":[)" + keys + "]}";
}
bool is_taken(const std::string& key) {
    const auto keys = parse_jwks(set(key));
    return keys && keys->size() == 1;
}

TEST(Jwk, kinds_that_are_taken) {
    const auto keys =
        parse_jwks(set(rsa(2048, "AQAB", R"(,"kid":"a","use":"sig","alg":"PS256","x5c":["AA=="])") +
                       R"(,{"kty":"EC","crv":"P-256","x":")" + kPoint + R"(","y":")" + kPoint +
                       R"("},{"kty":"OKP","crv":"Ed25519","kid":"c","x":")" + kPoint + "\"}"));
    ASSERT_TRUE(keys) << keys.error().text;
    ASSERT_EQ(keys->size(), 3U);
    EXPECT_EQ((*keys)[0].id, "a");
    EXPECT_EQ((*keys)[0].algorithm, SignatureAlgorithm::Ps256);
    EXPECT_EQ((*keys)[1].type, KeyType::P256);
    EXPECT_EQ((*keys)[1].second, std::string(32, 'x'));
    EXPECT_EQ((*keys)[2].type, KeyType::Ed25519);
}
TEST(Jwk, what_cannot_verify_is_passed_over) {
    const std::string good = rsa(2048);
    for (const std::string& bad :
         {std::string("1"), std::string("{}"), std::string(R"({"kty":"oct","k":"AAAA"})"),
          rsa(2048, "AQAB", R"(,"use":"enc")"), rsa(2048, "AQAB", R"(,"alg":"HS256")"),
          rsa(2048, "AQAB", R"(,"alg":"ES256")"), rsa(2048, "AQAB", R"(,"alg":"RS512")"),
          rsa(2048, "AQ"), rsa(2048, "Ag"), rsa(2048, ""), rsa(2048, "AQAAAAE"),
          R"({"kty":"EC","crv":"P-256","x":")" + kPoint + "\"}",
          R"({"kty":"EC","crv":"P-384","x":")" + kPoint + R"(","y":")" + kPoint + "\"}",
          R"({"kty":"OKP","crv":"X25519","x":")" + kPoint + "\"}",
          std::string(R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"})")}) {
        EXPECT_FALSE(parse_jwks(set(bad))) << bad;
        EXPECT_EQ(parse_jwks(set(bad + "," + good))->size(), 1U) << bad;
    }
}
TEST(Jwk, sizes_of_rsa_keys) {
    EXPECT_FALSE(is_taken(rsa(rsa_bits_min - 1)));
    EXPECT_TRUE(is_taken(rsa(rsa_bits_min)));
    EXPECT_TRUE(is_taken(rsa(rsa_bits_min + 1)));
    EXPECT_TRUE(is_taken(rsa(rsa_bits_max - 1)));
    EXPECT_TRUE(is_taken(rsa(rsa_bits_max)));
    EXPECT_FALSE(is_taken(rsa(rsa_bits_max + 1)));
}
TEST(Jwk, the_set_is_bounded) {
    const auto of = [](std::size_t count) {
        std::string keys;
        for (std::size_t i = 0; i < count; ++i) {
            keys += (i == 0 ? "" : ",") + rsa(2048);
        }
        return parse_jwks(set(keys));
    };
    EXPECT_EQ(of(jwks_keys_max - 1)->size(), jwks_keys_max - 1);
    EXPECT_EQ(of(jwks_keys_max)->size(), jwks_keys_max);
    EXPECT_FALSE(of(jwks_keys_max + 1));
    const std::string text = set(rsa(2048));
    const auto padded = [&](std::size_t size) {
        return parse_jwks(text + std::string(size - text.size(), ' '));
    };
    EXPECT_TRUE(padded(jwks_size_max - 1));
    EXPECT_TRUE(padded(jwks_size_max));
    EXPECT_FALSE(padded(jwks_size_max + 1));
}
TEST(Jwk, what_is_no_set) {
    for (const std::string_view bad : {"", "[]", "{}", R"({"keys":{}})", R"({"keys":[]})"}) {
        EXPECT_FALSE(parse_jwks(bad)) << bad;
    }
}
TEST(Jwk, a_key_fits_its_algorithm_and_its_name) {
    Jwk key{.type = KeyType::Rsa, .id = "a", .algorithm = std::nullopt, .first = "", .second = ""};
    EXPECT_TRUE(fits(key, SignatureAlgorithm::Rs256, ""));
    EXPECT_TRUE(fits(key, SignatureAlgorithm::Ps256, "a"));
    EXPECT_FALSE(fits(key, SignatureAlgorithm::Rs256, "b"));
    // RFC 7517: naming keys is a choice; one without a name may be meant by any.
    Jwk unnamed = key;
    unnamed.id.clear();
    EXPECT_TRUE(fits(unnamed, SignatureAlgorithm::Rs256, "b"));
    EXPECT_FALSE(fits(key, SignatureAlgorithm::Es256, "a"));
    EXPECT_FALSE(fits(key, SignatureAlgorithm::EdDsa, "a"));
    key.algorithm = SignatureAlgorithm::Rs256;
    EXPECT_FALSE(fits(key, SignatureAlgorithm::Ps256, "a"));
}
TEST(Jwk, base64url_without_padding) {
    EXPECT_EQ(base64url_decode(""), "");
    EXPECT_EQ(base64url_decode("-_8"), "\xFB\xFF");
    for (const std::string_view bad : {"+/8", "-_8=", "-_9", "A", "A A"}) {
        EXPECT_FALSE(base64url_decode(bad)) << bad;
    }
}

}  // namespace
}  // namespace godwit::oauth
