#include "net/tls/signature.h"

#include <gtest/gtest.h>

#include "wire/oauth/token.h"

namespace godwit::net {
namespace {

using oauth::Jwk;
using oauth::SignatureAlgorithm;

// Made once with other software: an RSA, a P-256 and an Ed25519 key, and a token signed in each
// way.
constexpr std::string_view kKeys =
    R"({"keys":[{"kty":"RSA","kid":"r1","use":"sig","n":"pUT-NMr37X5PelxOJjlxNGmxoJgN67053A)"
    R"(K25u70rulLsUtWPtSzOjN4GWwGk6M7deEeNkfvfe4ZNFkTT55x9f0kbUAhaN_2qbIniEeLVe7QcAuNcTYXw3)"
    R"(kQIxGKjskce6d2x0T_pGokFO3vtCztl4iW3eYTvspkPysxnrZMqljE1sivs7ijVje5359f8kweX0_r_CyUTN)"
    R"(XKiZboRF_XD8qtnBcTq1ve2seYN4w-dFDkwxyOqR2oAogroQtZpyHW1ZVIeL0mI3SW8KkItQi5qWsgkdrrbI)"
    R"(j9x59hffTOMWL1f5POsEFt4c8okZ0ZhG_-zqb_yS8qrwzeM-aChT3SZw","e":"AQAB"},{"kty":"EC","k)"
    R"(id":"e1","crv":"P-256","alg":"ES256","x":"otxIaRNFNNjIiTOgda-Urrbf_LSScmfW8SvD149KaJ)"
    R"(Y","y":"lMmby4t0y--s7a2lPll50VdBtlkLxc9symxCgMSEStY"},{"kty":"OKP","kid":"d1","crv":)"
    R"("Ed25519","x":"RfD6pgLYLCAcr5IMqbdkaObP_pvbgGtZzZKWNcWVDio"}]})";
constexpr std::string_view kRs256 =
    "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6InIxIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1w"
    "bGUudGVzdCIsImF1ZCI6Im1haWwiLCJlbWFpbCI6ImFsaWNlQGV4YW1wbGUudGVzdCIsInNjb3BlIjoib3Blbmlk"
    "IG1haWwiLCJpYXQiOjE3NjcyMjU1NDAsImV4cCI6NDEwMjQ0NDgwMH0.ViVqU1iMqnpKQGyioyD-4qGVerNlGGsu"
    "TlP2o0siSoi-m1i5rn0CM85ezqxgtH-1EMq5WSa9Eo9NjoIV8HXxGZiumJb89gaWun4v5XUzyXut4pM91QCq8fCf"
    "wKzWhtas4EukbYXe_TzI7NW6caAlyQn2ZvRymQsRlyA_PXl91p9XxCmIIj5dPYRhADhDnHSakjrjRSuPXCF4kQvv"
    "0zUlu7so-geF5CL__m9FPoJLjNMPGJh5eX1GN-RhyYpP7HxYNAtu8IckIIrPs76s7skCUbH-ciwq8lDTABRtxpAd"
    "evsARdiYkaTnsd7UKUH7jH_-8LItCMHxatU89l0FSb8ukw";
constexpr std::string_view kPs256 =
    "eyJhbGciOiJQUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6InIxIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1w"
    "bGUudGVzdCIsImF1ZCI6Im1haWwiLCJlbWFpbCI6ImFsaWNlQGV4YW1wbGUudGVzdCIsInNjb3BlIjoib3Blbmlk"
    "IG1haWwiLCJpYXQiOjE3NjcyMjU1NDAsImV4cCI6NDEwMjQ0NDgwMH0.j7lgc1n8Tq5f4D4BIps7tEjPzkNncLpq"
    "XvSqm5vKldNVsolLxlu1UyD1xroOhdD-LWMX5aYFtMh0Dn_wuNsUWzbAEE-BchEue92LeoDhyLdNcw7YdogxFKu4"
    "mGoK3NwraH0VRhYU11lzyD9WdW4PpW0sr__STyjw4XN8VCeJWvW0lYU2XBDWbl4K9XqAhw5l2g3rjp38mIP9YeAM"
    "mci241oLm7hbLQMztwcWnBa3Ou0OT0At3822_1uiPAgale4dgsvKENdPL2RDQASswtaiI5t6EmVHwmU6D-34hlp1"
    "dzpWaW6nQPjqfIzjEYKTNDXZCNiW9TArsWh00O1DHTqHpw";
constexpr std::string_view kEs256 =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImUxIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1w"
    "bGUudGVzdCIsImF1ZCI6Im1haWwiLCJlbWFpbCI6ImFsaWNlQGV4YW1wbGUudGVzdCIsInNjb3BlIjoib3Blbmlk"
    "IG1haWwiLCJpYXQiOjE3NjcyMjU1NDAsImV4cCI6NDEwMjQ0NDgwMH0.PBGMvKH8BbgmOrtJ60XcBzuukOghID5r"
    "Dvh722FcFps-WBn-ISl6NYqVsObIOTxPFS7K40BRs_NRUjw2TkXdlw";
constexpr std::string_view kEdDsa =
    "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImQxIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1w"
    "bGUudGVzdCIsImF1ZCI6Im1haWwiLCJlbWFpbCI6ImFsaWNlQGV4YW1wbGUudGVzdCIsInNjb3BlIjoib3Blbmlk"
    "IG1haWwiLCJpYXQiOjE3NjcyMjU1NDAsImV4cCI6NDEwMjQ0NDgwMH0.hweQ0mXR0YDFjAz-sxHzReVeZ20QVdsB"
    "jvxYZ7pfb7iD5I7sRcfK77U66UH4S5HmEeyUYXhoYoqZxUN9dzUYCQ";

std::vector<Jwk> keys() {
    return *oauth::parse_jwks(kKeys);
}

bool is_right(const Jwk& key, const oauth::SignedToken& token) {
    return is_signature(key, token.algorithm, token.signed_text, token.signature);
}

TEST(Signature, of_each_algorithm_by_its_key_alone) {
    const std::vector<Jwk> all = keys();
    ASSERT_EQ(all.size(), 3U);
    const std::pair<std::string_view, std::size_t> rows[] = {
        {kRs256, 0}, {kPs256, 0}, {kEs256, 1}, {kEdDsa, 2}};
    for (const auto& [text, key] : rows) {
        const oauth::SignedToken token = *oauth::parse_signed_token(text);
        for (std::size_t i = 0; i < all.size(); ++i) {
            EXPECT_EQ(is_right(all[i], token), i == key) << text;
        }
    }
}

TEST(Signature, one_changed_bit_is_wrong) {
    for (const std::string_view text : {kRs256, kPs256, kEs256, kEdDsa}) {
        const oauth::SignedToken token = *oauth::parse_signed_token(text);
        for (const Jwk& key : keys()) {
            oauth::SignedToken changed = token;
            changed.signed_text.back() = static_cast<char>(changed.signed_text.back() ^ 1);
            EXPECT_FALSE(is_right(key, changed));
            changed = token;
            changed.signature.back() = static_cast<char>(changed.signature.back() ^ 1);
            EXPECT_FALSE(is_right(key, changed));
            changed = token;
            changed.signature.pop_back();
            EXPECT_FALSE(is_right(key, changed));
            changed.signature.clear();
            EXPECT_FALSE(is_right(key, changed));
        }
    }
}

TEST(Signature, Rfc8725_the_algorithm_is_the_keys) {
    const oauth::SignedToken pkcs1 = *oauth::parse_signed_token(kRs256);
    const oauth::SignedToken pss = *oauth::parse_signed_token(kPs256);
    Jwk key = keys().front();
    EXPECT_FALSE(is_signature(key, SignatureAlgorithm::Ps256, pkcs1.signed_text, pkcs1.signature));
    EXPECT_FALSE(is_signature(key, SignatureAlgorithm::Rs256, pss.signed_text, pss.signature));
    key.algorithm = SignatureAlgorithm::Ps256;
    EXPECT_TRUE(is_right(key, pss));
    EXPECT_FALSE(is_right(key, pkcs1));
}

TEST(Signature, a_key_that_is_no_point_of_its_curve_fits_nothing) {
    const oauth::SignedToken token = *oauth::parse_signed_token(kEs256);
    Jwk key = keys()[1];
    key.second[0] = static_cast<char>(key.second[0] ^ 1);
    EXPECT_FALSE(is_right(key, token));
}

}  // namespace
}  // namespace godwit::net
