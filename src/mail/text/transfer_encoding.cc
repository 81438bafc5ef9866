#include "mail/text/transfer_encoding.h"

#include <array>

#include "base/ascii.h"
#include "base/encoding.h"

namespace godwit::mail {
namespace {

constexpr std::size_t kLineSize = 76;  // RFC 2045 6.7 (5), 6.8
constexpr std::uint8_t kForeign = 0xFF;

constexpr std::array<std::uint8_t, 256> make_base64_table() {
    std::array<std::uint8_t, 256> table{};
    table.fill(kForeign);
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return table;
}
constexpr std::array<std::uint8_t, 256> kBase64Value = make_base64_table();

int hex_value(char c) {
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    // RFC 2045 6.7 (1) wants upper case; lower case is read all the same, as it tells there.
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

constexpr std::string_view kHex = "0123456789ABCDEF";

}  // namespace

TransferEncoding parse_transfer_encoding(std::string_view name) {
    name = trim(name);
    if (name.empty() || equals_ignore_case(name, "7bit")) {
        return TransferEncoding::SevenBit;
    }
    if (equals_ignore_case(name, "8bit")) {
        return TransferEncoding::EightBit;
    }
    if (equals_ignore_case(name, "binary")) {
        return TransferEncoding::Binary;
    }
    if (equals_ignore_case(name, "quoted-printable")) {
        return TransferEncoding::QuotedPrintable;
    }
    return equals_ignore_case(name, "base64") ? TransferEncoding::Base64 : TransferEncoding::Other;
}

std::string_view transfer_encoding_name(TransferEncoding encoding) {
    switch (encoding) {
        case TransferEncoding::EightBit: return "8BIT";
        case TransferEncoding::Binary: return "BINARY";
        case TransferEncoding::QuotedPrintable: return "QUOTED-PRINTABLE";
        case TransferEncoding::Base64: return "BASE64";
        case TransferEncoding::SevenBit:
        case TransferEncoding::Other: break;
    }
    return "7BIT";
}

std::string decode_base64(std::string_view text) {
    std::string out;
    out.reserve(text.size() / 4 * 3 + 3);
    std::uint32_t group = 0;
    unsigned count = 0;
    for (const char c : text) {
        const std::uint8_t value = kBase64Value[static_cast<unsigned char>(c)];
        if (value == kForeign) {
            if (c == '=') {
                break;
            }
            continue;
        }
        group = (group << 6) | value;
        if (++count == 4) {
            out.push_back(static_cast<char>(group >> 16));
            out.push_back(static_cast<char>(group >> 8));
            out.push_back(static_cast<char>(group));
            count = 0;
            group = 0;
        }
    }
    if (count >= 2) {
        group <<= 6 * (4 - count);
        out.push_back(static_cast<char>(group >> 16));
        if (count == 3) {
            out.push_back(static_cast<char>(group >> 8));
        }
    }
    return out;
}

namespace {

// After '=' at `at`: the offset behind a soft line break (blanks may stand before the line end,
// RFC 2045 6.7 (3)), or npos. At the very end of the text it is one too.
std::size_t soft_break_end(std::string_view text, std::size_t at) {
    while (at < text.size() && is_wsp(text[at])) {
        ++at;
    }
    if (at == text.size()) {
        return at;
    }
    if (text[at] == '\n') {
        return at + 1;
    }
    return text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n'
               ? at + 2
               : std::string_view::npos;
}

}  // namespace

std::string decode_quoted_printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    std::size_t solid = 0;  // Octets of `out` that trailing blanks of this line cannot take away.
    std::size_t at = 0;
    while (at < text.size()) {
        const char c = text[at];
        if (c == '=') {
            if (at + 2 < text.size() && hex_value(text[at + 1]) >= 0 &&
                hex_value(text[at + 2]) >= 0) {
                out.push_back(
                    static_cast<char>(hex_value(text[at + 1]) * 16 + hex_value(text[at + 2])));
                at += 3;
            } else if (const std::size_t end = soft_break_end(text, at + 1);
                       end != std::string_view::npos) {
                at = end;
            } else {
                out.push_back(c);
                ++at;
            }
            solid = out.size();
            continue;
        }
        const bool line_end =
            c == '\n' || (c == '\r' && at + 1 < text.size() && text[at + 1] == '\n');
        if (line_end) {
            out.resize(solid);
        }
        out.push_back(c);
        ++at;
        if (!is_wsp(c)) {
            solid = out.size();
        }
    }
    out.resize(solid);
    return out;
}

std::string decode_transfer(std::string_view text, TransferEncoding encoding) {
    switch (encoding) {
        case TransferEncoding::Base64: return decode_base64(text);
        case TransferEncoding::QuotedPrintable: return decode_quoted_printable(text);
        default: return std::string(text);
    }
}

std::string encode_base64(std::string_view bytes) {
    const std::string flat = base64_encode(bytes);
    std::string out;
    out.reserve(flat.size() + flat.size() / kLineSize * 2 + 2);
    for (std::size_t at = 0; at < flat.size(); at += kLineSize) {
        out.append(flat, at, kLineSize).append("\r\n");
    }
    return out;
}

namespace {

// Whether the octet at `at` must be written =XX. Dots and "From " at the start of a line are hidden
// from transports that touch them.
bool must_encode(std::string_view bytes, std::size_t at, bool line_start, LineBreaks breaks) {
    const char c = bytes[at];
    if (is_wsp(c)) {
        const std::string_view rest = bytes.substr(at + 1);
        return rest.empty() || (breaks == LineBreaks::Text && rest.starts_with("\r\n"));
    }
    if (!is_vchar(c) || c == '=') {
        return true;
    }
    return line_start && (c == '.' || (c == 'F' && bytes.substr(at).starts_with("From ")));
}

}  // namespace

std::string encode_quoted_printable(std::string_view bytes, LineBreaks breaks) {
    std::string out;
    out.reserve(bytes.size() + bytes.size() / 4);
    std::size_t column = 0;
    std::size_t at = 0;
    while (at < bytes.size()) {
        if (breaks == LineBreaks::Text && bytes.substr(at).starts_with("\r\n")) {
            out.append("\r\n");
            column = 0;
            at += 2;
            continue;
        }
        bool encode = must_encode(bytes, at, column == 0, breaks);
        // One column is kept for the '=' of a soft line break.
        if (column + (encode ? 3 : 1) > kLineSize - 1) {
            out.append("=\r\n");
            column = 0;
            encode = must_encode(bytes, at, true, breaks);
        }
        const auto octet = static_cast<unsigned char>(bytes[at++]);
        if (encode) {
            out.push_back('=');
            out.push_back(kHex[octet >> 4]);
            out.push_back(kHex[octet & 15]);
            column += 3;
        } else {
            out.push_back(static_cast<char>(octet));
            ++column;
        }
    }
    return out;
}

}  // namespace godwit::mail
