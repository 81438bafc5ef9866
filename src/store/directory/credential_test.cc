#include "store/directory/credential.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "base/limits.h"
#include "base/pbkdf2.h"

namespace godwit::store {
namespace {

constexpr Argon2Cost kCheap{.memory_kib = 64, .passes = 1};

TEST(Credential, Password_and_app_passwords_open_the_account) {
    SeededRandom random(1);
    Credentials credentials = *make_credentials("correct horse", random, kCheap);
    credentials.app_passwords.push_back(*make_app_password("phone", "battery", random, kCheap, 5));
    EXPECT_TRUE(verify_password(credentials, "correct horse", kCheap));
    EXPECT_TRUE(verify_password(credentials, "battery", kCheap));
    EXPECT_FALSE(verify_password(credentials, "staple", kCheap));
    EXPECT_FALSE(verify_password(credentials, "", kCheap));
    EXPECT_FALSE(verify_password(Credentials{}, "", kCheap));
}

TEST(Credential, Sizes_are_bounded) {
    SeededRandom random(1);
    EXPECT_FALSE(make_credentials("", random, kCheap));
    EXPECT_FALSE(make_credentials(std::string(limits::password_size_max + 1, 'x'), random, kCheap));
}

// The exchange of RFC 7677 section 3: user "user", password "pencil", 4096 rounds.
TEST(Credential, Scram_keys_are_those_of_rfc_7677) {
    const std::string salted =
        pbkdf2_sha256("pencil", *base64_decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096);
    const std::string stored = sha256_bytes(hmac_sha256(salted, "Client Key"));
    const std::string server_key = hmac_sha256(salted, "Server Key");
    const std::string auth =
        "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)"
        "hNlF$k0";
    EXPECT_EQ(base64_encode(hmac_sha256(server_key, auth)),
              "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    SeededRandom random(7);
    const Credentials made = *make_credentials("pencil", random, kCheap);
    const std::string again = pbkdf2_sha256("pencil", made.scram.salt, made.scram.iterations);
    EXPECT_EQ(made.scram.stored_key, sha256_bytes(hmac_sha256(again, "Client Key")));
    EXPECT_EQ(made.scram.server_key, hmac_sha256(again, "Server Key"));
}

// RFC 5802 section 5: user "user", password "pencil".
TEST(Credential, Scram_sha1_keys_are_those_of_rfc_5802) {
    const std::string salted = pbkdf2_sha1("pencil", *base64_decode("QSXCR+Q6sek8bf92"), 4096);
    const std::string auth =
        "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
        "s=QSXCR+Q6sek8bf92,i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
    EXPECT_EQ(base64_encode(hmac_sha1(hmac_sha1(salted, "Server Key"), auth)),
              "rmF9pqV8S7suAoZWja4dJRkFsKQ=");
    SeededRandom random(7);
    const Credentials made = *make_credentials("pencil", random, kCheap);
    EXPECT_EQ(made.scram_sha1.iterations, kScramSha1Iterations);
    EXPECT_NE(made.scram_sha1.salt, made.scram.salt);
    EXPECT_EQ(made.scram_sha1, make_scram_sha1("pencil", made.scram_sha1.salt));
    const std::string again =
        pbkdf2_sha1("pencil", made.scram_sha1.salt, made.scram_sha1.iterations);
    EXPECT_EQ(made.scram_sha1.server_key, hmac_sha1(again, "Server Key"));
}

}  // namespace
}  // namespace godwit::store
