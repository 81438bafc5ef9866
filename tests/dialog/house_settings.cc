#include "house_settings.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "base/ascii.h"
#include "stage.h"
#include "tokens.h"
#include "wire/oauth/jwk.h"

namespace godwit::dialog {

namespace {

using Failure = std::optional<std::string>;

/// "key=value", or "key" alone.
std::pair<std::string_view, std::string_view> key_and_value(std::string_view word) {
    const std::string_view key = word.substr(0, word.find('='));
    return {key, word.substr(std::min(key.size() + 1, word.size()))};
}

std::vector<std::string> list_of(std::string_view text) {
    std::vector<std::string> out;
    for (const std::string_view each : split(text, ',')) {
        out.emplace_back(each);
    }
    return out;
}

flow::Families families_of(std::string_view word) {
    return word == "ipv4_first"   ? flow::Families::Ipv4First
           : word == "ipv6_first" ? flow::Families::Ipv6First
           : word == "ipv4"       ? flow::Families::Ipv4
           : word == "ipv6"       ? flow::Families::Ipv6
                                  : flow::Families::Balanced;
}

Failure set_number(std::string_view name, std::uint64_t value, flow::Settings& settings) {
    flow::LimitSettings& limits = settings.limits;
    for (const auto& [known, limit] :
         {std::pair{"limit.recipients", &limits.recipients},
          std::pair{"limit.connections", &limits.connections},
          std::pair{"limit.login_attempts_per_minute", &limits.login_attempts_per_minute},
          std::pair{"limit.unknown_recipients_per_minute", &limits.unknown_recipients_per_minute},
          std::pair{"limit.deliveries_per_site", &limits.deliveries_per_site},
          std::pair{"limit.connections_per_address", &limits.connections_per_address}}) {
        if (name == known) {
            *limit = static_cast<std::uint32_t>(value);
            return std::nullopt;
        }
    }
    for (const auto& [known, flag] :
         {std::pair{"resolver.off", &settings.resolver.is_off},
          std::pair{"tls_reports.enabled", &settings.tls_reports.enabled},
          std::pair{"forwarding.srs", &settings.forwarding.srs},
          std::pair{"trust.answer_users", &settings.trust.answer_users},
          std::pair{"outbound.keep_blocked", &settings.outbound.keep_blocked},
          std::pair{"plaintext_login", &settings.allow_plaintext_login}}) {
        if (name == known) {
            *flag = value != 0;
            return std::nullopt;
        }
    }
    if (name == "limit.pop3_login_delay") {
        limits.pop3_login_delay = std::chrono::seconds(value);
        return std::nullopt;
    }
    if (name == "limit.message_size") {
        limits.message_size = value;
        return std::nullopt;
    }
    return "@set knows no " + std::string(name);
}

Failure set(const Words& words, flow::Settings& settings) {
    if (words.size() != 3) {
        return "@set NAME VALUE";
    }
    if (words[1] == "archive.inbound" || words[1] == "archive.outbound") {
        (words[1] == "archive.inbound" ? settings.archive.inbound : settings.archive.outbound) =
            words[2];
        return std::nullopt;
    }
    flow::TrustSettings& trust = settings.trust;
    for (const auto& [name, list] :
         {std::pair{"trust.answer", &trust.answer}, std::pair{"trust.xclient", &trust.xclient},
          std::pair{"trust.xforward", &trust.xforward}, std::pair{"trust.proxy", &trust.proxy},
          std::pair{"inbound.refused_solicitation", &settings.inbound.refused_solicitation}}) {
        if (words[1] == name) {
            list->emplace_back(words[2]);
            return std::nullopt;
        }
    }
    const auto value = parse_u64(words[2]);
    return value ? set_number(words[1], *value, settings) : Failure("@set takes a number");
}

Failure tls_policy(const Words& words, flow::Settings& settings) {
    using Mode = flow::TlsPolicySettings::Mode;
    static const std::map<std::string_view, Mode> modes = {
        {"none", Mode::None},     {"may", Mode::May},   {"encrypt", Mode::Encrypt},
        {"verify", Mode::Verify}, {"dane", Mode::Dane}, {"fingerprint", Mode::Fingerprint}};
    const auto mode = words.size() == 3 ? modes.find(words[2]) : modes.end();
    if (mode == modes.end()) {
        return "@tls_policy DOMAIN MODE";
    }
    flow::TlsPolicySettings policy{std::string(words[1]), mode->second, {}};
    if (policy.mode == Mode::Fingerprint) {
        policy.fingerprints = {Stage::peer_certificate_digest()};
    }
    settings.tls_policies.push_back(std::move(policy));
    return std::nullopt;
}

// Where a route leads to. False: not to be understood.
bool read_target(std::string_view target, flow::RouteSettings& route) {
    if (target == "discard") {
        route.kind = flow::RouteSettings::Kind::Discard;
    } else if (target == "hold") {
        route.kind = flow::RouteSettings::Kind::Hold;
    } else if (target == "mx" || target.starts_with("mx=") || target.starts_with("srv=")) {
        route.lookup = target.starts_with("srv=") ? flow::RouteSettings::Lookup::Srv
                                                  : flow::RouteSettings::Lookup::Mx;
        route.host = key_and_value(target).second;
    } else if (target.starts_with("unix:")) {
        route.host = target;
    } else {
        const std::size_t colon = target.rfind(':');
        if (colon == std::string_view::npos) {
            return false;
        }
        route.host = target.substr(0, colon);
        route.port = static_cast<std::uint16_t>(parse_u32(target.substr(colon + 1)).value_or(25));
    }
    return true;
}

Failure route(const Words& words, flow::Settings& settings) {
    flow::RouteSettings route;
    if (words.size() < 3 || !read_target(words[2], route)) {
        return "@route DOMAIN TARGET, and a target is HOST:PORT or a word of script.h";
    }
    route.domain = words[1] == "-" ? "" : words[1];
    for (std::size_t i = 3; i < words.size(); ++i) {
        const auto [key, value] = key_and_value(words[i]);
        if (key == "lmtp") {
            route.kind = flow::RouteSettings::Kind::Lmtp;
        } else if (key == "never-tls") {
            route.tls = flow::RouteSettings::Tls::Never;
        } else if (key == "require-tls") {
            route.tls = flow::RouteSettings::Tls::Required;
        } else if (key == "implicit-tls") {
            route.tls = flow::RouteSettings::Tls::Implicit;
        } else if (key == "user") {
            route.username = value;
        } else if (key == "password") {
            route.password = value;
        } else if (key == "token") {
            route.token_file = "/" + std::string(value);
        } else if (key == "recipient") {
            route.recipient = value;
        } else if (key == "sender") {
            route.sender = value;
        } else if (key == "fallback") {
            route.fallback = list_of(value);
        } else if (key == "egress") {
            route.egress = list_of(value);
        } else if (key == "families") {
            route.families = families_of(value);
        } else {
            return "@route knows no " + std::string(words[i]);
        }
    }
    settings.routes.push_back(std::move(route));
    return std::nullopt;
}

Failure relay_domain(const Words& words, flow::Settings& settings) {
    if (words.size() < 2) {
        return "@relay_domain DOMAIN";
    }
    flow::RelayDomainSettings relay;
    relay.domain = words[1];
    for (std::size_t i = 2; i < words.size(); ++i) {
        const auto [key, value] = key_and_value(words[i]);
        if (key == "hold") {
            relay.hold = true;
        } else if (key == "lifetime") {
            relay.lifetime = std::chrono::duration_cast<std::chrono::seconds>(
                parse_span(value).value_or(std::chrono::days(14)));
        } else if (key == "recipients") {
            relay.recipients = list_of(value);
        } else if (key == "networks") {
            relay.networks = list_of(value);
        } else if (key == "accounts") {
            relay.accounts = list_of(value);
        } else if (key == "queue") {
            relay.queue = value;
        } else if (key == "verify") {
            relay.verify = true;
            relay.unverified = value == "accept" ? flow::RelayDomainSettings::Unverified::Accept
                                                 : flow::RelayDomainSettings::Unverified::Defer;
        } else {
            return "@relay_domain knows no " + std::string(key);
        }
    }
    settings.relay_domains.push_back(std::move(relay));
    return std::nullopt;
}

Failure egress(const Words& words, flow::Settings& settings) {
    flow::EgressSettings egress;
    egress.name = words.size() > 1 ? words[1] : "";
    for (std::size_t i = 2; i < words.size(); ++i) {
        const auto [key, value] = key_and_value(words[i]);
        if (key == "ipv4") {
            egress.ipv4 = value;
        } else if (key == "ipv6") {
            egress.ipv6 = value;
        } else if (key == "hello") {
            egress.hello = value;
        } else if (key == "domains") {
            egress.sender_domains = list_of(value);
        } else {
            return "@egress knows no " + std::string(key);
        }
    }
    settings.egress.push_back(std::move(egress));
    return std::nullopt;
}

Failure provider(const Words& words, flow::Settings& settings) {
    flow::ProviderSettings provider;
    provider.name = words.size() > 1 ? words[1] : "";
    for (std::size_t i = 2; i < words.size(); ++i) {
        const auto [key, value] = key_and_value(words[i]);
        if (key == "mx") {
            provider.mx = list_of(value);
        } else if (key == "connections") {
            provider.connections = parse_u32(value).value_or(0);
        } else if (key == "messages") {
            provider.messages_per_connection = parse_u32(value).value_or(0);
        } else {
            return "@provider knows no " + std::string(key);
        }
    }
    settings.providers.push_back(std::move(provider));
    return std::nullopt;
}

Failure outbound(const Words& words, flow::Settings& settings) {
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto [key, value] = key_and_value(words[i]);
        if (key == "fallback") {
            settings.outbound.fallback = list_of(value);
        } else if (key == "families") {
            settings.outbound.families = families_of(value);
        } else if (key == "own") {
            settings.outbound.own_addresses = list_of(value);
        } else {
            return "@outbound knows no " + std::string(key);
        }
    }
    return std::nullopt;
}

// "@oauth": keys of a file. "@oauth published": https://mx2.example.com/ has them.
Failure oauth(const Words& words, flow::Settings& settings) {
    flow::OauthSettings row{
        .issuer = "https://id.example.test", .audience = "mail", .scopes = {"mail"}};
    if (words.size() > 1) {
        row.keys_url = "https://mx2.example.com/";
    } else {
        row.keys = std::make_shared<const std::vector<godwit::oauth::Jwk>>(
            std::move(godwit::oauth::parse_jwks(kTokenKeys)).value());
    }
    settings.oauth.push_back(std::move(row));
    return std::nullopt;
}

const std::map<std::string_view, Failure (*)(const Words&, flow::Settings&)>& directives() {
    static const std::map<std::string_view, Failure (*)(const Words&, flow::Settings&)> table = {
        {"set", set},
        {"tls_policy", tls_policy},
        {"route", route},
        {"egress", egress},
        {"relay_domain", relay_domain},
        {"provider", provider},
        {"outbound", outbound},
        {"oauth", oauth}};
    return table;
}

}  // namespace

std::optional<Duration> parse_span(std::string_view text) {
    if (text.size() < 2) {
        return std::nullopt;
    }
    const auto number = parse_u64(text.substr(0, text.size() - 1));
    if (!number) {
        return std::nullopt;
    }
    const auto count = static_cast<std::int64_t>(*number);
    switch (text.back()) {
        case 's': return std::chrono::seconds(count);
        case 'm': return std::chrono::minutes(count);
        case 'h': return std::chrono::hours(count);
        case 'd': return std::chrono::days(count);
        default: return std::nullopt;
    }
}

bool is_setting(std::string_view directive) {
    return directives().contains(directive);
}

std::optional<std::string> set_up(const Words& words, flow::Settings& settings) {
    return directives().at(words[0])(words, settings);
}

}  // namespace godwit::dialog
