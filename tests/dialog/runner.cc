#include "runner.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "base/ascii.h"
#include "base/encoding.h"
#include "script.h"
#include "stage.h"
#include "tokens.h"
#include "wire/oauth/jwk.h"
#include "wire/sasl/client_exchange.h"

namespace godwit::dialog {

namespace {

/// One end of a connection that the script plays.
struct Player {
    std::unique_ptr<net::Stream> stream;
    std::string heard;        ///< Not consumed yet.
    bool is_closed = false;   ///< The other side ended or reset it.
    bool is_server = false;   ///< We play the server: roles of C: and S: are swapped.
    std::string door;         ///< What it was opened to: "imap".
    bool is_shaking = false;  ///< A handshake reads what comes.
};

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

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

bool is_name(char c) {
    return is_alnum(c) || c == '_';
}

/// "..." is any text, $name a word. Linear backtracking over the few "..." of a line.
class Pattern {
public:
    Pattern(std::string_view pattern, const std::map<std::string, std::string>& bound)
        : pattern_(pattern), bound_(bound) {}
    bool matches(std::string_view line) { return step(0, line); }
    [[nodiscard]] const std::map<std::string, std::string>& bound() const { return bound_; }

private:
    bool step(std::size_t at, std::string_view line) {
        while (at < pattern_.size()) {
            if (pattern_.substr(at).starts_with("...")) {
                for (std::size_t skip = 0; skip <= line.size(); ++skip) {
                    const auto before = bound_;
                    if (step(at + 3, line.substr(skip))) {
                        return true;
                    }
                    bound_ = before;
                }
                return false;
            }
            if (pattern_[at] == '$' && at + 1 < pattern_.size() && is_name(pattern_[at + 1])) {
                std::size_t end = at + 1;
                while (end < pattern_.size() && is_name(pattern_[end])) {
                    ++end;
                }
                const std::string name(pattern_.substr(at + 1, end - at - 1));
                const auto known = bound_.find(name);
                if (known != bound_.end()) {
                    if (!line.starts_with(known->second)) {
                        return false;
                    }
                    line.remove_prefix(known->second.size());
                } else {
                    std::size_t size = 0;
                    while (size < line.size() &&
                           std::string_view(" ])>\"").find(line[size]) == std::string_view::npos) {
                        ++size;
                    }
                    if (size == 0) {
                        return false;
                    }
                    bound_[name] = std::string(line.substr(0, size));
                    line.remove_prefix(size);
                }
                at = end;
                continue;
            }
            if (line.empty() || line.front() != pattern_[at]) {
                return false;
            }
            line.remove_prefix(1);
            ++at;
        }
        return line.empty();
    }
    std::string_view pattern_;
    std::map<std::string, std::string> bound_;
};

class Play {
public:
    Play(std::vector<Line> lines, const PlayOptions& options)
        : lines_(std::move(lines)),
          options_(options),
          stage_(std::make_unique<Stage>(options.folder)) {}

    PlayResult run();

private:
    std::optional<std::string> perform(const Line& line);
    std::optional<std::string> direct(const std::string& text);
    std::optional<std::string> answer_starttls(const std::vector<std::string_view>& words,
                                               std::string_view rest);
    std::optional<std::string> tls_policy(const std::vector<std::string_view>& words);
    std::optional<std::string> connect(const std::vector<std::string_view>& words);
    std::optional<std::string> tell(std::string bytes);
    std::optional<std::string> expect(const std::string& pattern, bool may_skip);
    std::optional<std::string> expect_any_order();
    std::optional<std::string> set(const std::vector<std::string_view>& words);
    std::optional<std::string> relay_domain(const std::vector<std::string_view>& words);
    std::optional<std::string> route(const std::vector<std::string_view>& words);
    std::optional<std::string> outbound(const std::vector<std::string_view>& words);
    std::optional<std::string> oversee(const std::vector<std::string_view>& words);
    std::optional<std::string> administer(const std::vector<std::string_view>& words);
    std::optional<std::string> log_in(const std::vector<std::string_view>& words);
    void ensure_started();
    void hear();
    std::optional<std::string> next_line();
    std::string fill_in(std::string_view text) const;
    bool check_alive();

    std::vector<Line> lines_;
    PlayOptions options_;
    std::unique_ptr<Stage> stage_;
    bool is_started_ = false;
    std::map<std::string, std::unique_ptr<Player>> players_;
    std::map<std::string, std::unique_ptr<net::Listener>> peers_;
    std::vector<std::unique_ptr<Player>>
        retired_;  ///< Replaced by a newer connection of their name.
    Player* current_ = nullptr;
    std::map<std::string, std::string> bound_;
    std::optional<std::vector<std::string>> any_order_;
};

void Play::ensure_started() {
    if (!is_started_) {
        is_started_ = true;
        net::MemoryPairOptions pairs;
        pairs.chunk_max = options_.chunk_max;
        stage_->network().set_pair_options(pairs);
        stage_->start();
        if (options_.fail_lookup != 0) {
            stage_->resolver().fail_lookup(options_.fail_lookup);
        }
        stage_->network().faults().fail_step(options_.fail_step);
    }
}

// Takes in all that the house has said, without waiting for more.
net::Task<void> listen_to(Player* player) {
    for (;;) {
        const Result<bool> ready = player->stream->has_input();
        if (!ready) {
            player->is_closed = true;
            co_return;
        }
        if (!*ready) {
            co_return;
        }
        std::string buffer(4096, '\0');
        const Result<std::size_t> got = co_await player->stream->read_some(buffer);
        if (!got || *got == 0) {
            player->is_closed = true;
            co_return;
        }
        player->heard.append(buffer, 0, *got);
    }
}

net::Task<void> say(Player* player, std::string bytes) {
    const Result<> written = co_await player->stream->write_all(bytes);
    if (!written) {
        player->is_closed = true;
    }
}

net::Task<void> shake_hands(Player* player, const net::TlsClientContext* trust) {
    net::TlsClientOptions options{
        .host = "mx.example.test", .verify = net::TlsVerify::Opportunistic, .alpn = {}};
    const Result<> done = co_await player->stream->start_tls_client(trust, options);
    if (!done) {
        player->is_closed = true;
    }
}

// We play the server. `before` is said in the clear.
net::Task<void> answer_hands(Player* player, std::string before,
                             const net::TlsServerContext* context) {
    player->is_shaking = true;
    Result<> done;
    if (!before.empty()) {
        done = co_await player->stream->write_all(before);
    }
    if (done) {
        done = co_await player->stream->start_tls_server(context);
    }
    player->is_shaking = false;
    player->is_closed = player->is_closed || !done;
}

net::Task<void> dial_door(Play* play, net::MemoryNetwork* network, net::Endpoint door,
                          Player* player) {
    static_cast<void>(play);
    net::ConnectRequest request;
    request.to = door;
    Result<std::unique_ptr<net::Stream>> stream = co_await network->connect(std::move(request));
    if (stream) {
        player->stream = std::move(*stream);
    } else {
        player->is_closed = true;
    }
}

void Play::hear() {
    for (;;) {
        stage_->settle();
        std::size_t before = 0;
        std::size_t after = 0;
        for (auto& [name, player] : players_) {
            before += player->heard.size();
            if (player->stream != nullptr && !player->is_closed && !player->is_shaking) {
                net::spawn(stage_->loop().shard(), "dialog.listen", listen_to(player.get()));
            }
        }
        stage_->settle();
        for (auto& [name, player] : players_) {
            after += player->heard.size();
        }
        if (before == after) {
            return;
        }
    }
}

std::optional<std::string> Play::next_line() {
    hear();
    const std::size_t end = current_->heard.find("\r\n");
    if (end == std::string::npos) {
        return std::nullopt;
    }
    std::string line = current_->heard.substr(0, end);
    current_->heard.erase(0, end + 2);
    return line;
}

std::string Play::fill_in(std::string_view text) const {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        std::size_t end = i + 1;
        if (text[i] == '$') {
            while (end < text.size() && is_name(text[end])) {
                ++end;
            }
            const auto known = bound_.find(std::string(text.substr(i + 1, end - i - 1)));
            if (known != bound_.end()) {
                out += known->second;
                i = end;
                continue;
            }
        }
        out += text[i];
        ++i;
    }
    return out;
}

std::optional<std::string> Play::tell(std::string bytes) {
    if (current_ == nullptr || current_->stream == nullptr) {
        return "there is no connection to speak on";
    }
    net::spawn(stage_->loop().shard(), "dialog.say", say(current_, std::move(bytes)));
    hear();
    return std::nullopt;
}

std::optional<std::string> Play::expect(const std::string& text, bool may_skip) {
    if (current_ == nullptr) {
        return "there is no connection to listen on";
    }
    std::string passed;
    for (;;) {
        const std::optional<std::string> line = next_line();
        if (!line) {
            const std::string why = current_->is_closed ? " and the connection was closed" : "";
            return "expected \"" + text + "\", but nothing more was said" + why +
                   (passed.empty() ? "" : "; passed over: " + passed) +
                   (current_->heard.empty() ? ""
                                            : "; unfinished: " + current_->heard.substr(0, 200));
        }
        Pattern pattern(text, bound_);
        if (pattern.matches(*line)) {
            bound_ = pattern.bound();
            return std::nullopt;
        }
        if (!may_skip) {
            return "expected \"" + text + "\", got \"" + *line + "\"";
        }
        passed += "\n    " + *line;
    }
}

std::optional<std::string> Play::expect_any_order() {
    std::vector<std::string> wanted = std::move(*any_order_);
    any_order_.reset();
    while (!wanted.empty()) {
        const std::optional<std::string> line = next_line();
        if (!line) {
            return "expected in any order \"" + wanted.front() + "\", but nothing more was said";
        }
        const auto found = std::find_if(wanted.begin(), wanted.end(), [&](const std::string& text) {
            Pattern pattern(text, bound_);
            if (pattern.matches(*line)) {
                bound_ = pattern.bound();
                return true;
            }
            return false;
        });
        if (found == wanted.end()) {
            return "did not expect \"" + *line + "\" here; still open: \"" + wanted.front() + "\"";
        }
        wanted.erase(found);
    }
    return std::nullopt;
}

std::optional<std::string> Play::connect(const std::vector<std::string_view>& words) {
    if (words.size() < 3) {
        return "@connect NAME DOOR [tls] [from=ADDRESS] [certificate=ADDRESS[,untrusted]]";
    }
    ensure_started();
    auto player = std::make_unique<Player>();
    current_ = player.get();
    if (std::unique_ptr<Player>& before = players_[std::string(words[1])]; before != nullptr) {
        retired_.push_back(std::move(before));
    }
    player->door = words[2];
    players_[std::string(words[1])] = std::move(player);
    bool is_tls = false;
    const net::TlsClientContext* trust = stage_->client_trust();
    stage_->network().set_client_address(net::IpAddress::loopback_v4());
    for (std::size_t i = 3; i < words.size(); ++i) {
        is_tls = is_tls || words[i] == "tls";
        constexpr std::string_view kCertificate = "certificate=";
        if (words[i].starts_with(kCertificate)) {
            std::string_view address = words[i].substr(kCertificate.size());
            const bool is_trusted = !address.ends_with(",untrusted");
            address = address.substr(0, address.find(','));
            trust = stage_->client_trust(std::string(address), is_trusted);
        }
        if (words[i].starts_with("from=")) {
            const auto address = net::IpAddress::parse(words[i].substr(5));
            if (!address) {
                return "from= takes an address";
            }
            stage_->network().set_client_address(*address);
        }
    }
    net::spawn(stage_->loop().shard(), "dialog.connect",
               dial_door(this, &stage_->network(), Stage::door(words[2]), current_));
    stage_->settle();
    stage_->network().set_client_address(net::IpAddress::loopback_v4());
    if (is_tls && current_->stream != nullptr) {
        net::spawn(stage_->loop().shard(), "dialog.tls", shake_hands(current_, trust));
    }
    hear();
    return std::nullopt;
}

std::optional<std::string> Play::set(const std::vector<std::string_view>& words) {
    if (words.size() != 3 || is_started_) {
        return "@set NAME NUMBER comes before the first connection";
    }
    flow::Settings& settings = stage_->settings();
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
    flow::LimitSettings& limits = stage_->settings().limits;
    if (!value) {
        return "@set takes a number";
    }
    if (words[1] == "limit.message_size") {
        limits.message_size = *value;
    } else if (words[1] == "limit.recipients") {
        limits.recipients = static_cast<std::uint32_t>(*value);
    } else if (words[1] == "limit.connections") {
        limits.connections = static_cast<std::uint32_t>(*value);
    } else if (words[1] == "limit.login_attempts_per_minute") {
        limits.login_attempts_per_minute = static_cast<std::uint32_t>(*value);
    } else if (words[1] == "limit.unknown_recipients_per_minute") {
        limits.unknown_recipients_per_minute = static_cast<std::uint32_t>(*value);
    } else if (words[1] == "limit.deliveries_per_site") {
        limits.deliveries_per_site = static_cast<std::uint32_t>(*value);
    } else if (words[1] == "limit.connections_per_address") {
        limits.connections_per_address = static_cast<std::uint32_t>(*value);
    } else if (words[1] == "resolver.off") {
        stage_->settings().resolver.is_off = *value != 0;
    } else if (words[1] == "tls_reports.enabled") {
        settings.tls_reports.enabled = *value != 0;
    } else if (words[1] == "forwarding.srs") {
        settings.forwarding.srs = *value != 0;
    } else if (words[1] == "trust.answer_users") {
        trust.answer_users = *value != 0;
    } else if (words[1] == "outbound.keep_blocked") {
        settings.outbound.keep_blocked = *value != 0;
    } else if (words[1] == "plaintext_login") {
        stage_->settings().allow_plaintext_login = *value != 0;
    } else {
        return "@set knows no " + std::string(words[1]);
    }
    return std::nullopt;
}

// "@starttls [self-signed] [fails] REPLY": the reply to STARTTLS and, as the server, the handshake.
std::optional<std::string> Play::answer_starttls(const std::vector<std::string_view>& words,
                                                 std::string_view rest) {
    auto kind = Stage::PeerCertificate::Trusted;
    bool should_fail = false;
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i] == "self-signed") {
            kind = Stage::PeerCertificate::SelfSigned;
        } else if (words[i] == "fails") {
            should_fail = true;
        } else {
            break;
        }
        rest = trim(rest.substr(words[i].size()));
    }
    net::spawn(stage_->loop().shard(), "dialog.tls",
               answer_hands(current_, std::string(rest) + "\r\n", stage_->peer_tls(kind)));
    hear();
    if (current_->is_closed == should_fail && !current_->is_shaking) {
        return std::nullopt;
    }
    return should_fail ? "the handshake did not fail" : "the handshake failed";
}

// "@tls_policy DOMAIN MODE"
std::optional<std::string> Play::tls_policy(const std::vector<std::string_view>& words) {
    using Mode = flow::TlsPolicySettings::Mode;
    static const std::map<std::string_view, Mode> modes = {
        {"none", Mode::None},     {"may", Mode::May},   {"encrypt", Mode::Encrypt},
        {"verify", Mode::Verify}, {"dane", Mode::Dane}, {"fingerprint", Mode::Fingerprint}};
    const auto mode = words.size() == 3 ? modes.find(words[2]) : modes.end();
    if (mode == modes.end() || is_started_) {
        return "@tls_policy DOMAIN MODE comes before the first connection";
    }
    flow::TlsPolicySettings policy{std::string(words[1]), mode->second, {}};
    if (policy.mode == Mode::Fingerprint) {
        policy.fingerprints = {Stage::peer_certificate_digest()};
    }
    stage_->settings().tls_policies.push_back(std::move(policy));
    return std::nullopt;
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

std::optional<std::string> Play::route(const std::vector<std::string_view>& words) {
    if (words.size() < 3 || is_started_) {
        return "@route DOMAIN TARGET comes before the first connection";
    }
    flow::RouteSettings route;
    route.domain = words[1] == "-" ? "" : words[1];
    if (words[2] == "discard") {
        route.kind = flow::RouteSettings::Kind::Discard;
    } else if (words[2] == "hold") {
        route.kind = flow::RouteSettings::Kind::Hold;
    } else if (words[2] == "mx" || words[2].starts_with("mx=") || words[2].starts_with("srv=")) {
        route.lookup = words[2].starts_with("srv=") ? flow::RouteSettings::Lookup::Srv
                                                    : flow::RouteSettings::Lookup::Mx;
        route.host = words[2] == "mx" ? "" : words[2].substr(words[2].find('=') + 1);
    } else if (words[2].starts_with("unix:")) {
        route.host = words[2];
    } else {
        const std::size_t colon = words[2].rfind(':');
        if (colon == std::string_view::npos) {
            return "a route leads to HOST:PORT";
        }
        route.host = words[2].substr(0, colon);
        route.port = static_cast<std::uint16_t>(parse_u32(words[2].substr(colon + 1)).value_or(25));
    }
    for (std::size_t i = 3; i < words.size(); ++i) {
        if (words[i] == "lmtp") {
            route.kind = flow::RouteSettings::Kind::Lmtp;
        } else if (words[i] == "never-tls") {
            route.tls = flow::RouteSettings::Tls::Never;
        } else if (words[i] == "require-tls") {
            route.tls = flow::RouteSettings::Tls::Required;
        } else if (words[i].starts_with("user=")) {
            route.username = words[i].substr(5);
        } else if (words[i].starts_with("password=")) {
            route.password = words[i].substr(9);
        } else if (words[i].starts_with("token=")) {
            route.token_file = "/" + std::string(words[i].substr(6));
        } else if (words[i].starts_with("recipient=")) {
            route.recipient = words[i].substr(10);
        } else if (words[i].starts_with("sender=")) {
            route.sender = words[i].substr(7);
        } else if (words[i].starts_with("fallback=")) {
            route.fallback = list_of(words[i].substr(9));
        } else if (words[i].starts_with("egress=")) {
            route.egress = list_of(words[i].substr(7));
        } else if (words[i].starts_with("families=")) {
            route.families = families_of(words[i].substr(9));
        } else {
            return "@route knows no " + std::string(words[i]);
        }
    }
    stage_->settings().routes.push_back(std::move(route));
    return std::nullopt;
}

// "@relay_domain DOMAIN [hold] [lifetime=SPAN] [recipients=A,B] ...": as [[relay_domain]].
std::optional<std::string> Play::relay_domain(const std::vector<std::string_view>& words) {
    if (words.size() < 2 || is_started_) {
        return "@relay_domain DOMAIN comes before the first connection";
    }
    flow::RelayDomainSettings relay;
    relay.domain = words[1];
    for (std::size_t i = 2; i < words.size(); ++i) {
        const std::string_view key = words[i].substr(0, words[i].find('='));
        const std::string_view value = words[i].substr(std::min(key.size() + 1, words[i].size()));
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
    stage_->settings().relay_domains.push_back(std::move(relay));
    return std::nullopt;
}

std::optional<std::string> Play::outbound(const std::vector<std::string_view>& words) {
    if (is_started_) {
        return "@outbound, @egress and @provider come before the first connection";
    }
    flow::Settings& settings = stage_->settings();
    flow::EgressSettings egress;
    flow::ProviderSettings provider;
    const bool is_egress = words[0] == "egress";
    const bool is_provider = words[0] == "provider";
    egress.name = is_egress ? words[1] : "";
    provider.name = is_provider ? words[1] : "";
    for (std::size_t i = is_egress || is_provider ? 2 : 1; i < words.size(); ++i) {
        const std::string_view key = words[i].substr(0, words[i].find('='));
        const std::string_view value = words[i].substr(std::min(key.size() + 1, words[i].size()));
        if (is_egress && key == "ipv4") {
            egress.ipv4 = value;
        } else if (is_egress && key == "ipv6") {
            egress.ipv6 = value;
        } else if (is_egress && key == "hello") {
            egress.hello = value;
        } else if (is_egress && key == "domains") {
            egress.sender_domains = list_of(value);
        } else if (is_provider && key == "mx") {
            provider.mx = list_of(value);
        } else if (is_provider && key == "connections") {
            provider.connections = parse_u32(value).value_or(0);
        } else if (is_provider && key == "messages") {
            provider.messages_per_connection = parse_u32(value).value_or(0);
        } else if (is_provider) {
            return "@provider knows no " + std::string(key);
        } else if (!is_egress && key == "fallback") {
            settings.outbound.fallback = list_of(value);
        } else if (!is_egress && key == "families") {
            settings.outbound.families = families_of(value);
        } else if (!is_egress && key == "own") {
            settings.outbound.own_addresses = list_of(value);
        } else {
            return "@" + std::string(words[0]) + " knows no " + std::string(key);
        }
    }
    if (is_egress) {
        settings.egress.push_back(std::move(egress));
    }
    if (is_provider) {
        settings.providers.push_back(std::move(provider));
    }
    return std::nullopt;
}

// @operator VERB [JSON] [shows TEXT]: an order to the queue, and what its answer holds.
std::optional<std::string> Play::oversee(const std::vector<std::string_view>& words) {
    std::string arguments;
    std::string shows;
    for (std::size_t i = 2; i < words.size(); ++i) {
        if (words[i] == "shows") {
            for (++i; i < words.size(); ++i) {
                shows.append(shows.empty() ? "" : " ").append(words[i]);
            }
        } else {
            arguments.append(arguments.empty() ? "" : " ").append(words[i]);
        }
    }
    shows = fill_in(shows);
    const std::string answer = stage_->order(std::string(words[1]), fill_in(arguments));
    if (shows.empty() ? !answer.starts_with(R"({"ok":true)")
                      : answer.find(shows) == std::string::npos) {
        return "the order's answer is " + answer;
    }
    hear();
    return std::nullopt;
}

// What an administrator or the world does beside the sessions. nullopt when done.
std::optional<std::string> Play::administer(const std::vector<std::string_view>& words) {
    const std::string_view what = words[0];
    const std::string name(words[1]);
    ensure_started();
    if (what == "passwd" && words.size() == 3) {
        stage_->change_password(name, std::string(words[2]));
    } else if (what == "disable") {
        stage_->disable_account(name);
    } else if (what == "remove") {
        stage_->remove_account(name);
    } else if (what == "fill" && words.size() == 4) {
        stage_->fill(name, std::string(words[2]), parse_u64(words[3]).value_or(0));
    } else if (what == "operator") {
        return oversee(words);
    } else if (what == "damage" && words.size() == 3 && name.size() == 1 &&
               stage_->damage(name.front(), parse_u64(words[2]).value_or(0))) {
    } else if (what == "disk" && (name == "full" || name == "low" || name == "free")) {
        // Past both watermarks; between them; far from them. The store looks once a second.
        stage_->set_free_space(name == "full" ? 0
                                              : std::uint64_t{1} << (name == "low" ? 27U : 40U));
        stage_->advance(std::chrono::seconds(1));
    } else {
        return "@" + std::string(what) + " is not to be understood";
    }
    hear();
    return std::nullopt;
}

// Plays a whole SASL exchange on the current connection, as its protocol carries one.
std::optional<std::string> Play::log_in(const std::vector<std::string_view>& words) {
    if (current_ == nullptr || current_->stream == nullptr) {
        return "there is no connection to log in on";
    }
    const sasl::MechanismRow* row = sasl::find_mechanism(words[1]);
    if (row == nullptr) {
        return "no mechanism " + std::string(words[1]);
    }
    sasl::ClientExchange::Options options;
    options.mechanism = row->mechanism;
    options.credentials = {
        .name = std::string(words[2]), .password = std::string(words[3]), .authzid = ""};
    if (row->bears_token) {
        const auto token = std::ranges::find(kTokens, words[3],
                                             &std::pair<std::string_view, std::string_view>::first);
        options.credentials.token = token == std::end(kTokens) ? words[3] : token->second;
    }
    options.nonce = "dialog";
    if (const net::TlsSession* tls = current_->stream->tls();
        tls != nullptr && row->needs_channel_binding) {
        options.bindings.tls_exporter =
            tls->channel_binding(net::ChannelBinding::TlsExporter).value_or("");
    }
    const std::string& door = current_->door;
    const bool is_imap = door.starts_with("imap");
    const bool is_pop3 = door.starts_with("pop3");
    const std::string challenge_mark = is_imap || is_pop3 ? "+ " : "334 ";
    const std::string good = is_imap ? "login OK" : is_pop3 ? "+OK" : "235";
    bool wants_denial = false;
    std::optional<std::string> password_meanwhile;
    for (std::size_t i = 4; i < words.size(); ++i) {
        wants_denial = wants_denial || words[i] == "denied";
        if (words[i].starts_with("passwd=")) {
            password_meanwhile = std::string(words[i].substr(7));
        }
    }
    sasl::ClientExchange exchange(std::move(options));
    const std::string initial = base64_encode(exchange.initial().value_or(""));
    if (auto failed = tell((is_imap ? "login AUTHENTICATE " : "AUTH ") + std::string(words[1]) +
                           " " + initial + "\r\n")) {
        return failed;
    }
    for (;;) {
        const std::optional<std::string> line = next_line();
        if (!line) {
            return "the login was not answered";
        }
        if (is_imap && line->starts_with("* ")) {
            continue;
        }
        if (!line->starts_with(challenge_mark)) {
            const bool is_in = line->starts_with(good);
            return is_in == wants_denial || (is_in && !exchange.may_succeed())
                       ? std::optional("the login ended with \"" + *line + "\"")
                       : std::nullopt;
        }
        const auto bytes = base64_decode(line->substr(challenge_mark.size()));
        const Result<std::string> answer = exchange.respond(bytes.value_or(""));
        if (password_meanwhile) {
            stage_->change_password(std::string(words[2]), *password_meanwhile);
            password_meanwhile.reset();
        }
        // What we cannot believe ends like what the server denies.
        if (auto failed = tell((answer ? base64_encode(*answer) : "*") + "\r\n")) {
            return failed;
        }
    }
}

std::optional<std::string> Play::direct(const std::string& text) {
    std::vector<std::string_view> words;
    for (const std::string_view word : split(text, ' ')) {
        if (!word.empty()) {
            words.push_back(word);
        }
    }
    const std::string_view name = words.front();
    const std::string rest(trim(std::string_view(text).substr(name.size())));
    if (name == "once") {
        return std::nullopt;
    }
    if (name == "connect") {
        return connect(words);
    }
    if (name == "set") {
        return set(words);
    }
    if (name == "tls_policy") {
        return tls_policy(words);
    }
    if (name == "route") {
        return route(words);
    }
    if (name == "relay_domain") {
        return relay_domain(words);
    }
    if ((name == "egress" || name == "outbound" || name == "provider") && words.size() >= 2) {
        return outbound(words);
    }
    if ((name == "passwd" || name == "disable" || name == "remove" || name == "fill" ||
         name == "disk" || name == "damage" || name == "operator") &&
        words.size() >= 2) {
        return administer(words);
    }
    if (name == "oauth") {
        stage_->settings().oauth.push_back({.issuer = "https://id.example.test",
                                            .audience = "mail",
                                            .scopes = {"mail"},
                                            .keys = std::make_shared<const std::vector<oauth::Jwk>>(
                                                std::move(oauth::parse_jwks(kTokenKeys)).value())});
        return std::nullopt;
    }
    if (name == "login" && words.size() >= 4) {
        return log_in(words);
    }
    if (name == "account" && words.size() >= 3) {
        stage_->add_account(std::string(words[1]), std::string(words[2]),
                            words.size() > 3 ? parse_u64(words[3]).value_or(0) : 0);
        return std::nullopt;
    }
    if (name == "alias" && words.size() >= 3) {
        stage_->add_alias(std::string(words[1]), {words.begin() + 2, words.end()});
        return std::nullopt;
    }
    if (name == "admin" && words.size() >= 2) {
        ensure_started();
        const std::string call(words[1]);
        const std::string arguments(trim(std::string_view(rest).substr(call.size())));
        const std::string answer = stage_->administer(call, arguments.empty() ? "{}" : arguments);
        return answer.starts_with(R"({"ok":true)") ? std::nullopt : std::optional(answer);
    }
    if (name == "dns") {
        std::string line(rest);
        if (const std::size_t at = line.find("{certificate}"); at != std::string::npos) {
            line.replace(at, std::string_view("{certificate}").size(),
                         Stage::peer_certificate_digest());
        }
        const Result<> added = stage_->resolver().add(line);
        return added ? std::nullopt : std::optional(added.error().text);
    }
    if (name == "peer" && (words.size() == 3 || (words.size() == 4 && words[3] == "tls"))) {
        const bool is_tls = words.size() == 4;
        ensure_started();
        const Result<net::Endpoint> at = net::Endpoint::parse(words[2]);
        if (!at) {
            return at.error().text;
        }
        const std::string peer(words[1]);
        auto listener = stage_->network().listen(
            *at, {.name = peer}, [this, peer, is_tls](std::unique_ptr<net::Stream> stream) {
                auto player = std::make_unique<Player>();
                player->stream = std::move(stream);
                player->is_server = true;
                // The script may still be on the connection before this one.
                if (std::unique_ptr<Player>& before = players_[peer]; before != nullptr) {
                    retired_.push_back(std::move(before));
                }
                if (is_tls) {
                    net::spawn(stage_->loop().shard(), "dialog.tls",
                               answer_hands(player.get(), "",
                                            stage_->peer_tls(Stage::PeerCertificate::Trusted)));
                }
                players_[peer] = std::move(player);
            });
        if (!listener) {
            return listener.error().text;
        }
        peers_[peer] = std::move(*listener);
        return std::nullopt;
    }
    if (name == "accept" && (words.size() == 2 || words.size() == 3)) {
        hear();
        const auto found = players_.find(std::string(words[1]));
        if (found == players_.end()) {
            return "the house has not connected to " + std::string(words[1]);
        }
        current_ = found->second.get();
        if (words.size() == 3 && words[2].starts_with("from=")) {
            const std::string from = current_->stream->peer().address().to_string();
            const std::string wanted(words[2].substr(5));
            // "$name" binds where it is first met, as in a line.
            const bool is_same =
                wanted.starts_with('$')
                    ? bound_.try_emplace(wanted.substr(1), from).first->second == from
                    : wanted == from;
            return is_same ? std::nullopt : std::optional("the house came from " + from);
        }
        return std::nullopt;
    }
    if (name == "nobody" && words.size() == 2) {
        hear();
        return players_.contains(std::string(words[1]))
                   ? std::optional("the house has connected to " + std::string(words[1]))
                   : std::nullopt;
    }
    if (name == "on" && words.size() == 2) {
        const auto found = players_.find(std::string(words[1]));
        if (found == players_.end()) {
            return "there is no connection " + std::string(words[1]);
        }
        current_ = found->second.get();
        return std::nullopt;
    }
    if (name == "starttls" && current_->is_server) {
        return answer_starttls(words, rest);
    }
    if (name == "starttls") {
        hear();
        net::spawn(stage_->loop().shard(), "dialog.tls",
                   shake_hands(current_, stage_->client_trust()));
        hear();
        return current_->is_closed ? std::optional<std::string>("the handshake failed")
                                   : std::nullopt;
    }
    if (name == "close") {
        current_->stream.reset();
        hear();
        return std::nullopt;
    }
    if (name == "closed") {
        hear();
        if (!current_->heard.empty()) {
            return "expected the connection to be closed, but it said: " +
                   current_->heard.substr(0, 300);
        }
        return current_->is_closed ? std::nullopt
                                   : std::optional<std::string>("the connection is still open");
    }
    if (name == "silent") {
        hear();
        return current_->heard.empty() ? std::nullopt
                                       : std::optional("expected silence, but it said: " +
                                                       current_->heard.substr(0, 300));
    }
    if (name == "advance" && words.size() == 2) {
        const std::optional<Duration> span = parse_span(words[1]);
        if (!span) {
            return "@advance takes 90s, 30m, 4h or 5d";
        }
        ensure_started();
        stage_->advance(*span);
        hear();
        return std::nullopt;
    }
    if (name == "restart") {
        current_ = nullptr;
        stage_->stop();
        players_.clear();
        stage_->start();
        return std::nullopt;
    }
    if (name == "queue") {
        ensure_started();
        const std::vector<std::string> lines = stage_->queue_lines();
        std::string all;
        for (const std::string& line : lines) {
            all += "\n    " + line;
        }
        if (words.size() == 2) {
            return lines.size() == parse_u64(words[1])
                       ? std::nullopt
                       : std::optional("the queue has " + std::to_string(lines.size()) +
                                       " deliveries:" + all);
        }
        const std::string wanted = fill_in(trim(std::string_view(rest).substr(5)));
        const bool is_there = std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
            return line.find(wanted) != std::string::npos;
        });
        return is_there ? std::nullopt
                        : std::optional("no line of the queue has \"" + wanted + "\":" + all);
    }
    return "unknown directive @" + text;
}

std::optional<std::string> Play::perform(const Line& line) {
    const bool is_swapped = current_ != nullptr && current_->is_server;
    switch (line.kind) {
        case Line::Kind::Directive: return direct(line.text);
        case Line::Kind::ClientRaw: return tell(unescape(fill_in(line.text)));
        case Line::Kind::ServerRaw: return tell(unescape(fill_in(line.text)));
        case Line::Kind::Client:
            return is_swapped ? expect(line.text, false)
                              : tell(unescape(fill_in(line.text)) + "\r\n");
        case Line::Kind::Server:
            if (any_order_) {
                any_order_->push_back(line.text);
                return std::nullopt;
            }
            return is_swapped ? tell(unescape(fill_in(line.text)) + "\r\n")
                              : expect(line.text, false);
        case Line::Kind::ClientSkip:
        case Line::Kind::ServerSkip: return expect(line.text, true);
        case Line::Kind::AnyOrderBegin: any_order_.emplace(); return std::nullopt;
        case Line::Kind::AnyOrderEnd: return expect_any_order();
    }
    return std::nullopt;
}

// After whatever happened the house must serve the next client as if nothing had.
bool Play::check_alive() {
    ensure_started();
    stage_->network().faults().fail_step(0);
    for (const char* door : {"smtp", "imap", "pop3"}) {
        auto player = std::make_unique<Player>();
        current_ = player.get();
        players_["alive"] = std::move(player);
        net::spawn(stage_->loop().shard(), "dialog.connect",
                   dial_door(this, &stage_->network(), Stage::door(door), current_));
        const std::optional<std::string> greeting = next_line();
        if (!greeting || greeting->find("421") == 0) {
            return false;
        }
    }
    return true;
}

PlayResult Play::run() {
    PlayResult result;
    result.is_passed = true;
    for (const Line& line : lines_) {
        if (line.kind != Line::Kind::Directive) {
            ensure_started();
        }
        if (std::optional<std::string> failure = perform(line)) {
            result.is_passed = false;
            result.failure = "line " + std::to_string(line.number) + ": " + *failure;
            break;
        }
    }
    if (is_started_) {
        result.steps = stage_->network().faults().steps();
        result.lookups = stage_->resolver().lookups();
    }
    result.is_alive = check_alive();
    current_ = nullptr;
    // Streams die before the loop they live on.
    for (auto& [name, player] : players_) {
        player->stream.reset();
    }
    for (const std::unique_ptr<Player>& player : retired_) {
        player->stream.reset();
    }
    peers_.clear();
    stage_.reset();
    return result;
}

}  // namespace

PlayResult play(const std::string& path, const PlayOptions& options) {
    const Result<std::vector<Line>> lines = parse_script(read_file(path));
    if (!lines) {
        return {.is_passed = false,
                .failure = lines.error().text,
                .steps = 0,
                .lookups = 0,
                .is_alive = true};
    }
    if (lines->empty()) {
        return {.is_passed = false,
                .failure = "the script is empty or not there",
                .steps = 0,
                .lookups = 0,
                .is_alive = true};
    }
    Play a_play(*lines, options);
    return a_play.run();
}

}  // namespace godwit::dialog
