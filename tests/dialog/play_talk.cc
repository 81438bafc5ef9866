// The talk of a play with the house: its connections, what is said and heard on them.
#include <algorithm>

#include "base/encoding.h"
#include "pattern.h"
#include "play.h"
#include "tokens.h"
#include "wire/sasl/client_exchange.h"

namespace godwit::dialog {

namespace {

// The name and password of "@login MECHANISM NAME PASSWORD", or the token that has that name.
sasl::ClientExchange::Options login_options(const sasl::MechanismRow& row, const Words& words,
                                            const net::TlsSession* tls) {
    sasl::ClientExchange::Options options;
    options.mechanism = row.mechanism;
    options.credentials = {
        .name = std::string(words[2]), .password = std::string(words[3]), .authzid = ""};
    if (row.bears_token) {
        const auto token = std::ranges::find(kTokens, words[3],
                                             &std::pair<std::string_view, std::string_view>::first);
        options.credentials.token = token == std::end(kTokens) ? words[3] : token->second;
    }
    options.nonce = "dialog";
    if (tls != nullptr && row.needs_channel_binding) {
        options.bindings.tls_exporter =
            tls->channel_binding(net::ChannelBinding::TlsExporter).value_or("");
    }
    return options;
}

}  // namespace

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
        PatternView pattern(text, bound_);
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
            PatternView pattern(text, bound_);
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

// The script may still be on the connection before this one.
void Play::take_connection(const std::string& name, std::unique_ptr<Player> player) {
    std::unique_ptr<Player>& place = players_[name];
    if (place != nullptr) {
        retired_.push_back(std::move(place));
    }
    place = std::move(player);
}

std::optional<std::string> Play::connect(const Words& words, std::string_view) {
    auto player = std::make_unique<Player>();
    current_ = player.get();
    player->door = words[2];
    take_connection(std::string(words[1]), std::move(player));
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
               dial(current_, &stage_->network(), Stage::door(words[2])));
    stage_->settle();
    stage_->network().set_client_address(net::IpAddress::loopback_v4());
    if (is_tls && current_->stream != nullptr) {
        net::spawn(stage_->loop().shard(), "dialog.tls", shake_hands(current_, trust));
    }
    hear();
    return std::nullopt;
}

std::optional<std::string> Play::peer(const Words& words, std::string_view) {
    const bool is_tls = words.size() == 4 && words[3] == "tls";
    const Result<net::Endpoint> at = net::Endpoint::parse(words[2]);
    if (!at) {
        return at.error().text;
    }
    const std::string name(words[1]);
    auto listener = stage_->network().listen(
        *at, {.name = name}, [this, name, is_tls](std::unique_ptr<net::Stream> stream) {
            auto player = std::make_unique<Player>();
            player->stream = std::move(stream);
            player->is_server = true;
            if (is_tls) {
                net::spawn(stage_->loop().shard(), "dialog.tls",
                           answer_hands(player.get(), "",
                                        stage_->peer_tls(Stage::PeerCertificate::Trusted)));
            }
            take_connection(name, std::move(player));
        });
    if (!listener) {
        return listener.error().text;
    }
    peers_[name] = std::move(*listener);
    return std::nullopt;
}

std::optional<std::string> Play::accept(const Words& words, std::string_view) {
    hear();
    const auto found = players_.find(std::string(words[1]));
    if (found == players_.end()) {
        return "the house has not connected to " + std::string(words[1]);
    }
    current_ = found->second.get();
    if (words.size() < 3 || !words[2].starts_with("from=")) {
        return std::nullopt;
    }
    const std::string from = current_->stream->peer().address().to_string();
    const std::string wanted(words[2].substr(5));
    // "$name" binds where it is first met, as in a line.
    const bool is_same = wanted.starts_with('$')
                             ? bound_.try_emplace(wanted.substr(1), from).first->second == from
                             : wanted == from;
    return is_same ? std::nullopt : std::optional("the house came from " + from);
}

std::optional<std::string> Play::nobody(const Words& words, std::string_view) {
    hear();
    return players_.contains(std::string(words[1]))
               ? std::optional("the house has connected to " + std::string(words[1]))
               : std::nullopt;
}

std::optional<std::string> Play::turn_to(const Words& words, std::string_view) {
    const auto found = players_.find(std::string(words[1]));
    if (found == players_.end()) {
        return "there is no connection " + std::string(words[1]);
    }
    current_ = found->second.get();
    return std::nullopt;
}

// "@compress [heard|off]"
std::optional<std::string> Play::compress(const Words& words, std::string_view) {
    const bool is_off = words.size() == 2 && words[1] == "off";
    current_->is_compressing = words.size() == 1;
    if (words.size() > 1 && !is_off && words[1] != "heard") {
        return "@compress [heard|off]";
    }
    hear();
    current_->compression = is_off ? nullptr : std::make_unique<imap::Compression>();
    return std::nullopt;
}

std::optional<std::string> Play::starttls(const Words& words, std::string_view rest) {
    if (current_->is_server) {
        return answer_starttls(words, rest);
    }
    hear();
    net::spawn(stage_->loop().shard(), "dialog.tls", shake_hands(current_, stage_->client_trust()));
    hear();
    return current_->is_closed ? std::optional<std::string>("the handshake failed") : std::nullopt;
}

std::optional<std::string> Play::close(const Words&, std::string_view) {
    current_->stream.reset();
    hear();
    return std::nullopt;
}

std::optional<std::string> Play::closed(const Words&, std::string_view) {
    hear();
    if (!current_->heard.empty()) {
        return "expected the connection to be closed, but it said: " +
               current_->heard.substr(0, 300);
    }
    return current_->is_closed ? std::nullopt
                               : std::optional<std::string>("the connection is still open");
}

std::optional<std::string> Play::silent(const Words&, std::string_view) {
    hear();
    return current_->heard.empty()
               ? std::nullopt
               : std::optional("expected silence, but it said: " + current_->heard.substr(0, 300));
}

// "@starttls [self-signed] [fails] REPLY": the reply to STARTTLS and, as the server, the handshake.
std::optional<std::string> Play::answer_starttls(const Words& words, std::string_view rest) {
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

// Plays a whole SASL exchange on the current connection, as its protocol carries one.
std::optional<std::string> Play::log_in(const Words& words, std::string_view) {
    if (current_ == nullptr || current_->stream == nullptr) {
        return "there is no connection to log in on";
    }
    const sasl::MechanismRow* row = sasl::find_mechanism(words[1]);
    if (row == nullptr) {
        return "no mechanism " + std::string(words[1]);
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
    sasl::ClientExchange exchange(login_options(*row, words, current_->stream->tls()));
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

}  // namespace godwit::dialog
