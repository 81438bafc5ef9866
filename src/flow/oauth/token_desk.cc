#include "flow/oauth/token_desk.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/web_host.h"
#include "net/dial/https_client.h"
#include "net/tls/signature.h"

namespace godwit::flow {

namespace {

constexpr std::chrono::milliseconds kLook(100);  // While somebody else fetches the same keys.

std::unexpected<Error> unavailable(std::string what) {
    return temporary_error(ErrorCode::Unavailable, std::move(what));
}
std::unexpected<Error> refused(std::string what) {
    return peer_error(ErrorCode::Denied, std::move(what));
}

oauth::TokenRules rules_of(const OauthSettings& row, bool is_introspected) {
    return {.issuer = row.issuer,
            .audience = row.audience,
            .scopes = row.scopes,
            .account_claim = row.account_claim,
            .is_introspected = is_introspected};
}

// Where the keys come from: another URL is another set.
std::string name_of(const OauthSettings& row) {
    return row.issuer + "\n" + row.keys_url;
}

const OauthSettings* row_of_issuer(const Settings& settings, std::string_view issuer) {
    const auto found = std::ranges::find(settings.oauth, issuer, &OauthSettings::issuer);
    return found == settings.oauth.end() ? nullptr : &*found;
}

// Opaque tokens do not say whose they are: one issuer at most is asked about them.
const OauthSettings* row_that_asks(const Settings& settings) {
    const auto found = std::ranges::find_if(
        settings.oauth, [](const OauthSettings& row) { return !row.introspection_url.empty(); });
    return found == settings.oauth.end() ? nullptr : &*found;
}

struct Question {
    std::string url;
    std::string body{};
    std::string authorization{};
    std::size_t answer_size_max = oauth::issuer_answer_size_max;
};

net::Task<Result<std::string>> ask(const Services* services, Question question) {
    const net::HttpsUrl url = CO_TRY(net::parse_https_url(question.url));
    net::HttpsRequest request;
    request.host = url.host;
    request.port = url.port;
    request.path = url.path;
    request.at = find_web_host(*services->settings(), url.host);
    request.post_body = std::move(question.body);
    request.content_type = request.post_body.empty() ? "" : "application/x-www-form-urlencoded";
    request.authorization = std::move(question.authorization);
    request.body_size_max = question.answer_size_max;
    request.patience = issuer_patience;
    if (services->resolver == nullptr && !request.at) {
        co_return unavailable("look-ups are off, and no web_host names " + url.host);
    }
    net::HttpsResponse response = CO_TRY(co_await net::ask_https(
        services->network, services->resolver, services->tls_client, std::move(request)));
    if (response.status != 200) {
        co_return unavailable(url.host + " answered " + std::to_string(response.status));
    }
    co_return std::move(response.body);
}

net::Task<Result<std::vector<oauth::Jwk>>> fetch_keys(const Services* services, OauthSettings row) {
    if (row.keys_url.empty()) {
        Question where{.url = oauth::discovery_url(row.issuer)};
        const std::string document = CO_TRY(co_await ask(services, std::move(where)));
        row.keys_url = CO_TRY(oauth::parse_discovery(document, row.issuer));
    }
    Question question{.url = row.keys_url};
    question.answer_size_max = oauth::jwks_size_max;
    const std::string text = CO_TRY(co_await ask(services, std::move(question)));
    co_return oauth::parse_jwks(text);
}

}  // namespace

bool takes_tokens(const Settings& settings) {
    return !settings.oauth.empty();
}

sasl::BearerRefusal token_refusal(const Settings& settings) {
    sasl::BearerRefusal refusal;
    if (settings.oauth.empty()) {
        return refusal;
    }
    const OauthSettings& row = settings.oauth.front();
    for (const std::string& scope : row.scopes) {
        refusal.scope += (refusal.scope.empty() ? "" : " ") + scope;
    }
    // RFC 7628 3.2.2: it has the "https" scheme.
    if (row.issuer.starts_with("https://")) {
        refusal.openid_configuration = oauth::discovery_url(row.issuer);
    }
    return refusal;
}

// Ends a fetch that its coroutine did not live to end.
class TokenDesk::Fetching {
public:
    Fetching(TokenDesk* desk, std::string name) : desk_(desk), name_(std::move(name)) {}
    ~Fetching() {
        if (desk_ != nullptr) {
            desk_->tables_.with([&](Tables& tables) { tables.published.abandon(name_); });
        }
    }
    Fetching(const Fetching&) = delete;
    Fetching& operator=(const Fetching&) = delete;
    void end(Keys keys, MonoTime now) {
        std::exchange(desk_, nullptr)->tables_.with([&](Tables& tables) {
            tables.published.end(name_, std::move(keys), now);
        });
    }

private:
    TokenDesk* desk_;
    std::string name_;
};

net::Task<Result<TokenDesk::Keys>> TokenDesk::keys_of(const Services* services, OauthSettings row,
                                                      bool wants_newer) {
    if (row.keys) {
        co_return row.keys;
    }
    const std::string name = name_of(row);
    const MonoTime deadline = net::Shard::here().now() + 2 * issuer_patience;
    for (;;) {
        const MonoTime now = services->clock->mono();
        KeyShelf::Step step = tables_.with(
            [&](Tables& tables) { return tables.published.next(name, wants_newer, now); });
        if (step.next == KeyShelf::Next::Take) {
            co_return std::move(step.keys);
        }
        if (step.next == KeyShelf::Next::Fetch) {
            Fetching fetching(this, name);
            Result<std::vector<oauth::Jwk>> fetched = co_await fetch_keys(services, row);
            Keys keys = fetched
                            ? std::make_shared<const std::vector<oauth::Jwk>>(*std::move(fetched))
                            : Keys();
            fetching.end(keys, services->clock->mono());
            if (!fetched) {
                probe<"oauth.keys_not_fetched">();
                log::warn("oauth.keys_not_fetched",
                          {{"issuer", row.issuer}, {"error", fetched.error().text}});
            }
            if (keys || step.keys) {
                co_return keys ? std::move(keys) : std::move(step.keys);
            }
        }
        if (step.next != KeyShelf::Next::Wait || net::Shard::here().now() >= deadline) {
            co_return unavailable("the issuer's keys cannot be had");
        }
        // Who waits takes what the fetch under way brings, and begins no other: it is too early.
        co_await net::sleep_for(kLook);
    }
}

namespace {

bool is_right(const std::vector<oauth::Jwk>& keys, const oauth::SignedToken& token) {
    return std::ranges::any_of(keys, [&](const oauth::Jwk& key) {
        return oauth::fits(key, token.algorithm, token.key_id) &&
               net::is_signature(key, token.algorithm, token.signed_text, token.signature);
    });
}

bool has_key_for(const std::vector<oauth::Jwk>& keys, const oauth::SignedToken& token) {
    return std::ranges::any_of(keys, [&](const oauth::Jwk& key) {
        return oauth::fits(key, token.algorithm, token.key_id);
    });
}

// By the name that the token gives, and not only by its kind.
bool is_named(const std::vector<oauth::Jwk>& keys, const oauth::SignedToken& token) {
    return !token.key_id.empty() && std::ranges::any_of(keys, [&](const oauth::Jwk& key) {
        return key.id == token.key_id && oauth::fits(key, token.algorithm, token.key_id);
    });
}

}  // namespace

net::Task<Result<std::string>> TokenDesk::check_signed(const Services* services, OauthSettings row,
                                                       oauth::SignedToken token) {
    // What it says is cheaper to look at than its signature, and no fetch is for what has expired.
    const oauth::AcceptedToken accepted =
        CO_TRY(oauth::check_claims(token.claims, rules_of(row, false), services->clock->wall()));
    Keys keys = CO_TRY(co_await keys_of(services, row, false));
    if (!is_named(*keys, token) && !is_right(*keys, token)) {
        // Keys are changed now and then: newer ones may have been published.
        keys = CO_TRY(co_await keys_of(services, row, true));
    }
    if (!is_right(*keys, token)) {
        co_return refused(has_key_for(*keys, token) ? "a wrong signature"
                                                    : "of a key that the issuer does not have");
    }
    co_return accepted.account;
}

std::optional<oauth::AcceptedToken> TokenDesk::remembered(const std::string& key, MonoTime now) {
    return tables_.with([&](Tables& tables) -> std::optional<oauth::AcceptedToken> {
        const MonoTime* at = tables.introspected_at.find(key);
        const auto* token = tables.introspected.find(key);
        return at != nullptr && token != nullptr && now - *at < introspection_keep ? *token
                                                                                   : std::nullopt;
    });
}

net::Task<Result<std::string>> TokenDesk::introspect(const Services* services, OauthSettings row,
                                                     std::string token) {
    std::string rules = name_of(row) + "\n" + row.introspection_url + "\n" + row.audience + "\n" +
                        row.account_claim + "\n";
    for (const std::string& scope : row.scopes) {
        rules += scope + " ";
    }
    const std::string key = sha256_bytes(rules + "\n" + token);
    const std::string issuer = name_of(row);
    const bool is_silent = tables_.with([&](Tables& tables) {
        const auto until = tables.silent_until.find(issuer);
        return until != tables.silent_until.end() && services->clock->mono() < until->second;
    });
    const auto known = remembered(key, services->clock->mono());
    if (known && services->clock->wall() < known->expires_at) {
        probe<"oauth.introspection_remembered">();
        co_return known->account;
    }
    if (is_silent) {
        co_return unavailable("the issuer could not be asked a moment ago");
    }
    Question question{
        .url = row.introspection_url,
        .body = oauth::introspection_request(token),
        .authorization = oauth::client_authorization(row.client_id, row.client_secret)};
    const Result<std::string> body = co_await ask(services, std::move(question));
    Result<std::optional<JsonValue>> claims =
        body ? oauth::parse_introspection(*body)
             : Result<std::optional<JsonValue>>(std::unexpected(body.error()));
    if (!claims) {
        // Whatever was wrong with the answer, it was not the token.
        probe<"oauth.not_introspected">();
        tables_.with([&](Tables& tables) {
            tables.silent_until[issuer] = services->clock->mono() + introspection_pause;
        });
        log::warn("oauth.not_introspected",
                  {{"issuer", row.issuer}, {"error", claims.error().text}});
        co_return unavailable("the issuer cannot be asked");
    }
    if (!*claims) {
        co_return refused("not active");
    }
    oauth::AcceptedToken accepted =
        CO_TRY(oauth::check_claims(**claims, rules_of(row, true), services->clock->wall()));
    std::string account = accepted.account;
    tables_.with([&](Tables& tables) {
        tables.introspected.touch(key) = std::move(accepted);
        tables.introspected_at.touch(key) = services->clock->mono();
    });
    co_return account;
}

net::Task<Result<std::string>> TokenDesk::account_of(const Services* services, std::string token) {
    const SettingsPtr settings = services->settings();
    if (oauth::looks_signed(token)) {
        Result<oauth::SignedToken> parsed = oauth::parse_signed_token(token);
        const OauthSettings* row = parsed ? row_of_issuer(*settings, parsed->issuer()) : nullptr;
        if (row != nullptr && row->introspection_url.empty()) {
            co_return co_await check_signed(services, *row, *std::move(parsed));
        }
        if (row != nullptr) {
            co_return co_await introspect(services, *row, std::move(token));
        }
        if (parsed || row_that_asks(*settings) == nullptr) {
            co_return parsed ? refused("of an issuer that is not configured")
                             : Result<std::string>(std::unexpected(parsed.error()));
        }
    }
    const OauthSettings* row = row_that_asks(*settings);
    if (row == nullptr) {
        co_return refused("not signed, and no issuer is asked about such");
    }
    co_return co_await introspect(services, *row, std::move(token));
}

}  // namespace godwit::flow
