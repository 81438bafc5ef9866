#include "base/encoding.h"

#include <array>
#include <cstdint>

namespace godwit {

namespace {

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> make_reverse(std::string_view alphabet) {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    }
    return table;
}
constexpr auto kBase64Reverse = make_reverse(kBase64);

std::uint32_t octet(char c) {
    return static_cast<unsigned char>(c);
}

std::string encode64(std::string_view bytes, std::string_view alphabet, bool pad) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    std::size_t i = 0;
    for (; i + 3 <= bytes.size(); i += 3) {
        const std::uint32_t group =
            octet(bytes[i]) << 16U | octet(bytes[i + 1]) << 8U | octet(bytes[i + 2]);
        out += alphabet[group >> 18U];
        out += alphabet[(group >> 12U) & 63U];
        out += alphabet[(group >> 6U) & 63U];
        out += alphabet[group & 63U];
    }
    const std::size_t rest = bytes.size() - i;
    if (rest > 0) {
        const std::uint32_t group =
            octet(bytes[i]) << 16U | (rest == 2 ? octet(bytes[i + 1]) << 8U : 0U);
        out += alphabet[group >> 18U];
        out += alphabet[(group >> 12U) & 63U];
        if (rest == 2) {
            out += alphabet[(group >> 6U) & 63U];
        }
        if (pad) {
            out.append(3 - rest, '=');
        }
    }
    return out;
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

}  // namespace

std::string hex_encode(std::string_view bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        out += kDigits[octet(c) >> 4U];
        out += kDigits[octet(c) & 15U];
    }
    return out;
}

std::optional<std::string> hex_decode(std::string_view text) {
    if (text.size() % 2 != 0) {
        return std::nullopt;
    }
    std::string out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        out += static_cast<char>(high * 16 + low);
    }
    return out;
}

std::string base64_encode(std::string_view bytes) {
    return encode64(bytes, kBase64, true);
}
std::string base64url_encode(std::string_view bytes) {
    return encode64(bytes, kBase64Url, false);
}

std::optional<std::string> base64_decode(std::string_view text) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') {
        ++padding;
    }
    std::string out;
    out.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        const bool is_last = i + 4 == text.size();
        const std::size_t letters = is_last ? 4 - padding : 4;
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            const int value = k < letters ? kBase64Reverse[octet(text[i + k])] : 0;
            if (value < 0) {
                return std::nullopt;
            }
            group = group << 6U | static_cast<std::uint32_t>(value);
        }
        const std::size_t count = letters - 1;
        // Bits that the padding says are not there must be zero, else two texts name one value.
        if ((count == 1 && (group & 0xFFFFU) != 0) || (count == 2 && (group & 0xFFU) != 0)) {
            return std::nullopt;
        }
        out += static_cast<char>(group >> 16U);
        if (count >= 2) {
            out += static_cast<char>((group >> 8U) & 0xFFU);
        }
        if (count >= 3) {
            out += static_cast<char>(group & 0xFFU);
        }
    }
    return out;
}

}  // namespace godwit
