#include "base/ascii.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>

namespace godwit {

std::string to_lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        c = to_lower(c);
    }
    return out;
}

std::string to_upper(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        c = to_upper(c);
    }
    return out;
}

bool is_ascii(std::string_view text) {
    // Eight at a time: most text is, and is long.
    while (text.size() >= sizeof(std::uint64_t)) {
        std::uint64_t octets = 0;
        std::memcpy(&octets, text.data(), sizeof octets);
        if ((octets & 0x8080808080808080U) != 0) {
            return false;
        }
        text.remove_prefix(sizeof octets);
    }
    return std::all_of(text.begin(), text.end(), [](char c) { return is_ascii(c); });
}

bool equals_ignore_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && starts_with_ignore_case(a, b);
}

bool starts_with_ignore_case(std::string_view text, std::string_view prefix) {
    if (text.size() < prefix.size()) {
        return false;
    }
    for (std::size_t i = 0; i < prefix.size(); ++i) {
        if (to_lower(text[i]) != to_lower(prefix[i])) {
            return false;
        }
    }
    return true;
}

bool ends_with_ignore_case(std::string_view text, std::string_view suffix) {
    return text.size() >= suffix.size() &&
           equals_ignore_case(text.substr(text.size() - suffix.size()), suffix);
}

std::size_t find_ignore_case(std::string_view text, std::string_view needle) {
    const auto found = std::search(text.begin(), text.end(), needle.begin(), needle.end(),
                                   [](char a, char b) { return to_lower(a) == to_lower(b); });
    return found == text.end() && !needle.empty() ? std::string_view::npos
                                                  : static_cast<std::size_t>(found - text.begin());
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n";
    const std::size_t first = text.find_first_not_of(kBlank);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> pieces;
    std::size_t start = 0;
    for (;;) {
        const std::size_t end = text.find(separator, start);
        if (end == std::string_view::npos) {
            pieces.push_back(text.substr(start));
            return pieces;
        }
        pieces.push_back(text.substr(start, end - start));
        start = end + 1;
    }
}

namespace {
template <class T>
std::optional<T> parse_unsigned(std::string_view text) {
    // from_chars takes a leading '-' for no unsigned type, but be strict on everything else too.
    if (text.empty() ||
        !std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c); })) {
        return std::nullopt;
    }
    T value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}
}  // namespace

std::optional<std::uint64_t> parse_u64(std::string_view text) {
    return parse_unsigned<std::uint64_t>(text);
}
std::optional<std::uint32_t> parse_u32(std::string_view text) {
    return parse_unsigned<std::uint32_t>(text);
}

bool is_utf8(std::string_view text) {
    std::size_t i = 0;
    const auto at = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
    while (i < text.size()) {
        const unsigned char lead = at(i);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        std::size_t length = 0;
        unsigned char low = 0x80;
        unsigned char high = 0xBF;
        if (lead >= 0xC2 && lead <= 0xDF) {
            length = 2;
        } else if (lead >= 0xE0 && lead <= 0xEF) {
            length = 3;
            low = lead == 0xE0 ? 0xA0 : 0x80;
            high = lead == 0xED ? 0x9F : 0xBF;
        } else if (lead >= 0xF0 && lead <= 0xF4) {
            length = 4;
            low = lead == 0xF0 ? 0x90 : 0x80;
            high = lead == 0xF4 ? 0x8F : 0xBF;
        } else {
            return false;
        }
        if (text.size() - i < length || at(i + 1) < low || at(i + 1) > high) {
            return false;
        }
        for (std::size_t k = 2; k < length; ++k) {
            if ((at(i + k) & 0xC0U) != 0x80) {
                return false;
            }
        }
        i += length;
    }
    return true;
}

bool IgnoreCaseLess::operator()(std::string_view a, std::string_view b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return static_cast<unsigned char>(to_lower(x)) < static_cast<unsigned char>(to_lower(y));
    });
}

}  // namespace godwit
