#include "app/config_oauth.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "flow/oauth/token_desk.h"

namespace godwit::app {
namespace {

flow::OauthSettings issuer(std::string name) {
    return {.issuer = std::move(name), .audience = "mail"};
}

TEST(ConfigOauth, An_issuer_has_one_row_and_one_row_asks_about_tokens) {
    flow::Settings settings;
    settings.oauth = {issuer("https://a.example"), issuer("https://b.example")};
    EXPECT_TRUE(oauth_problems(settings).empty());
    settings.oauth.push_back(issuer("https://a.example"));
    const std::vector<OauthProblem> twice = oauth_problems(settings);
    ASSERT_EQ(twice.size(), 1U);
    EXPECT_EQ(twice.front().row, 2U);
    EXPECT_EQ(twice.front().key, "issuer");
}

TEST(ConfigOauth, Rows_are_bounded) {
    flow::Settings settings;
    for (std::size_t i = 0; i < flow::oauth_issuers_max; ++i) {
        EXPECT_TRUE(oauth_problems(settings).empty()) << i;
        settings.oauth.push_back(issuer("https://" + std::to_string(i) + ".example"));
    }
    EXPECT_TRUE(oauth_problems(settings).empty());
    settings.oauth.push_back(issuer("https://more.example"));
    ASSERT_EQ(oauth_problems(settings).size(), 1U);
    EXPECT_EQ(oauth_problems(settings).front().row, flow::oauth_issuers_max);
}

TEST(ConfigOauth, Key_files_are_read_at_once_or_named_as_wrong) {
    const std::string path =
        (std::filesystem::temp_directory_path() / ("godwit-keys-" + std::to_string(::getpid())))
            .string();
    flow::Settings settings;
    settings.oauth = {issuer("https://a.example")};
    settings.oauth.front().keys_file = path;
    EXPECT_EQ(oauth_problems(settings).size(), 1U);
    EXPECT_FALSE(read_token_keys(settings).has_value());
    std::ofstream(path) << R"({"keys":[{"kty":"OKP","crv":"Ed25519",)"
                           R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})";
    EXPECT_TRUE(oauth_problems(settings).empty());
    ASSERT_TRUE(read_token_keys(settings).has_value());
    ASSERT_NE(settings.oauth.front().keys, nullptr);
    EXPECT_EQ(settings.oauth.front().keys->size(), 1U);
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace godwit::app
