#include "sim/peers/encoding.h"

#include "base/ascii.h"

namespace godwit::sim {

namespace {

constexpr std::string_view kEncoding = "Content-Transfer-Encoding:";

std::optional<unsigned> hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return static_cast<unsigned>(c - '0');
    }
    if (c >= 'A' && c <= 'F') {
        return static_cast<unsigned>(c - 'A' + 10);
    }
    return std::nullopt;
}

std::optional<std::string> from_quoted_printable(std::string_view body) {
    std::string out;
    for (std::size_t at = 0; at < body.size();) {
        if (body[at] != '=') {
            out += body[at++];
        } else if (body.substr(at, 3) == "=\r\n") {
            at += 3;
        } else {
            const auto high = at + 2 < body.size() ? hex_value(body[at + 1]) : std::nullopt;
            const auto low = high ? hex_value(body[at + 2]) : std::nullopt;
            if (!low) {
                return std::nullopt;
            }
            out += static_cast<char>(*high * 16 + *low);
            at += 3;
        }
    }
    return out;
}

std::optional<std::string> from_base64(std::string_view body) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    unsigned bits = 0;
    unsigned have = 0;
    for (const char c : body) {
        if (c == '\r' || c == '\n' || c == '=') {
            continue;
        }
        const std::size_t digit = kDigits.find(c);
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        bits = bits << 6U | static_cast<unsigned>(digit);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out += static_cast<char>(bits >> have & 0xFFU);
        }
    }
    return out;
}

}  // namespace

std::optional<std::string> decoded(std::string_view text) {
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string_view::npos) {
        return std::string(text);
    }
    std::string out;
    std::string encoding;
    for (std::string_view rest = text.substr(0, end + 2); !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find("\r\n") + 2);
        rest.remove_prefix(line.size());
        if (starts_with_ignore_case(line, kEncoding)) {
            encoding = to_lower(trim(line.substr(kEncoding.size())));
        } else {
            out += line;
        }
    }
    const std::string_view body = text.substr(end + 4);
    std::optional<std::string> plain(body);
    if (encoding == "quoted-printable") {
        plain = from_quoted_printable(body);
    } else if (encoding == "base64") {
        plain = from_base64(body);
    }
    if (!plain) {
        return std::nullopt;
    }
    return out + "\r\n" + *plain;
}

}  // namespace godwit::sim
