#include "wire/oauth/token.h"

#include <gtest/gtest.h>

#include "base/encoding.h"
#include "wire/sasl/bearer.h"

namespace godwit::oauth {
namespace {

const WallTime kNow = from_unix_seconds(1'767'225'600);
constexpr std::string_view kHeader = R"({"alg":"ES256","kid":"k","typ":"at+jwt"})";

std::string jwt(std::string_view header, std::string_view claims) {
    return base64url_encode(header) + "." + base64url_encode(claims) + ".c2ln";
}
TokenRules rules() {
    return {.issuer = "https://id.example.test",
            .audience = "mail",
            .scopes = {"mail", "openid"},
            .account_claim = "email"};
}
std::string good(const std::string& more = "") {
    return R"({"iss":"https://id.example.test","aud":"mail","scope":"openid mail",)"
           R"("email":"alice@example.test","exp":1767229200)" +
           more + "}";
}
std::string verdict(const std::string& claims, const TokenRules& by = rules()) {
    const auto accepted = check_claims(*parse_json(claims), by, kNow);
    return accepted ? accepted->account : accepted.error().text;
}
std::string changed(std::string_view from, std::string_view to) {
    std::string text = good();
    text.replace(text.find(from), from.size(), to);
    return text;
}

TEST(Token, a_signed_one_is_read) {
    const std::string text = jwt(kHeader, R"({"iss":"i"})");
    const auto token = parse_signed_token(text);
    ASSERT_TRUE(token) << token.error().text;
    EXPECT_EQ(token->algorithm, SignatureAlgorithm::Es256);
    EXPECT_EQ(token->key_id, "k");
    EXPECT_EQ(token->signature, "sig");
    EXPECT_EQ(token->signed_text, text.substr(0, text.rfind('.')));
    EXPECT_EQ(token->issuer(), "i");
}
TEST(Token, Rfc8725_what_is_no_token_of_ours) {
    for (const std::string& bad :
         {std::string("a.b"), std::string("a.b.c.d"), std::string(".."), std::string("!.e30.c2ln"),
          jwt(R"({"alg":"none"})", "{}"), jwt(R"({"alg":"HS256"})", "{}"),
          jwt(R"({"alg":"es256"})", "{}"), jwt(R"({"alg":1})", "{}"), jwt("{}", "{}"),
          jwt(R"({"alg":"ES256","crit":["exp"]})", "{}"), jwt(kHeader, "[]"), jwt(kHeader, "{"),
          base64url_encode(kHeader) + ".e30.", base64url_encode(kHeader) + ".e30.c2ln="}) {
        EXPECT_FALSE(parse_signed_token(bad)) << bad;
    }
}
TEST(Token, its_length_is_bounded) {
    const auto of = [](std::size_t size) {
        std::string text = jwt(kHeader, "{}");
        // Signatures of a multiple of four characters decode.
        text.append((size - text.size()) / 4 * 4, 'A');
        return parse_signed_token(text +
                                  std::string(size > text.size() ? size - text.size() : 0, 'A'));
    };
    EXPECT_TRUE(of(sasl::bearer_token_size_max - 4) || of(sasl::bearer_token_size_max - 2));
    EXPECT_FALSE(of(sasl::bearer_token_size_max + 1));
    EXPECT_FALSE(of(sasl::bearer_token_size_max + 4));
}
TEST(Token, claims_that_let_in) {
    EXPECT_EQ(verdict(good()), "alice@example.test");
    EXPECT_EQ(verdict(changed(R"("mail")", R"(["x","mail"])")), "alice@example.test");
    EXPECT_EQ(verdict(changed(R"("scope":"openid mail")", R"("scp":["mail","openid"])")),
              "alice@example.test");
    EXPECT_EQ(verdict(good(R"(,"email_verified":true)")), "alice@example.test");
    EXPECT_EQ(verdict(good(R"(,"nbf":1767225600.5,"iat":1767225600)")), "alice@example.test");
}
TEST(Token, claims_that_do_not) {
    EXPECT_EQ(verdict(changed("https://id.example.test", "https://id.example.test/")),
              "of another issuer");
    EXPECT_EQ(verdict(changed(R"("aud":"mail",)", "")), "for another audience");
    EXPECT_EQ(verdict(changed(R"("mail")", R"("mail2")")), "for another audience");
    EXPECT_EQ(verdict(changed("openid mail", "openid mailbox")), "without the scope mail");
    EXPECT_EQ(verdict(changed("alice@example.test", "")), "without a email");
    EXPECT_EQ(verdict(changed(R"("alice@example.test")", "7")), "without a email");
    EXPECT_EQ(verdict(good(R"(,"email_verified":false)")), "its email is not verified");
    EXPECT_EQ(verdict(good(R"(,"email_verified":0)")), "its email is not verified");
}
TEST(Token, Rfc7519_times_with_a_minute_of_leeway) {
    const auto exp = [](std::int64_t at) {
        return verdict(changed("1767229200", std::to_string(at)));
    };
    const std::int64_t now = unix_seconds(kNow);
    EXPECT_EQ(exp(now - 61), "it has expired");
    EXPECT_EQ(exp(now - 60), "it has expired");
    EXPECT_EQ(exp(now - 59), "alice@example.test");
    EXPECT_EQ(verdict(changed(R"(,"exp":1767229200)", "")), "it has no exp");
    EXPECT_EQ(verdict(changed("1767229200", "\"1767229200\"")), "exp is no time");
    EXPECT_EQ(verdict(changed("1767229200", "1e300")), "exp is no time");
    EXPECT_EQ(verdict(changed("1767229200", "-1")), "exp is no time");
    for (const std::string claim : {"nbf", "iat"}) {
        const auto at = [&](std::int64_t time) {
            return verdict(good(",\"" + claim + "\":" + std::to_string(time)));
        };
        EXPECT_EQ(at(now + 59), "alice@example.test");
        EXPECT_EQ(at(now + 60), "alice@example.test");
        EXPECT_EQ(at(now + 61), "its time has not come");
    }
}
TEST(Token, Rfc7662_what_the_issuer_says_itself) {
    TokenRules by = rules();
    by.is_introspected = true;
    by.audience = "";
    by.scopes = {};
    by.account_claim = "username";
    EXPECT_EQ(verdict(R"({"active":true,"username":"alice"})", by), "alice");
    EXPECT_EQ(verdict(R"({"active":true,"username":"alice","iss":"other"})", by),
              "of another issuer");
    EXPECT_EQ(verdict(R"({"active":true,"username":"alice","exp":1})", by), "it has expired");
    EXPECT_TRUE(parse_introspection(R"({"active":true})")->has_value());
    EXPECT_FALSE(parse_introspection(R"({"active":false,"username":"alice"})")->has_value());
    EXPECT_FALSE(parse_introspection(R"({"active":"true"})"));
    EXPECT_FALSE(parse_introspection("{}"));
    EXPECT_FALSE(parse_introspection("<html>"));
}
TEST(Token, what_is_asked_of_an_issuer) {
    EXPECT_EQ(introspection_request("a+/b=~"), "token=a%2B%2Fb%3D~&token_type_hint=access_token");
    // RFC 6749: both are encoded as in a form first.
    EXPECT_EQ(client_authorization("mail:x", "s\xC3\xA9"),
              "Basic " + base64_encode("mail%3Ax:s%C3%A9"));
    EXPECT_EQ(discovery_url("https://id.example.test/realms/x/"),
              "https://id.example.test/realms/x/.well-known/openid-configuration");
}
TEST(Token, a_discovery_document_is_of_its_issuer) {
    EXPECT_EQ(*parse_discovery(R"({"issuer":"i","jwks_uri":"https://k"})", "i"), "https://k");
    EXPECT_FALSE(parse_discovery(R"({"issuer":"j","jwks_uri":"https://k"})", "i"));
    EXPECT_FALSE(parse_discovery(R"({"issuer":"i"})", "i"));
    const std::string text = R"({"issuer":"i","jwks_uri":"https://k"})";
    const auto padded = [&](std::size_t size) {
        return parse_discovery(text + std::string(size - text.size(), ' '), "i");
    };
    EXPECT_TRUE(padded(issuer_answer_size_max - 1));
    EXPECT_TRUE(padded(issuer_answer_size_max));
    EXPECT_FALSE(padded(issuer_answer_size_max + 1));
}

}  // namespace
}  // namespace godwit::oauth
