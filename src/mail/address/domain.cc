#include "mail/address/domain.h"

#include <idn2.h>

#include <memory>

#include "base/ascii.h"
#include "base/limits.h"

namespace godwit::mail {
namespace {

constexpr std::size_t kLabelSizeMax = 63;  // RFC 1035 2.3.4
constexpr std::size_t kNameSizeMax = 253;  // 255 octets on the wire, RFC 1035 2.3.4

std::unexpected<Error> bad_domain(std::string_view what) {
    return peer_error(ErrorCode::Invalid, "domain: " + std::string(what));
}

struct FreeIdn {
    void operator()(char* text) const { idn2_free(text); }
};
using IdnString = std::unique_ptr<char, FreeIdn>;

// RFC 5321 4.1.2 (sub-domain), and '_', which some real hosts have.
bool is_label(std::string_view label) {
    if (label.empty() || label.size() > kLabelSizeMax || label.front() == '-' ||
        label.back() == '-') {
        return false;
    }
    for (const char c : label) {
        if (!is_alnum(c) && c != '-' && c != '_') {
            return false;
        }
    }
    return true;
}

Result<std::string> normalize_ascii(std::string_view domain) {
    if (domain.ends_with('.')) {
        domain.remove_suffix(1);
    }
    if (domain.empty() || domain.size() > kNameSizeMax) {
        return bad_domain("expected 1 to 253 octets");
    }
    std::string_view rest = domain;
    for (;;) {
        const std::size_t dot = rest.find('.');
        if (!is_label(rest.substr(0, dot))) {
            return bad_domain("label is empty, too long, or has a character that is not allowed");
        }
        if (dot == std::string_view::npos) {
            return to_lower(domain);
        }
        rest.remove_prefix(dot + 1);
    }
}

}  // namespace

Result<std::string> normalize_domain(std::string_view domain) {
    if (is_ascii(domain)) {
        return normalize_ascii(domain);
    }
    if (domain.size() > limits::domain_size_max * 4 || !is_utf8(domain) ||
        domain.find('\0') != std::string_view::npos) {
        return bad_domain("not UTF-8 or too long");
    }
    const std::string source(domain);
    char* raw = nullptr;
    // RFC 6531 3.2 asks for A-labels in the DNS; UTS #46 maps case and width first.
    const int code = idn2_to_ascii_8z(source.c_str(), &raw, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    const IdnString ascii(raw);
    if (code != IDN2_OK || ascii == nullptr) {
        return bad_domain(idn2_strerror(code));
    }
    const std::string_view converted = ascii.get();
    if (!is_ascii(converted)) {
        return bad_domain("no ASCII form");
    }
    return normalize_ascii(converted);
}

bool is_address_literal(std::string_view domain) {
    return domain.size() >= 2 && domain.front() == '[' && domain.back() == ']';
}

bool is_ipv4(std::string_view text) {
    int parts = 0;
    for (;;) {
        const std::size_t dot = text.find('.');
        const std::string_view part = text.substr(0, dot);
        const auto value = part.size() <= 3 ? parse_u32(part) : std::nullopt;
        if (!value || *value > 255 || (part.size() > 1 && part.front() == '0')) {
            return false;
        }
        ++parts;
        if (dot == std::string_view::npos) {
            return parts == 4;
        }
        if (parts == 4) {
            return false;
        }
        text.remove_prefix(dot + 1);
    }
}

bool is_ipv6(std::string_view text) {
    if (text.size() > 45) {
        return false;
    }
    int groups = 0;
    bool compressed = false;
    if (text.starts_with("::")) {
        compressed = true;
        text.remove_prefix(2);
        if (text.empty()) {
            return true;
        }
    }
    for (;;) {
        const std::size_t colon = text.find(':');
        const std::string_view group = text.substr(0, colon);
        if (colon == std::string_view::npos && group.find('.') != std::string_view::npos) {
            groups += 2;
            return is_ipv4(group) && (compressed ? groups <= 7 : groups == 8);
        }
        if (group.empty() || group.size() > 4 || ++groups > 8) {
            return false;
        }
        for (const char c : group) {
            if (!is_hexdig(c)) {
                return false;
            }
        }
        if (colon == std::string_view::npos) {
            return compressed ? groups <= 7 : groups == 8;
        }
        text.remove_prefix(colon + 1);
        if (text.starts_with(':')) {
            if (compressed) {
                return false;
            }
            compressed = true;
            text.remove_prefix(1);
            if (text.empty()) {
                return groups <= 7;
            }
        }
    }
}

Result<std::string> normalize_address_literal(std::string_view literal) {
    if (!is_address_literal(literal)) {
        return bad_domain("expected an address literal in brackets");
    }
    const std::string_view inside = literal.substr(1, literal.size() - 2);
    if (is_ipv4(inside)) {
        return std::string(literal);
    }
    constexpr std::string_view kTag = "IPv6:";
    if (starts_with_ignore_case(inside, kTag) && is_ipv6(inside.substr(kTag.size()))) {
        return "[" + std::string(kTag) + to_lower(inside.substr(kTag.size())) + "]";
    }
    return bad_domain("address literal is neither IPv4 nor IPv6");
}

std::string domain_to_unicode(std::string_view domain) {
    const std::string source(domain);
    if (find_ignore_case(domain, "xn--") == std::string_view::npos ||
        domain.find('\0') != std::string_view::npos) {
        return source;
    }
    char* raw = nullptr;
    const int code = idn2_to_unicode_8z8z(source.c_str(), &raw, IDN2_NONTRANSITIONAL);
    const IdnString unicode(raw);
    if (code != IDN2_OK || unicode == nullptr || !is_utf8(unicode.get())) {
        return source;
    }
    // Only when the way back gives the same name: a label that lies is shown as it is.
    const auto back = normalize_domain(unicode.get());
    return back && equals_ignore_case(*back, domain) ? std::string(unicode.get()) : source;
}

}  // namespace godwit::mail
