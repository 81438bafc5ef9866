#include "wire/sasl/bearer.h"

#include <gtest/gtest.h>

namespace godwit::sasl {
namespace {

// RFC 7628 4.1.
TEST(Bearer, the_example_of_rfc_7628) {
    const auto request = parse_oauthbearer(
        "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01"
        "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01");
    ASSERT_TRUE(request) << request.error().text;
    EXPECT_EQ(request->authzid, "user@example.com");
    EXPECT_EQ(request->host, "server.example.com");
    EXPECT_EQ(request->port, "143");
    EXPECT_EQ(request->token, "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
}
TEST(Bearer, what_oauthbearer_may_leave_out_and_add) {
    const auto request = parse_oauthbearer(
        "n,,\x01"
        "x=1\x01"
        "AUTH=bearer  t.o-k_e~n+/\x01\x01");
    ASSERT_TRUE(request) << request.error().text;
    EXPECT_EQ(request->authzid, "");
    EXPECT_EQ(request->token, "t.o-k_e~n+/");
    EXPECT_EQ(parse_oauthbearer("y,a=a=2Cb,\x01"
                                "auth=Bearer t\x01\x01")
                  ->authzid,
              "a,b");
}
TEST(Bearer, xoauth2) {
    const auto request = parse_xoauth2(
        "user=someuser@example.com\x01"
        "auth=Bearer ya29.vF9\x01\x01");
    ASSERT_TRUE(request) << request.error().text;
    EXPECT_EQ(request->authzid, "someuser@example.com");
    EXPECT_EQ(request->token, "ya29.vF9");
}
TEST(Bearer, what_does_not_follow_the_grammar_is_refused) {
    for (const std::string_view bad : {"",
                                       "\x01",
                                       "n,,",
                                       "n,,\x01",
                                       "n,,\x01\x01",
                                       "n,a=,\x01"
                                       "auth=Bearer t\x01\x01",
                                       "p=tls-exporter,,\x01"
                                       "auth=Bearer t\x01\x01",
                                       "n,b=x,\x01"
                                       "auth=Bearer t\x01\x01",
                                       "n,,\x01"
                                       "auth=Basic t\x01\x01",
                                       "n,,\x01"
                                       "auth=Bearer\x01\x01",
                                       "n,,\x01"
                                       "auth=Bearer \x01\x01",
                                       "n,,\x01"
                                       "auth=Bearer a b\x01\x01",
                                       "n,,\x01"
                                       "auth=Bearer =\x01\x01",
                                       "n,,\x01"
                                       "auth=Bearer a=b\x01\x01",
                                       "n,,\x01"
                                       "auth=Bearer t\x01",
                                       "n,,\x01"
                                       "auth=Bearer t\x01\x01x",
                                       "n,,\x01"
                                       "auth=Bearer t\x01"
                                       "auth=Bearer u\x01\x01",
                                       "n,,\x01=x\x01\x01",
                                       "n,,\x01host\x01\x01",
                                       "n,,\x01host=\xFF\x01"
                                       "auth=Bearer t\x01\x01"}) {
        EXPECT_FALSE(parse_oauthbearer(bad)) << bad;
    }
    for (const std::string_view bad : {"", "user=",
                                       "user=\x01"
                                       "auth=Bearer t\x01\x01",
                                       "auth=Bearer t\x01\x01", "user=a\x01\x01",
                                       "user=\xFF\x01"
                                       "auth=Bearer t\x01\x01"}) {
        EXPECT_FALSE(parse_xoauth2(bad)) << bad;
    }
}
TEST(Bearer, tokens_are_bounded) {
    const auto parse = [](std::size_t size) {
        return parse_oauthbearer(
            "n,,\x01"
            "auth=Bearer " +
            std::string(size, 'x') + "\x01\x01");
    };
    EXPECT_TRUE(parse(bearer_token_size_max - 1));
    EXPECT_TRUE(parse(bearer_token_size_max));
    EXPECT_FALSE(parse(bearer_token_size_max + 1));
}
TEST(Bearer, errors_as_clients_look_for_them) {
    EXPECT_EQ(oauthbearer_error(
                  {.scope = "mail",
                   .openid_configuration = "https://id.example/.well-known/openid-configuration"}),
              R"({"status":"invalid_token","scope":"mail","openid-configuration":)"
              R"("https://id.example/.well-known/openid-configuration"})");
    EXPECT_EQ(xoauth2_error({}), R"({"status":"401","schemes":"bearer"})");
}

}  // namespace
}  // namespace godwit::sasl
