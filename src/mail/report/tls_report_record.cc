#include "mail/report/tls_report_record.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/encoding.h"

namespace godwit::mail {

namespace {

constexpr std::string_view kVersion = "v=TLSRPTv1";

// "v=TLSRPTv1" and then the end of the field; blanks may stand around "=" and before ";".
bool is_record(std::string_view text) {
    if (!text.starts_with("v") || text.size() > tls_report_record_size_max) {
        return false;
    }
    std::string field;
    for (const char c : text.substr(0, std::min(text.find(';'), text.size()))) {
        if (c != ' ' && c != '\t') {
            field.push_back(c);
        }
    }
    return field == kVersion && text.contains(';');
}

std::string_view value_of(std::string_view field, std::string_view name) {
    const std::size_t equals = field.find('=');
    const bool is_it = equals != std::string_view::npos && trim(field.substr(0, equals)) == name;
    return is_it ? trim(field.substr(equals + 1)) : std::string_view();
}

// RFC 3986 2.1. nullopt for a "%" without two digits.
std::optional<std::string> percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out.push_back(text[i]);
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

std::optional<TlsReportPlace> mail_place(std::string_view rest) {
    // Header fields of a mailto are its writer's wish for a person's draft: not for us.
    const auto text = percent_decoded(rest.substr(0, std::min(rest.find('?'), rest.size())));
    auto address = text ? parse_address(*text) : Result<Address>(Address());
    if (!text || !address || address->domain.empty()) {
        return std::nullopt;
    }
    return TlsReportPlace{.kind = TlsReportPlace::Kind::Mail, .address = *std::move(address)};
}

std::optional<std::uint16_t> port_of(std::string_view text) {
    std::uint32_t port = 0;
    for (const char c : text) {
        if (!is_digit(c) || port > 65535) {
            return std::nullopt;
        }
        port = port * 10 + static_cast<std::uint32_t>(c - '0');
    }
    return port == 0 || port > 65535 ? std::nullopt
                                     : std::optional(static_cast<std::uint16_t>(port));
}

// It is sent as it stands in a request line and in Host: nothing but visible ASCII.
std::optional<TlsReportPlace> web_place(std::string_view rest) {
    const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
    std::string_view authority = rest.substr(0, end);
    TlsReportPlace place{.kind = TlsReportPlace::Kind::Web};
    const std::string_view tail = rest.substr(end);
    place.path = tail.substr(0, std::min(tail.find('#'), tail.size()));
    place.path = place.path.starts_with("/") ? place.path : "/" + place.path;
    std::size_t colon = authority.rfind(':');
    if (authority.starts_with("[")) {
        const std::size_t bracket = authority.find(']');
        if (bracket == std::string_view::npos) {
            return std::nullopt;
        }
        place.host = authority.substr(1, bracket - 1);
        colon = bracket + 1 < authority.size() ? bracket + 1 : std::string_view::npos;
        if (colon != std::string_view::npos && authority[colon] != ':') {
            return std::nullopt;
        }
    } else {
        place.host = authority.substr(0, std::min(colon, authority.size()));
    }
    if (colon != std::string_view::npos) {
        const auto port = port_of(authority.substr(colon + 1));
        if (!port) {
            return std::nullopt;
        }
        place.port = *port;
    }
    const bool is_host = !place.host.empty() && std::ranges::all_of(place.host, [](char c) {
        return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == ':';
    });
    return is_host ? std::optional(std::move(place)) : std::nullopt;
}

}  // namespace

std::vector<std::string> parse_tls_report_record(const std::vector<std::string>& texts) {
    std::vector<std::string> uris;
    const std::string* record = nullptr;
    for (const std::string& text : texts) {
        if (is_record(text)) {
            if (record != nullptr) {
                return uris;
            }
            record = &text;
        }
    }
    if (record == nullptr) {
        return uris;
    }
    for (const std::string_view field : split(*record, ';')) {
        const std::string_view value = value_of(field, "rua");
        if (value.empty()) {
            continue;
        }
        for (const std::string_view uri : split(value, ',')) {
            const std::string one(trim(uri));
            if (uris.size() < tls_report_places_max && parse_tls_report_place(one) &&
                std::ranges::find(uris, one) == uris.end()) {
                uris.push_back(one);
            }
        }
        break;
    }
    return uris;
}

std::optional<TlsReportPlace> parse_tls_report_place(std::string_view uri) {
    const bool is_visible =
        std::ranges::all_of(uri, [](char c) { return c > ' ' && c <= '~' && c != '"'; });
    if (!is_visible || uri.size() > tls_report_uri_size_max) {
        return std::nullopt;
    }
    constexpr std::string_view kMail = "mailto:";
    constexpr std::string_view kWeb = "https://";
    if (starts_with_ignore_case(uri, kMail)) {
        return mail_place(uri.substr(kMail.size()));
    }
    return starts_with_ignore_case(uri, kWeb) ? web_place(uri.substr(kWeb.size())) : std::nullopt;
}

}  // namespace godwit::mail
