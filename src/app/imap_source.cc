#include "app/imap_source.h"

#include <algorithm>
#include <unordered_map>

#include "base/ascii.h"
#include "base/encoding.h"
#include "base/limits.h"
#include "base/random.h"
#include "wire/imap/date_time.h"
#include "wire/imap/utf7.h"

namespace godwit::app {

namespace {

using Token = imap::ResponseToken;

constexpr std::chrono::seconds kPatience(120);
/// Of one response, its large literal aside: what a server may make us hold.
constexpr std::size_t kTokensMax = 10'000;
constexpr std::size_t kFoldersMax = 100'000;
constexpr std::size_t kFolderOctetsMax = std::size_t{32} * 1024 * 1024;
/// Of a literal that is no message: a folder's name, what was not asked for.
constexpr std::size_t kLiteralTextMax = 4096;
/// To one command. A folder that is listed is one, and a message's facts.
constexpr std::size_t kResponsesMax = 1'000'000;
/// SASL: SCRAM takes three.
constexpr std::size_t kLoginResponsesMax = 100;
constexpr std::string_view kBody = "BODY[]";

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out.push_back('\\');
        }
        out.push_back(c);
    }
    return out + "\"";
}

std::uint32_t number_in(std::string_view text, std::string_view name) {
    const std::size_t at = to_lower(text).find(to_lower(name) + " ");
    if (at == std::string::npos) {
        return 0;
    }
    text.remove_prefix(at + name.size() + 1);
    const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
    return parse_u32(text.substr(0, end)).value_or(0);
}

/// The server's spelling as our names: its separator becomes '/', a '/' that is none becomes '_'.
std::string folder_name(std::string_view wire, std::string_view separator) {
    std::string name = imap::utf7_decode(wire).value_or(std::string(wire));
    if (separator.size() == 1 && separator != "/") {
        std::ranges::replace(name, '/', '_');
        std::ranges::replace(name, separator.front(), '/');
    }
    return name;
}

std::string_view known_role(std::string_view attribute) {
    for (const std::string_view role : {"\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash"}) {
        if (equals_ignore_case(role, attribute)) {
            return role;
        }
    }
    return {};
}

/// Where the list that opens at `at` closes.
std::size_t close_of(const std::vector<Token>& tokens, std::size_t at) {
    std::size_t depth = 0;
    for (; at < tokens.size(); ++at) {
        depth += tokens[at].kind == Token::Kind::Open ? 1 : 0;
        if (tokens[at].kind == Token::Kind::Close && --depth == 0) {
            break;
        }
    }
    return at;
}

struct ListLine {
    ImapFolder folder;
    bool is_selectable = true;
};
/// "* LIST (\Sent) "/" "Sent"".
std::optional<ListLine> list_line(const ImapResponse& response) {
    const auto& tokens = response.tokens;
    if (tokens.size() < 5 || tokens[2].kind != Token::Kind::Open) {
        return std::nullopt;
    }
    const std::size_t close = close_of(tokens, 2);
    if (close + 2 >= tokens.size()) {
        return std::nullopt;
    }
    ListLine line;
    for (std::size_t i = 3; i < close; ++i) {
        const std::string& attribute = tokens[i].text;
        line.is_selectable = line.is_selectable && !equals_ignore_case(attribute, "\\Noselect") &&
                             !equals_ignore_case(attribute, "\\NonExistent");
        line.folder.is_subscribed =
            line.folder.is_subscribed || equals_ignore_case(attribute, "\\Subscribed");
        if (line.folder.role.empty()) {
            line.folder.role = known_role(attribute);
        }
    }
    line.folder.wire = tokens[close + 2].text;
    const Token& separator = tokens[close + 1];
    line.folder.name =
        folder_name(line.folder.wire,
                    separator.kind == Token::Kind::Atom ? std::string_view() : separator.text);
    return line.folder.wire.empty() ? std::nullopt : std::optional(std::move(line));
}

struct Fetched {
    ImapFacts facts;
    bool has_body = false;
};
std::optional<Fetched> fetched(const ImapResponse& response) {
    const auto& tokens = response.tokens;
    if (tokens.size() < 5 || !equals_ignore_case(response.word(2), "FETCH")) {
        return std::nullopt;
    }
    Fetched found;
    for (std::size_t i = 4; i + 1 < tokens.size(); ++i) {
        const std::string& name = tokens[i].text;
        const Token& value = tokens[i + 1];
        if (tokens[i].kind == Token::Kind::Open) {
            i = close_of(tokens, i);
        } else if (equals_ignore_case(name, "UID")) {
            found.facts.uid = parse_u32(value.text).value_or(0);
            ++i;
        } else if (equals_ignore_case(name, "RFC822.SIZE")) {
            found.facts.size = parse_u64(value.text).value_or(0);
            ++i;
        } else if (equals_ignore_case(name, "INTERNALDATE")) {
            const auto date = imap::parse_date_time(value.text);
            found.facts.date = date ? unix_seconds(*date) : 0;
            ++i;
        } else if (equals_ignore_case(name, "FLAGS")) {
            const std::size_t close = close_of(tokens, i + 1);
            for (std::size_t j = i + 2; j < close; ++j) {
                // What is longer, and more, is none here: import_desk leaves it out.
                if (found.facts.flags.size() < limits::keywords_max &&
                    tokens[j].text.size() <= limits::keyword_size_max) {
                    found.facts.flags.push_back(tokens[j].text);
                }
            }
            i = close;
        } else if (equals_ignore_case(name, kBody)) {
            found.has_body = value.kind != Token::Kind::Atom;
            ++i;
        }
    }
    return found.facts.uid == 0 ? std::nullopt : std::optional(std::move(found));
}

}  // namespace

std::string_view ImapResponse::word(std::size_t index) const {
    return index < tokens.size() ? std::string_view(tokens[index].text) : std::string_view();
}

Result<std::unique_ptr<ImapSource>> ImapSource::open(const ImapLogin& login) {
    std::unique_ptr<ImapSource> source(new ImapSource());
    source->stream_ = TRY(BlockingStream::connect(login.host, login.port, kPatience));
    if (login.security == ImapSecurity::Tls) {
        TRY(source->secure(login));
    }
    TRY(source->greet(login));
    TRY(source->log_in(login));
    return source;
}

Result<> ImapSource::secure(const ImapLogin& login) {
    net::TlsClientOptions options{.host = login.host};
    options.verify =
        login.fingerprint.empty() ? net::TlsVerify::Name : net::TlsVerify::Opportunistic;
    TRY(stream_->start_tls(login.trust, std::move(options)));
    const std::string hash = stream_->certificate_hash();
    if (!login.fingerprint.empty() && hash != login.fingerprint) {
        return peer_error(ErrorCode::Denied, "the server's certificate has the fingerprint " +
                                                 hex_encode(hash) + ", not the one given");
    }
    return {};
}

Result<ImapResponse> ImapSource::next() {
    Result<ImapResponse> response = read_response();
    // What comes after it may be the rest of a message: nobody may take that for answers.
    is_dead_ = is_dead_ || !response;
    return response;
}

Result<ImapResponse> ImapSource::read_response() {
    ImapResponse response;
    bool is_body = false;  // What the next literal is.
    for (;;) {
        auto token = TRY(reader_.next());
        if (!token) {
            const std::string more = TRY(stream_->read());
            if (more.empty()) {
                return temporary_error(ErrorCode::Closed, "the IMAP server ended the connection");
            }
            reader_.feed(more);
            continue;
        }
        if (response.tokens.size() == kTokensMax) {
            return peer_error(ErrorCode::LimitExceeded, "the IMAP server says too much at once");
        }
        switch (token->kind) {
            case Token::Kind::End: return response;
            case Token::Kind::LiteralBegin:
                if (is_body) {
                    response.literal = Spool();
                }
                response.tokens.push_back({.kind = Token::Kind::String});
                break;
            case Token::Kind::Octets:
                if (is_body) {
                    TRY(response.literal.append(token->text));
                } else {
                    std::string& text = response.tokens.back().text;
                    text.append(token->text.substr(0, kLiteralTextMax - text.size()));
                }
                break;
            case Token::Kind::LiteralEnd: is_body = false; break;
            default:
                if (is_body && token->kind == Token::Kind::String) {
                    // RFC 3501 9: nstring; servers quote what is short.
                    response.literal = Spool();
                    TRY(response.literal.append(token->text));
                }
                is_body =
                    token->kind == Token::Kind::Atom && equals_ignore_case(token->text, kBody);
                response.tokens.push_back(*std::move(token));
                break;
        }
    }
}

void ImapSource::note(const ImapResponse& response) {
    const auto number = parse_u32(response.word(1)).value_or(0);
    if (equals_ignore_case(response.word(2), "EXISTS")) {
        messages_ = number;
    } else if (equals_ignore_case(response.word(2), "EXPUNGE") && number > 0) {
        messages_ -= messages_ > 0 ? 1 : 0;
        next_ -= number < next_ ? 1 : 0;
    }
}

Result<> ImapSource::command(const std::string& text, const OnResponse& on_response) {
    if (is_dead_) {
        return peer_error(ErrorCode::Invalid, "the IMAP server made no sense before");
    }
    const std::string tag = "g" + std::to_string(++tag_);
    TRY(stream_->write(tag + " " + text + "\r\n"));
    return finish(tag, on_response);
}

Result<> ImapSource::finish(const std::string& tag, const OnResponse& on_response) {
    for (std::size_t count = 0; count < kResponsesMax; ++count) {
        ImapResponse response = TRY(next());
        if (response.word(0) == "*") {
            note(response);
            if (equals_ignore_case(response.word(1), "BYE")) {
                return temporary_error(ErrorCode::Closed, "the IMAP server ended the session: " +
                                                              std::string(response.word(2)));
            }
            if (auto done = on_response(response); !done) {
                is_dead_ = true;  // The rest of the answer is still to come.
                return done;
            }
        } else if (response.word(0) == tag) {
            const std::string said(response.word(2));
            if (equals_ignore_case(response.word(1), "OK")) {
                return on_response(response);
            }
            return peer_error(
                equals_ignore_case(response.word(1), "NO") ? ErrorCode::Denied : ErrorCode::Invalid,
                "the IMAP server said: " + said);
        }
    }
    is_dead_ = true;
    return peer_error(ErrorCode::LimitExceeded, "the IMAP server's answer has no end");
}

bool ImapSource::can(std::string_view capability) const {
    return std::ranges::any_of(capabilities_, [capability](const std::string& one) {
        return equals_ignore_case(one, capability);
    });
}

Result<> ImapSource::ask_capabilities() {
    capabilities_.clear();
    return command("CAPABILITY", [this](ImapResponse& response) -> Result<> {
        if (equals_ignore_case(response.word(1), "CAPABILITY")) {
            capabilities_.clear();
            for (std::size_t i = 2; i < response.tokens.size(); ++i) {
                capabilities_.push_back(response.tokens[i].text);
            }
        }
        return {};
    });
}

Result<> ImapSource::greet(const ImapLogin& login) {
    const ImapResponse greeting = TRY(next());
    if (!equals_ignore_case(greeting.word(1), "OK")) {
        return temporary_error(ErrorCode::Unavailable,
                               "the IMAP server greets with: " + std::string(greeting.word(1)) +
                                   " " + std::string(greeting.word(2)));
    }
    if (login.security == ImapSecurity::StartTls) {
        TRY(command("STARTTLS", [](ImapResponse&) { return Result<>(); }));
        // Nothing that came in the clear counts any more.
        reader_ = imap::ResponseReader();
        TRY(secure(login));
    }
    return ask_capabilities();
}

Result<> ImapSource::authenticate(const ImapLogin& login, sasl::Mechanism mechanism) {
    sasl::ClientExchange exchange({.mechanism = mechanism,
                                   .credentials = login.credentials,
                                   .bindings = {},
                                   .nonce = hex_encode(system_random().bytes(16))});
    const std::string tag = "g" + std::to_string(++tag_);
    const auto initial = exchange.initial();
    const bool has_ir = can("SASL-IR") && initial;
    std::string line = tag + " AUTHENTICATE " + std::string(sasl::row_of(mechanism).name);
    if (has_ir) {
        line.append(" ").append(initial->empty() ? "=" : base64_encode(*initial));
    }
    TRY(stream_->write(line + "\r\n"));
    bool owes_initial = !has_ir && initial.has_value();
    for (std::size_t count = 0; count < kLoginResponsesMax; ++count) {
        ImapResponse response = TRY(next());
        if (response.word(0) == tag) {
            const bool is_ok = equals_ignore_case(response.word(1), "OK");
            if (is_ok && exchange.may_succeed()) {
                return {};
            }
            return peer_error(ErrorCode::Denied,
                              is_ok ? "the IMAP server did not prove that it knows the password"
                                    : "the IMAP server said: " + std::string(response.word(2)));
        }
        if (response.word(0) != "+") {
            continue;
        }
        std::string answer;
        if (owes_initial) {
            answer = base64_encode(*initial);
            owes_initial = false;
        } else {
            const auto challenge = base64_decode(trim(response.word(1)));
            auto next = challenge ? exchange.respond(*challenge)
                                  : Result<std::string>(peer_error(ErrorCode::Invalid, "base64"));
            answer = next ? base64_encode(*next) : "*";
        }
        TRY(stream_->write(answer + "\r\n"));
    }
    return peer_error(ErrorCode::LimitExceeded, "logging in to the IMAP server has no end");
}

Result<> ImapSource::log_in(const ImapLogin& login) {
    std::vector<std::string> offered;
    for (const std::string& capability : capabilities_) {
        if (capability.size() > 5 && equals_ignore_case(capability.substr(0, 5), "AUTH=")) {
            offered.push_back(to_upper(std::string_view(capability).substr(5)));
        }
    }
    const auto mechanism = sasl::choose_mechanism(offered, true, {}, login.is_token);
    if (mechanism) {
        TRY(authenticate(login, *mechanism));
    } else if (login.is_token) {
        return peer_error(ErrorCode::Unsupported, "the IMAP server takes no access tokens");
    } else if (can("LOGINDISABLED")) {
        return peer_error(ErrorCode::Unsupported, "the IMAP server takes no password here");
    } else {
        TRY(command(
            "LOGIN " + quoted(login.credentials.name) + " " + quoted(login.credentials.password),
            [](ImapResponse&) { return Result<>(); }));
    }
    return ask_capabilities();
}

Result<std::vector<ImapFolder>> ImapSource::folders() {
    std::vector<ImapFolder> found;
    std::size_t octets = 0;
    const auto on_list = [&found, &octets](ImapResponse& response) -> Result<> {
        if (!equals_ignore_case(response.word(1), "LIST")) {
            return {};
        }
        auto line = list_line(response);
        octets += line ? line->folder.wire.size() : 0;
        if (found.size() == kFoldersMax || octets > kFolderOctetsMax) {
            return peer_error(ErrorCode::LimitExceeded, "the IMAP server has too many folders");
        }
        if (line && line->is_selectable) {
            found.push_back(std::move(line->folder));
        }
        return {};
    };
    if (can("LIST-EXTENDED") && can("SPECIAL-USE")) {
        TRY(command(R"(LIST "" "*" RETURN (SUBSCRIBED SPECIAL-USE))", on_list));
        return found;
    }
    TRY(command(R"(LIST "" "*")", on_list));
    std::unordered_map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < found.size(); ++i) {
        places.emplace(found[i].wire, i);
    }
    TRY(command(R"(LSUB "" "*")", [&found, &places](ImapResponse& response) -> Result<> {
        const auto line =
            equals_ignore_case(response.word(1), "LSUB") ? list_line(response) : std::nullopt;
        const auto place = places.find(line ? line->folder.wire : std::string());
        if (place != places.end()) {
            found[place->second].is_subscribed = true;
        }
        return {};
    }));
    return found;
}

Result<ImapFolderState> ImapSource::examine(const ImapFolder& folder) {
    if (folder.wire.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
        return peer_error(ErrorCode::Invalid, "its name has line ends in it");
    }
    ImapFolderState state;
    messages_ = 0;
    next_ = 1;
    TRY(command("EXAMINE " + quoted(folder.wire), [&state](ImapResponse& response) -> Result<> {
        if (equals_ignore_case(response.word(1), "OK")) {
            state.uid_validity =
                std::max(state.uid_validity, number_in(response.word(2), "[UIDVALIDITY"));
            state.uid_next = std::max(state.uid_next, number_in(response.word(2), "[UIDNEXT"));
        }
        return {};
    }));
    state.messages = messages_;
    return state;
}

Result<std::vector<ImapFacts>> ImapSource::facts(std::uint32_t count) {
    std::vector<ImapFacts> found;
    while (found.empty() && next_ <= messages_) {
        const std::uint64_t last = std::min<std::uint64_t>(messages_, next_ + count - 1);
        const std::string range = std::to_string(next_) + ":" + std::to_string(last);
        next_ = last + 1;
        TRY(command("FETCH " + range + " (UID FLAGS INTERNALDATE RFC822.SIZE)",
                    [&found, count](ImapResponse& response) -> Result<> {
                        auto one = fetched(response);
                        if (one && found.size() < 2 * std::size_t{count}) {
                            found.push_back(std::move(one->facts));
                        }
                        return {};
                    }));
    }
    std::ranges::sort(found, {}, &ImapFacts::uid);
    const auto doubles = std::ranges::unique(found, {}, &ImapFacts::uid);
    found.erase(doubles.begin(), doubles.end());
    return found;
}

Result<> ImapSource::bodies(const std::vector<std::uint32_t>& uids, const Take& take) {
    std::string set;
    for (const std::uint32_t uid : uids) {
        set.append(set.empty() ? "" : ",").append(std::to_string(uid));
    }
    return command(
        "UID FETCH " + set + " (UID BODY.PEEK[])", [&](ImapResponse& response) -> Result<> {
            const auto one = fetched(response);
            const bool is_asked =
                one && one->has_body && std::ranges::count(uids, one->facts.uid) > 0;
            return is_asked ? take(one->facts.uid, std::move(response.literal)) : Result<>();
        });
}

void ImapSource::log_out() {
    (void)command("LOGOUT", [](ImapResponse&) { return Result<>(); });
}

}  // namespace godwit::app
