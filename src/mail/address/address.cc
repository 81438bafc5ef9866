#include "mail/address/address.h"

#include "base/ascii.h"
#include "base/limits.h"
#include "mail/address/domain.h"
#include "mail/text/charset.h"
#include "mail/text/lexical.h"

namespace godwit::mail {
namespace {

std::unexpected<Error> bad_address(std::string_view what) {
    return peer_error(ErrorCode::Invalid, "address: " + std::string(what));
}

// RFC 5321 4.1.2: Dot-string = Atom *("." Atom).
bool is_dot_string(std::string_view text) {
    bool after_dot = true;
    for (const char c : text) {
        if (c == '.') {
            if (after_dot) {
                return false;
            }
            after_dot = true;
        } else if (is_atext(c)) {
            after_dot = false;
        } else {
            return false;
        }
    }
    return !after_dot;
}

Result<> check_local(std::string_view local) {
    if (local.empty() || local.size() > limits::local_part_size_max) {
        return bad_address("local part is empty or too long (limits.h: local_part_size_max)");
    }
    for (const char c : local) {
        if (is_ctl(c)) {
            return bad_address("control character in local part");
        }
    }
    if (!is_ascii(local) && !is_utf8(local)) {
        return bad_address("local part is not UTF-8");
    }
    return {};
}

Result<std::string> check_domain(std::string_view domain) {
    return domain.starts_with('[') ? normalize_address_literal(domain) : normalize_domain(domain);
}

struct LocalPart {
    std::string value;
    std::size_t size = 0;  // Octets read.
};

// RFC 5321 4.1.2: Quoted-string; qtextSMTP and quoted-pairSMTP are printable ASCII (and UTF-8).
Result<LocalPart> take_quoted(std::string_view text) {
    LocalPart out;
    for (std::size_t at = 1; at < text.size(); ++at) {
        if (text[at] == '"') {
            out.size = at + 1;
            return out;
        }
        if (text[at] == '\\') {
            ++at;
        }
        if (at >= text.size() || out.value.size() >= limits::local_part_size_max) {
            break;
        }
        out.value.push_back(text[at]);
    }
    return bad_address("quoted string has no end or is too long");
}

// Dots may stand anywhere in an unquoted local part: RFC 5321 4.1.2 forbids "a..b@" and "a.@", but
// mail providers in Japan gave out such addresses. They are written quoted by us.
Result<LocalPart> take_local(std::string_view text) {
    if (text.starts_with('"')) {
        return take_quoted(text);
    }
    LexicalView lexer(text);
    const std::string_view atom = lexer.take_dot_atom();
    if (atom.find_first_not_of('.') == std::string_view::npos) {
        return bad_address("expected a local part");
    }
    return LocalPart{std::string(atom), atom.size()};
}

struct TakenAddress {
    Address address;
    std::size_t size = 0;
};

// A Mailbox at the front of `text`; the domain reaches to `end` or to the end of the text.
Result<TakenAddress> take_mailbox(std::string_view text, char end, Domainless domainless) {
    LocalPart local = TRY(take_local(text));
    TRY(check_local(local.value));
    TakenAddress out;
    out.address.local = std::move(local.value);
    out.size = local.size;
    std::string_view rest = text.substr(local.size);
    if (!rest.starts_with('@')) {
        if (domainless == Domainless::Refuse) {
            return bad_address("expected @ and a domain after the local part");
        }
        return out;
    }
    rest.remove_prefix(1);
    const std::string_view domain = end == '\0' ? rest : rest.substr(0, rest.find(end));
    out.address.domain = TRY(check_domain(domain));
    out.size += 1 + domain.size();
    return out;
}

// RFC 5321 4.1.2: A-d-l ":" = "@domain,@domain:"; SHOULD be accepted and ignored (4.1.1.3, appendix
// C).
Result<std::size_t> source_route_size(std::string_view text) {
    if (!text.starts_with('@')) {
        return 0U;
    }
    const std::size_t colon = text.find(':');
    // A literal in a route may hold colons; nobody sends them.
    if (colon == std::string_view::npos ||
        text.substr(0, colon).find_first_of("<>\" \t") != std::string_view::npos) {
        return bad_address("source route has no end");
    }
    return colon + 1;
}

}  // namespace

std::string quote_local_part(std::string_view local) {
    return is_dot_string(local) ? std::string(local) : quote(local);
}

std::string Address::to_string() const {
    std::string out = quote_local_part(local);
    if (!domain.empty()) {
        out.append("@").append(domain);
    }
    return out;
}

bool Address::needs_smtputf8() const {
    return !is_ascii(local);
}

Result<Address> parse_address(std::string_view text, Domainless domainless) {
    TakenAddress taken = TRY(take_mailbox(text, '\0', domainless));
    if (taken.size != text.size()) {
        return bad_address("something follows the address");
    }
    return std::move(taken.address);
}

Result<Address> make_address(std::string_view local, std::string_view domain) {
    TRY(check_local(local));
    Address address;
    address.domain = TRY(check_domain(domain));
    address.local = local;
    return address;
}

Result<ParsedPath> parse_path(std::string_view text, Domainless domainless) {
    if (!text.starts_with('<')) {
        return bad_address("expected <");
    }
    if (text.starts_with("<>")) {
        return ParsedPath{std::nullopt, 2};
    }
    const std::size_t route = TRY(source_route_size(text.substr(1)));
    TakenAddress taken = TRY(take_mailbox(text.substr(1 + route), '>', domainless));
    const std::size_t size = 1 + route + taken.size;
    if (size >= text.size() || text[size] != '>') {
        return bad_address("expected > after the address");
    }
    return ParsedPath{std::move(taken.address), size + 1};
}

std::string local_key(std::string_view local) {
    return to_lower(to_nfc(local));
}

std::string account_key(const Address& address) {
    return local_key(address.local) + "@" + address.domain;
}

}  // namespace godwit::mail
