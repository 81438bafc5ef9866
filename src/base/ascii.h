// ASCII as protocols use it: no locale, no surprises. RFC 5234 appendix B.1 names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace godwit {

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_alpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_alnum(char c) {
    return is_digit(c) || is_alpha(c);
}
constexpr bool is_hexdig(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
/// VCHAR: 0x21-0x7E.
constexpr bool is_vchar(char c) {
    return c > 0x20 && c < 0x7F;
}
constexpr bool is_wsp(char c) {
    return c == ' ' || c == '\t';
}
/// 0x00-0x1F and 0x7F.
constexpr bool is_ctl(char c) {
    return (static_cast<unsigned char>(c) < 0x20) || c == 0x7F;
}
constexpr bool is_ascii(char c) {
    return static_cast<unsigned char>(c) < 0x80;
}
constexpr char to_lower(char c) {
    return (c >= 'A' && c <= 'Z') ? static_cast<char>(c + 32) : c;
}
constexpr char to_upper(char c) {
    return (c >= 'a' && c <= 'z') ? static_cast<char>(c - 32) : c;
}

std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
bool is_ascii(std::string_view text);
/// Equal with A-Z and a-z taken as the same.
bool equals_ignore_case(std::string_view a, std::string_view b);
bool starts_with_ignore_case(std::string_view text, std::string_view prefix);
bool ends_with_ignore_case(std::string_view text, std::string_view suffix);
/// Position of `needle` in `text` ignoring ASCII case, or npos. Linear in practice: O(n*m) worst,
/// so callers bound the needle (limits.h: search_needle_size_max).
std::size_t find_ignore_case(std::string_view text, std::string_view needle);
/// Without SP and HTAB (and CR, LF) at both ends.
std::string_view trim(std::string_view text);
/// Splits at each `separator`; empty pieces are kept. Views into `text`.
std::vector<std::string_view> split(std::string_view text, char separator);

/// Decimal digits only, whole text, no sign; nullopt when empty, malformed or over the range.
std::optional<std::uint64_t> parse_u64(std::string_view text);
std::optional<std::uint32_t> parse_u32(std::string_view text);

/// Well-formed UTF-8 (no surrogates, no overlong forms, up to U+10FFFF), RFC 3629 section 4.
bool is_utf8(std::string_view text);

struct IgnoreCaseLess {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const;
};

}  // namespace godwit
