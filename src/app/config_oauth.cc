#include "app/config_oauth.h"

#include <algorithm>

#include "app/file.h"
#include "flow/oauth/token_desk.h"
#include "net/dial/https_client.h"

namespace godwit::app {

namespace {

using flow::OauthSettings;

Result<std::vector<oauth::Jwk>> read_keys(const std::string& path) {
    const std::string text = TRY(read_file(path, oauth::jwks_size_max));
    auto keys = oauth::parse_jwks(text);
    if (!keys) {
        return std::unexpected(std::move(keys.error()).within(path));
    }
    return keys;
}

class RowCheck {
public:
    RowCheck(const OauthSettings& row, std::size_t at, std::vector<OauthProblem>& out)
        : row_(row), at_(at), out_(out) {}

    void run() {
        if (row_.issuer.empty()) {
            problem("issuer", "is missing");
        }
        if (row_.account_claim.empty()) {
            problem("account_claim", "is empty");
        }
        const bool is_asked = !row_.introspection_url.empty();
        const auto ways = static_cast<int>(!row_.keys_file.empty()) +
                          static_cast<int>(!row_.keys_url.empty()) + static_cast<int>(is_asked);
        if (ways > 1) {
            problem("issuer", "takes one of keys_file, keys_url and introspection_url");
        } else if (ways == 0 && !row_.issuer.empty()) {
            check_url("issuer", oauth::discovery_url(row_.issuer));
        }
        check_url("keys_url", row_.keys_url);
        check_url("introspection_url", row_.introspection_url);
        if (row_.audience.empty() && !is_asked) {
            // RFC 8725: a token for another service of the issuer would be taken here.
            problem("audience", "is missing");
        }
        if (is_asked != !row_.client_id.empty() || is_asked != !row_.client_secret.empty()) {
            problem("client_id", "introspection_url, client_id and client_secret belong together");
        }
        if (!row_.keys_file.empty()) {
            if (const auto keys = read_keys(row_.keys_file); !keys) {
                problem("keys_file", keys.error().text);
            }
        }
    }

private:
    void problem(std::string key, std::string text) {
        out_.push_back({.row = at_, .key = std::move(key), .text = std::move(text)});
    }
    void check_url(const std::string& key, const std::string& url) {
        if (url.empty()) {
            return;
        }
        if (const auto parsed = net::parse_https_url(url); !parsed) {
            problem(key, parsed.error().text + ", found \"" + url + "\"");
        }
    }

    const OauthSettings& row_;
    std::size_t at_;
    std::vector<OauthProblem>& out_;
};

}  // namespace

std::vector<OauthProblem> oauth_problems(const flow::Settings& settings) {
    std::vector<OauthProblem> out;
    bool has_asked = false;
    for (std::size_t i = 0; i < settings.oauth.size(); ++i) {
        const OauthSettings& row = settings.oauth[i];
        RowCheck(row, i, out).run();
        const auto same = std::ranges::find(settings.oauth, row.issuer, &OauthSettings::issuer);
        if (!row.issuer.empty() && &*same != &row) {
            out.push_back({i, "issuer", "has two rows: \"" + row.issuer + "\""});
        }
        if (!row.introspection_url.empty() && std::exchange(has_asked, true)) {
            // An opaque token does not say whose it is; it is shown to no other issuer.
            out.push_back({i, "introspection_url", "only one row may have it"});
        }
    }
    if (settings.oauth.size() > flow::oauth_issuers_max) {
        out.push_back({flow::oauth_issuers_max, "issuer",
                       "is one more than " + std::to_string(flow::oauth_issuers_max) +
                           " (token_desk.h: oauth_issuers_max)"});
    }
    return out;
}

Result<> read_token_keys(flow::Settings& settings) {
    for (OauthSettings& row : settings.oauth) {
        if (!row.keys_file.empty()) {
            row.keys =
                std::make_shared<const std::vector<oauth::Jwk>>(TRY(read_keys(row.keys_file)));
        }
    }
    return {};
}

}  // namespace godwit::app
