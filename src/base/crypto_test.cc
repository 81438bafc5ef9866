#include "base/crypto.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace godwit {
namespace {

TEST(Crypto, Sha256_of_abc_whole_and_in_pieces) {
    const std::string expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    EXPECT_EQ(hex_encode(sha256_bytes("abc")), expected);
    Sha256Stream stream;
    stream.update("a");
    stream.update("bc");
    const Sha256Digest digest = stream.finish();
    EXPECT_EQ(hex_encode({reinterpret_cast<const char*>(digest.data()), digest.size()}), expected);
}

TEST(Crypto, Pbkdf2_gives_the_key_of_rfc_7677) {
    // RFC 7677 section 3: the server signature key chain starts from this salted password.
    const std::string salt = *base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==");
    const std::string salted = pbkdf2_sha256("pencil", salt, 4096);
    const std::string server_key = hmac_sha256(salted, "Server Key");
    const std::string auth_message =
        "n=user,r=rOprNGfwEbeRWgbNEkqO,"
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    EXPECT_EQ(base64_encode(hmac_sha256(server_key, auth_message)),
              "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST(Crypto, Argon2id_accepts_the_password_and_nothing_else) {
    const auto phc = argon2id_hash("secret", "0123456789abcdef", {.memory_kib = 64, .passes = 1});
    ASSERT_TRUE(phc.has_value());
    EXPECT_TRUE(argon2id_verify(*phc, "secret"));
    EXPECT_FALSE(argon2id_verify(*phc, "Secret"));
    EXPECT_FALSE(argon2id_verify("$argon2id$v=19$m=64", "secret"));
    EXPECT_FALSE(argon2id_verify("", "secret"));
}

}  // namespace
}  // namespace godwit
