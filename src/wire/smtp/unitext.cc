#include "wire/smtp/unitext.h"

#include <algorithm>

#include "base/ascii.h"

namespace godwit::smtp {

namespace {

constexpr std::size_t kHexDigitsMin = 2;
constexpr std::size_t kHexDigitsMax = 6;

/// The digits of the braces that `text` begins with, behind "\x".
std::optional<std::string_view> digits_of(std::string_view text) {
    const std::size_t end = text.substr(0, kHexDigitsMax + 2).find('}');
    if (!text.starts_with('{') || end == std::string_view::npos || end <= kHexDigitsMin) {
        return std::nullopt;
    }
    return text.substr(1, end - 1);
}

std::optional<std::uint32_t> number_of(std::string_view digits) {
    std::uint32_t number = 0;
    for (const char c : digits) {
        const char lower = to_lower(c);
        if (c >= '0' && c <= '9') {
            number = number * 16 + static_cast<std::uint32_t>(c - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            number = number * 16 + static_cast<std::uint32_t>(lower - 'a' + 10);
        } else {
            return std::nullopt;
        }
    }
    return number;
}

void append_utf8(std::uint32_t point, std::string& out) {
    const auto tail = [&](unsigned shift) {
        out += static_cast<char>(0x80U | ((point >> shift) & 0x3FU));
    };
    if (point < 0x80) {
        out += static_cast<char>(point);
    } else if (point < 0x800) {
        out += static_cast<char>(0xC0U | (point >> 6));
        tail(0);
    } else if (point < 0x10000) {
        out += static_cast<char>(0xE0U | (point >> 12));
        tail(6);
        tail(0);
    } else {
        out += static_cast<char>(0xF0U | (point >> 18));
        tail(12);
        tail(6);
        tail(0);
    }
}

/// The character that `text`, well-formed UTF-8, begins with, and its size.
struct Character {
    std::uint32_t point;
    std::size_t size;
};
Character first_of(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    if (lead < 0x80) {
        return {lead, 1};
    }
    const std::size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    std::uint32_t point = lead & (0x7FU >> size);
    for (std::size_t i = 1; i < size && i < text.size(); ++i) {
        point = (point << 6) | (static_cast<unsigned char>(text[i]) & 0x3FU);
    }
    return {point, size};
}

std::string escaped(std::uint32_t point) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string digits;
    for (; point > 0 || digits.size() < kHexDigitsMin; point /= 16) {
        digits.insert(digits.begin(), kDigits[point % 16]);
    }
    return "\\x{" + digits + "}";
}

}  // namespace

std::optional<std::string> unitext_decode(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        if (text.front() != '\\') {
            out += text.front();
            text.remove_prefix(1);
            continue;
        }
        if (!text.starts_with("\\x")) {
            return std::nullopt;
        }
        const auto digits = digits_of(text.substr(2));
        const auto point = digits ? number_of(*digits) : std::nullopt;
        if (!point || *point > 0x10FFFF || (*point >= 0xD800 && *point < 0xE000)) {
            return std::nullopt;
        }
        append_utf8(*point, out);
        text.remove_prefix(digits->size() + 4);
    }
    return out;
}

std::string unitext_encode(std::string_view address, bool is_utf8_taken) {
    std::string out;
    while (!address.empty()) {
        const Character character = first_of(address);
        const bool is_plain = character.point < 0x80
                                  ? is_vchar(address.front()) && address.front() != '\\' &&
                                        address.front() != '+' && address.front() != '='
                                  : is_utf8_taken;
        out += is_plain ? std::string(address.substr(0, character.size)) : escaped(character.point);
        address.remove_prefix(std::min(character.size, address.size()));
    }
    return out;
}

}  // namespace godwit::smtp
