// The grammar of commands. RFC 5321 4.1.2, read leniently where SMTP-BEHAVIOUR D says so.
#include "wire/smtp/command.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/encoding.h"
#include "base/limits.h"

namespace godwit::smtp {

namespace {

struct VerbRow {
    std::string_view word;
    Verb verb;
};
constexpr VerbRow kVerbs[] = {
    {"HELO", Verb::Helo},
    {"EHLO", Verb::Ehlo},
    {"LHLO", Verb::Lhlo},
    {"MAIL", Verb::Mail},
    {"RCPT", Verb::Rcpt},
    {"DATA", Verb::Data},
    {"BDAT", Verb::Bdat},
    {"BURL", Verb::Burl},
    {"RSET", Verb::Rset},
    {"NOOP", Verb::Noop},
    {"HELP", Verb::Help},
    {"VRFY", Verb::Vrfy},
    {"EXPN", Verb::Expn},
    {"QUIT", Verb::Quit},
    {"STARTTLS", Verb::StartTls},
    {"AUTH", Verb::Auth},
    {"XCLIENT", Verb::XClient},
    {"XFORWARD", Verb::XForward},
    {"ETRN", Verb::Etrn},
    {"ATRN", Verb::Atrn},
    // D17: web clients. None of these was ever an SMTP verb.
    {"GET", Verb::Http},
    {"POST", Verb::Http},
    {"PUT", Verb::Http},
    {"HEAD", Verb::Http},
    {"CONNECT", Verb::Http},
    {"OPTIONS", Verb::Http},
    {"DELETE", Verb::Http},
    {"PATCH", Verb::Http},
};

using Parsed = std::expected<Command, Reply>;

std::unexpected<Reply> refuse(std::uint16_t code, EnhancedStatus enhanced, std::string text) {
    return std::unexpected(make_reply(code, enhanced, std::move(text)));
}

std::string_view first_word(std::string_view line) {
    return line.substr(0, line.find_first_of(" \t"));
}

Parsed parse_hello(Verb verb, std::string_view argument) {
    std::string_view name = argument.substr(0, argument.find_first_of(" \t"));
    if (name.empty() || name.size() > limits::smtp_hello_name_size_max) {
        return refuse(501, {5, 5, 4},
                      "Say who you are: " + std::string(to_string(verb)) + " hostname");
    }
    // C17: junk is taken. What is not ASCII cannot stand in a trace header, so it is masked.
    HelloCommand command{.verb = verb, .name = std::string(name)};
    for (char& c : command.name) {
        c = is_vchar(c) ? c : '?';
    }
    return command;
}

/// The path at the front of `rest`, with or without its brackets (D1), and what follows.
Result<mail::ParsedPath> take_path(std::string_view& rest, mail::Domainless domainless) {
    mail::ParsedPath path;
    if (rest.starts_with('<')) {
        path = TRY(mail::parse_path(rest, domainless));
    } else {
        path.size = std::min(rest.find(' '), rest.size());
        path.address = TRY(mail::parse_address(rest.substr(0, path.size), domainless));
    }
    rest.remove_prefix(path.size);
    if (!rest.empty() && rest.front() != ' ') {
        return peer_error(ErrorCode::Invalid, "a space must follow the path");
    }
    return path;
}

bool is_keyword(std::string_view text) {
    // RFC 5321 4.1.2: esmtp-keyword.
    for (const char c : text) {
        if (!is_alnum(c) && c != '-') {
            return false;
        }
    }
    return !text.empty() && text.front() != '-';
}

/// esmtp-value of RFC 5321 4.1.2, and UTF-8 (RFC 6531 3.3): the parameter's own reader decides.
bool is_value(std::string_view text) {
    for (const char c : text) {
        if (c == '=' || c == ' ' || is_ctl(c)) {
            return false;
        }
    }
    return !text.empty();
}

/// Reads "KEY[=VALUE]" words. `find` gives the row of a keyword among the offered ones.
template <class Parameters, class Find>
std::optional<Reply> read_parameters(std::string_view rest, Parameters& into, const Find& find) {
    std::array<const void*, limits::smtp_path_parameters_max> seen{};
    std::size_t count = 0;
    for (const std::string_view word : split(rest, ' ')) {
        if (word.empty()) {
            continue;
        }
        const std::size_t equals = word.find('=');
        const bool has_value = equals != std::string_view::npos;
        const std::string_view keyword = word.substr(0, equals);
        const std::string_view value = has_value ? word.substr(equals + 1) : std::string_view();
        if (!is_keyword(keyword) || (has_value && !is_value(value))) {
            return make_reply(501, {5, 5, 4}, "Malformed parameter");
        }
        const auto* row = find(keyword);
        if (row == nullptr) {
            return make_reply(555, {5, 5, 4}, "Parameter not recognized");  // D5
        }
        if (count == seen.size() || std::ranges::find(seen, row) != seen.end()) {
            return make_reply(501, {5, 5, 4}, "Parameter given twice");  // RFC 3461 4.5, RFC 1870 6
        }
        seen[count++] = row;
        if (auto fault = row->parse(value, into)) {
            return fault;
        }
    }
    return std::nullopt;
}

/// "FROM:" or "TO:", any case, blanks after it (D1).
bool take_prefix(std::string_view& argument, std::string_view prefix) {
    if (!starts_with_ignore_case(argument, prefix)) {
        return false;
    }
    argument = trim(argument.substr(prefix.size()));
    return true;
}

Reply must_declare_utf8() {
    return make_reply(553, {5, 6, 7}, "Must declare SMTPUTF8 to send this address");
}

Parsed parse_mail(std::string_view argument, const CommandRules& rules) {
    if (!take_prefix(argument, "FROM:")) {
        return refuse(501, {5, 5, 4}, "Syntax: MAIL FROM:<address>");
    }
    const std::string_view whole = argument;
    auto path = take_path(
        argument, rules.own_domain.empty() ? mail::Domainless::Refuse : mail::Domainless::Allow);
    if (!path) {
        return refuse(501, {5, 1, 7}, "Bad sender address syntax");
    }
    if (path->address && path->address->domain.empty()) {
        path->address->domain = rules.own_domain;
    }
    MailCommand command{.sender = std::move(path->address), .parameters = {}};
    const auto find = [&](std::string_view keyword) {
        return find_mail_parameter(rules.offered, keyword);
    };
    if (auto fault = read_parameters(argument, command.parameters, find)) {
        return std::unexpected(*std::move(fault));
    }
    if (!is_ascii(whole) && !command.parameters.smtputf8) {
        return std::unexpected(must_declare_utf8());  // D7
    }
    return command;
}

Parsed parse_rcpt(std::string_view argument, const CommandRules& rules) {
    if (!take_prefix(argument, "TO:")) {
        return refuse(501, {5, 5, 4}, "Syntax: RCPT TO:<address>");
    }
    const std::string_view whole = argument;
    auto path = take_path(argument, mail::Domainless::Allow);
    if (!path || !path->address) {
        return refuse(501, {5, 1, 3}, "Bad recipient address syntax");
    }
    RcptCommand command{.recipient = {.address = *std::move(path->address), .parameters = {}}};
    if (command.recipient.address.domain.empty()) {
        // RFC 5321 4.1.1.3: only <Postmaster> may go without a domain, in any case (D3).
        const bool is_postmaster =
            equals_ignore_case(command.recipient.address.local, "postmaster");
        if (!is_postmaster && rules.own_domain.empty()) {
            return refuse(501, {5, 1, 3}, "Recipient address lacks a domain");
        }
        command.recipient.address.domain = is_postmaster ? rules.local_name : rules.own_domain;
        command.recipient.is_bare_postmaster = is_postmaster;
    }
    const auto find = [&](std::string_view keyword) {
        return find_rcpt_parameter(rules.offered, keyword);
    };
    if (auto fault = read_parameters(argument, command.recipient.parameters, find)) {
        return std::unexpected(*std::move(fault));
    }
    if (!is_ascii(whole) && !rules.smtputf8) {
        return std::unexpected(must_declare_utf8());
    }
    return command;
}

Parsed parse_bdat(std::string_view argument) {
    BdatCommand command;
    const std::string_view size = first_word(argument);
    const std::string_view marker = trim(argument.substr(size.size()));
    const auto count = parse_u64(size);
    command.is_last = equals_ignore_case(marker, "LAST");
    if (!count || (!marker.empty() && !command.is_last)) {
        return refuse(501, {5, 5, 4}, "Syntax: BDAT size [LAST]");
    }
    command.size = *count;
    return command;
}

// RFC 4468 3.5.
Parsed parse_burl(std::string_view argument) {
    BurlCommand command{.url = std::string(first_word(argument)), .is_last = false};
    const std::string_view marker = trim(argument.substr(command.url.size()));
    command.is_last = equals_ignore_case(marker, "LAST");
    if (command.url.empty() || (!marker.empty() && !command.is_last)) {
        return refuse(501, {5, 5, 4}, "Syntax: BURL url [LAST]");
    }
    return command;
}

Parsed parse_auth(std::string_view argument) {
    const std::string_view mechanism = first_word(argument);
    const std::string_view rest = trim(argument.substr(mechanism.size()));
    if (mechanism.empty() || rest.find(' ') != std::string_view::npos) {
        return refuse(501, {5, 5, 4}, "Syntax: AUTH mechanism [initial-response]");
    }
    AuthCommand command{.mechanism = to_upper(mechanism), .initial = std::nullopt};
    if (!rest.empty()) {
        command.initial = std::string(rest);
    }
    return command;
}

/// RFC 6531 3.7.4.2: a String, and the word that allows UTF-8 in the answer.
template <class Asking>
Parsed parse_question(std::string_view argument) {
    constexpr std::string_view kWord = " SMTPUTF8";
    Asking command;
    if (argument.size() > kWord.size() &&
        equals_ignore_case(argument.substr(argument.size() - kWord.size()), kWord)) {
        argument = trim(argument.substr(0, argument.size() - kWord.size()));
        command.smtputf8 = true;
    }
    command.text = argument;
    return command;
}

template <class Told>
Parsed parse_facts(std::string_view argument, ClientFactUse use) {
    auto facts = parse_client_facts(argument, use);
    if (!facts) {
        return std::unexpected(std::move(facts.error()));
    }
    return Told{.facts = *std::move(facts)};
}

// RFC 1985 5: one node name, with an option character before it or none.
Parsed parse_etrn(std::string_view argument) {
    if (argument.empty()) {
        return refuse(500, {5, 5, 2}, "ETRN takes a domain, @domain or #queue");
    }
    EtrnCommand command;
    if (argument.front() == '@' || argument.front() == '#') {
        command.option = argument.front();
        argument.remove_prefix(1);
    }
    if (argument.empty() || argument.size() > limits::domain_size_max ||
        argument.find_first_of(" \t") != std::string_view::npos) {
        return refuse(501, {5, 5, 4}, "ETRN takes a domain, @domain or #queue");
    }
    command.node = argument;
    return command;
}

// RFC 2645: domains with commas between them and no spaces, or none at all.
Parsed parse_atrn(std::string_view argument) {
    AtrnCommand command;
    if (argument.empty()) {
        return command;
    }
    for (const std::string_view domain : split(argument, ',')) {
        if (domain.empty() || domain.size() > limits::domain_size_max ||
            domain.find_first_of(" \t") != std::string_view::npos ||
            command.domains.size() == atrn_domains_max) {
            return refuse(501, {5, 5, 4}, "ATRN takes domains with commas between them");
        }
        command.domains.emplace_back(domain);
    }
    return command;
}

template <class Bare>
Parsed without_argument(Verb verb, std::string_view argument) {
    if (!argument.empty()) {
        return refuse(501, {5, 5, 4},
                      std::string(to_string(verb)) + " takes no argument");  // RFC 5321 4.3.2
    }
    return Bare{};
}

}  // namespace

std::string_view to_string(Verb verb) {
    for (const VerbRow& row : kVerbs) {
        if (row.verb == verb) {
            return row.word;
        }
    }
    return "unknown";
}

Verb find_verb(std::string_view line) {
    const std::string_view word = first_word(line);
    for (const VerbRow& row : kVerbs) {
        if (equals_ignore_case(row.word, word)) {
            return row.verb;
        }
    }
    return Verb::Unknown;
}

std::expected<Command, Reply> parse_command(std::string_view line, const CommandRules& rules) {
    const Verb verb = find_verb(line);
    if (verb == Verb::Http) {
        return HttpCommand{};
    }
    // T9: no controls anywhere, and no octets that are not UTF-8.
    for (const char c : line) {
        if (is_ctl(c) && c != '\t') {
            return refuse(500, {5, 5, 2}, "Control character in command");
        }
    }
    if (!is_utf8(line)) {
        return refuse(500, {5, 5, 2}, "Command is not UTF-8");
    }
    const std::string_view argument = trim(line.substr(first_word(line).size()));
    switch (verb) {
        case Verb::Helo:
        case Verb::Ehlo:
        case Verb::Lhlo: return parse_hello(verb, argument);
        case Verb::Mail: return parse_mail(argument, rules);
        case Verb::Rcpt: return parse_rcpt(argument, rules);
        case Verb::Data: return without_argument<DataCommand>(verb, argument);
        case Verb::Bdat: return parse_bdat(argument);
        case Verb::Burl: return parse_burl(argument);
        case Verb::Rset: return without_argument<RsetCommand>(verb, argument);
        case Verb::Noop: return NoopCommand{};
        case Verb::Help: return HelpCommand{};
        case Verb::Vrfy: return parse_question<VrfyCommand>(argument);
        case Verb::Expn: return parse_question<ExpnCommand>(argument);
        case Verb::Quit: return without_argument<QuitCommand>(verb, argument);
        case Verb::StartTls: return without_argument<StartTlsCommand>(verb, argument);
        case Verb::Auth: return parse_auth(argument);
        case Verb::XClient: return parse_facts<StandInCommand>(argument, ClientFactUse::StandIn);
        case Verb::XForward:
            return parse_facts<ForwardedCommand>(argument, ClientFactUse::Forwarded);
        case Verb::Etrn: return parse_etrn(argument);
        case Verb::Atrn: return parse_atrn(argument);
        case Verb::Http:
        case Verb::Unknown: break;
    }
    return refuse(500, {5, 5, 2}, "Command not recognized");
}

std::optional<std::string> xtext_decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '+') {
            out += text[i];
            continue;
        }
        const auto octet = hex_decode(text.substr(i + 1, 2));
        if (!octet || octet->size() != 1) {
            return std::nullopt;
        }
        out += *octet;
        i += 2;
    }
    return out;
}

std::string xtext_encode(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        if (is_vchar(c) && c != '+' && c != '=') {
            out += c;
        } else {
            out += '+' + to_upper(hex_encode(std::string_view(&c, 1)));
        }
    }
    return out;
}

std::string write_path(const std::optional<mail::Address>& address) {
    return address ? "<" + address->to_string() + ">" : "<>";
}

}  // namespace godwit::smtp
