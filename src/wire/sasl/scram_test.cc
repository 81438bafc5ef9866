#include "wire/sasl/scram.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace godwit::sasl {
namespace {

TEST(Scram, proof_of_rfc7677_example) {
    const ScramKeys keys = scram_keys("pencil", *base64_decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096);
    const std::string auth_message =
        "n=user,r=rOprNGfwEbeRWgbNEkqO,"
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const auto signature = verify_proof(
        keys, auth_message, *base64_decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
    ASSERT_TRUE(signature);
    EXPECT_EQ(base64_encode(*signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    EXPECT_FALSE(verify_proof(keys, auth_message + "x",
                              *base64_decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")));
    EXPECT_TRUE(scram_matches(keys, "pencil"));
    EXPECT_FALSE(scram_matches(keys, "pencils"));
}
TEST(Scram, proof_of_rfc5802_example) {
    const ScramKeys keys =
        scram_keys("pencil", *base64_decode("QSXCR+Q6sek8bf92"), 4096, ScramHash::Sha1);
    const std::string auth_message =
        "n=user,r=fyko+d2lbbFgONRv9qkxdawL,"
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
    const std::string proof = *base64_decode("v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
    const auto signature = verify_proof(keys, auth_message, proof);
    ASSERT_TRUE(signature);
    EXPECT_EQ(base64_encode(*signature), "rmF9pqV8S7suAoZWja4dJRkFsKQ=");
    const ScramProof made =
        make_proof(ScramHash::Sha1, "pencil",
                   {.nonce = "", .salt = *base64_decode("QSXCR+Q6sek8bf92"), .iterations = 4096},
                   auth_message);
    EXPECT_EQ(made.proof, proof);
    EXPECT_EQ(made.server_signature, *signature);
    EXPECT_FALSE(verify_proof(keys, auth_message, proof + std::string(12, '\0')));
}
TEST(Scram, a_proof_has_the_size_of_its_hash) {
    const auto message = [](std::size_t size) {
        return "c=biws,r=abc,p=" + base64_encode(std::string(size, 'x'));
    };
    EXPECT_TRUE(parse_client_final(message(20), ScramHash::Sha1));
    EXPECT_FALSE(parse_client_final(message(32), ScramHash::Sha1));
    EXPECT_FALSE(parse_client_final(message(20), ScramHash::Sha256));
}
TEST(Scram, names_are_escaped_and_only_those_escapes_are_read) {
    EXPECT_EQ(escape_name("a,b=c"), "a=2Cb=3Dc");
    EXPECT_EQ(*unescape_name("a=2Cb=3Dc"), "a,b=c");
    EXPECT_FALSE(unescape_name("a=2cb"));
    EXPECT_FALSE(unescape_name("a="));
    EXPECT_FALSE(unescape_name("a=3"));
}
TEST(Scram, client_first_forms) {
    const auto plain = parse_client_first("n,,n=user,r=abc");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->gs2_header, "n,,");
    EXPECT_EQ(plain->bare, "n=user,r=abc");
    const auto bound = parse_client_first("p=tls-exporter,a=adm=2Cin,n=us=3Der,r=abc,x=ext");
    ASSERT_TRUE(bound);
    EXPECT_EQ(bound->binding_type, "tls-exporter");
    EXPECT_EQ(bound->authzid, "adm,in");
    EXPECT_EQ(bound->name, "us=er");
    EXPECT_EQ(bound->gs2_header, "p=tls-exporter,a=adm=2Cin,");
    for (const std::string_view bad :
         {"", "n", "n,", "n,,", "x,,n=a,r=b", "n,,m=ext,n=a,r=b", "n,,n=,r=b",
          "n,,n=a,r=", "n,,r=b,n=a", "p=,,n=a,r=b", "p=tls exporter,,n=a,r=b", "n,b,n=a,r=b",
          "n,,n=a=xx,r=b", "n,,n=a,r=b c", "n,,n=\xFF,r=b"}) {
        EXPECT_FALSE(parse_client_first(bad)) << bad;
    }
}
TEST(Scram, server_first_bounds_the_iteration_count) {
    EXPECT_TRUE(parse_server_first("r=abc,s=AAAA,i=4096"));
    EXPECT_TRUE(parse_server_first("r=abc,s=AAAA,i=1000000"));
    for (const std::string_view bad :
         {"r=abc,s=AAAA,i=4095", "r=abc,s=AAAA,i=1000001", "r=abc,s=AAAA,i=x", "r=abc,s=,i=4096",
          "r=abc,s=AAA,i=4096", "s=AAAA,r=abc,i=4096", "m=x,r=abc,s=AAAA,i=4096",
          "r=abc,s=AAAA,i=99999999999"}) {
        EXPECT_FALSE(parse_server_first(bad)) << bad;
    }
}
TEST(Scram, decoys_are_constant_for_a_name_and_differ_between_names) {
    EXPECT_EQ(scram_decoy("s", "a", 4096).salt, scram_decoy("s", "a", 4096).salt);
    EXPECT_NE(scram_decoy("s", "a", 4096).salt, scram_decoy("s", "b", 4096).salt);
    EXPECT_NE(scram_decoy("s", "a", 4096).salt, scram_decoy("t", "a", 4096).salt);
    EXPECT_EQ(scram_decoy("s", "a", 4096).salt.size(), 16U);
    const ScramKeys sha1 = scram_decoy("s", "a", 4096, ScramHash::Sha1);
    EXPECT_EQ(sha1.stored_key.size(), 20U);
    EXPECT_NE(sha1.salt, scram_decoy("s", "a", 4096).salt);
}

}  // namespace
}  // namespace godwit::sasl
