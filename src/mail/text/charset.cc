#include "mail/text/charset.h"

#include <unicode/uchar.h>
#include <unicode/ucnv.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include <array>
#include <cstdint>
#include <memory>

#include "base/ascii.h"

namespace godwit::mail {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
// More than any message holds; ICU counts in int32.
constexpr std::size_t kIcuInputMax = std::size_t{1} << 29;

// 0x80-0x9F of windows-1252 (WHATWG Encoding); the five holes are C1 controls there.
constexpr std::array<char16_t, 32> kWindows1252 = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

void append_utf8(std::string& out, char16_t unit) {
    if (unit < 0x80) {
        out.push_back(static_cast<char>(unit));
    } else if (unit < 0x800) {
        out.push_back(static_cast<char>(0xC0 | (unit >> 6)));
        out.push_back(static_cast<char>(0x80 | (unit & 0x3F)));
    } else {
        out.push_back(static_cast<char>(0xE0 | (unit >> 12)));
        out.push_back(static_cast<char>(0x80 | ((unit >> 6) & 0x3F)));
        out.push_back(static_cast<char>(0x80 | (unit & 0x3F)));
    }
}

std::string from_windows_1252(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() + bytes.size() / 8);
    for (const char c : bytes) {
        const auto octet = static_cast<unsigned char>(c);
        append_utf8(out,
                    octet >= 0x80 && octet < 0xA0 ? kWindows1252[octet - 0x80U] : char16_t{octet});
    }
    return out;
}

// Only these families reach ICU: it also knows UTF-7, SCSU and other forms that hide ASCII.
bool is_allowed(std::string_view name) {
    static constexpr std::array<std::string_view, 32> kFamilies = {
        "iso-8859-", "iso8859", "latin",     "windows-", "cp125",    "cp8",         "cp437",
        "cp932",     "cp936",   "cp949",     "cp950",    "x-mac",    "ibm8",        "ibm437",
        "koi8",      "utf-16",  "utf-32",    "utf16",    "utf32",    "gb",          "big5",
        "euc-",      "shift",   "sjis",      "x-sjis",   "ms_kanji", "iso-2022-jp", "iso-2022-kr",
        "macintosh", "tis-620", "ks_c_5601", "x-euc"};
    for (const std::string_view family : kFamilies) {
        if (name.starts_with(family)) {
            return true;
        }
    }
    return false;
}

struct CloseConverter {
    void operator()(UConverter* converter) const { ucnv_close(converter); }
};
using Converter = std::unique_ptr<UConverter, CloseConverter>;

Converter open_converter(std::string_view charset) {
    const std::string name = to_lower(trim(charset));
    if (name.size() > 60 || !is_allowed(name)) {
        return nullptr;
    }
    UErrorCode status = U_ZERO_ERROR;
    Converter converter(ucnv_open(name.c_str(), &status));
    return U_SUCCESS(status) ? std::move(converter) : nullptr;
}

std::string utf16_to_utf8(const UChar* text, std::int32_t size) {
    std::string out(static_cast<std::size_t>(size) * 3, '\0');
    std::int32_t written = 0;
    UErrorCode status = U_ZERO_ERROR;
    u_strToUTF8WithSub(out.data(), static_cast<std::int32_t>(out.size()), &written, text, size,
                       0xFFFD, nullptr, &status);
    out.resize(U_SUCCESS(status) && written > 0 ? static_cast<std::size_t>(written) : 0);
    return out;
}

std::string convert(UConverter* converter, std::string_view bytes) {
    std::u16string units(bytes.size() + 16, u'\0');
    for (int attempt = 0; attempt < 2; ++attempt) {
        UErrorCode status = U_ZERO_ERROR;
        const std::int32_t size =
            ucnv_toUChars(converter, units.data(), static_cast<std::int32_t>(units.size()),
                          bytes.data(), static_cast<std::int32_t>(bytes.size()), &status);
        if (status == U_BUFFER_OVERFLOW_ERROR) {
            units.resize(static_cast<std::size_t>(size) + 1);
            continue;
        }
        if (U_FAILURE(status)) {
            break;
        }
        return utf16_to_utf8(units.data(), size);
    }
    return from_windows_1252(bytes);
}

bool is_utf8_name(std::string_view charset) {
    return equals_ignore_case(charset, "utf-8") || equals_ignore_case(charset, "utf8");
}

// Latin-1 is read as windows-1252, as every mail reader does (WHATWG Encoding 4.2); ASCII labels
// promise nothing when 8-bit octets follow.
bool is_latin1_name(std::string_view charset) {
    return equals_ignore_case(charset, "iso-8859-1") ||
           equals_ignore_case(charset, "windows-1252") || equals_ignore_case(charset, "latin1") ||
           equals_ignore_case(charset, "cp1252");
}

// Well-formed UTF-8 to UTF-16; empty on failure.
std::u16string utf8_to_utf16(std::string_view text) {
    std::u16string units(text.size(), u'\0');
    std::int32_t size = 0;
    UErrorCode status = U_ZERO_ERROR;
    u_strFromUTF8(units.data(), static_cast<std::int32_t>(units.size()), &size, text.data(),
                  static_cast<std::int32_t>(text.size()), &status);
    units.resize(U_SUCCESS(status) && size > 0 ? static_cast<std::size_t>(size) : 0);
    return units;
}

std::u16string normalize(const std::u16string& units) {
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2* const nfc = unorm2_getNFCInstance(&status);
    if (U_FAILURE(status)) {
        return units;
    }
    // UAX #15: normal form C of UTF-16 grows at most threefold.
    std::u16string out(units.size() * 3 + 1, u'\0');
    const std::int32_t size =
        unorm2_normalize(nfc, units.data(), static_cast<std::int32_t>(units.size()), out.data(),
                         static_cast<std::int32_t>(out.size()), &status);
    if (U_FAILURE(status)) {
        return units;
    }
    out.resize(static_cast<std::size_t>(size));
    return out;
}

}  // namespace

std::string to_utf8(std::string_view bytes, std::string_view charset) {
    charset = trim(charset);
    if (is_utf8_name(charset)) {
        return scrub_utf8(bytes);
    }
    if (is_latin1_name(charset)) {
        return from_windows_1252(bytes);
    }
    // ISO-2022 and UTF-16 write text in ASCII octets, so ASCII input is no proof for them.
    if (bytes.size() < kIcuInputMax) {
        if (const Converter converter = open_converter(charset)) {
            return convert(converter.get(), bytes);
        }
    }
    return is_utf8(bytes) ? std::string(bytes) : from_windows_1252(bytes);
}

bool is_known_charset(std::string_view charset) {
    charset = trim(charset);
    return is_utf8_name(charset) || is_latin1_name(charset) ||
           equals_ignore_case(charset, "us-ascii") || equals_ignore_case(charset, "ascii") ||
           open_converter(charset) != nullptr;
}

namespace {
// Size of the well-formed sequence at the front of `text`; 0 if ill-formed, and then `*bad` is the
// size of the maximal subpart to replace. Unicode 3.9 table 3-7.
std::size_t sequence_size(std::string_view text, std::size_t* bad) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = at(0);
    *bad = 1;
    if (lead < 0x80) {
        return 1;
    }
    std::size_t size = 0;
    unsigned char low = 0x80, high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
        size = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        size = 3;
        low = lead == 0xE0 ? 0xA0 : 0x80;
        high = lead == 0xED ? 0x9F : 0xBF;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        size = 4;
        low = lead == 0xF0 ? 0x90 : 0x80;
        high = lead == 0xF4 ? 0x8F : 0xBF;
    } else {
        return 0;
    }
    for (std::size_t i = 1; i < size; ++i) {
        if (i >= text.size() || at(i) < low || at(i) > high) {
            *bad = i;
            return 0;
        }
        low = 0x80;
        high = 0xBF;
    }
    return size;
}
}  // namespace

std::string scrub_utf8(std::string_view text) {
    if (is_utf8(text)) {
        return std::string(text);
    }
    std::string out;
    out.reserve(text.size() + 16);
    while (!text.empty()) {
        std::size_t bad = 1;
        const std::size_t good = sequence_size(text, &bad);
        if (good > 0) {
            out.append(text.substr(0, good));
            text.remove_prefix(good);
        } else {
            out.append(kReplacement);
            text.remove_prefix(bad);
        }
    }
    return out;
}

std::string to_nfc(std::string_view text) {
    if (is_ascii(text) || text.size() >= kIcuInputMax || !is_utf8(text)) {
        return std::string(text);
    }
    const std::u16string units = normalize(utf8_to_utf16(text));
    return utf16_to_utf8(units.data(), static_cast<std::int32_t>(units.size()));
}

std::string fold_case(std::string_view text) {
    if (is_ascii(text)) {
        return to_lower(text);
    }
    if (text.size() >= kIcuInputMax || !is_utf8(text)) {
        return to_lower(text);
    }
    const std::u16string units = utf8_to_utf16(text);
    std::u16string folded(units.size() * 3 + 1, u'\0');
    UErrorCode status = U_ZERO_ERROR;
    const std::int32_t size =
        u_strFoldCase(folded.data(), static_cast<std::int32_t>(folded.size()), units.data(),
                      static_cast<std::int32_t>(units.size()), U_FOLD_CASE_DEFAULT, &status);
    if (U_FAILURE(status)) {
        return to_lower(text);
    }
    folded.resize(static_cast<std::size_t>(size));
    const std::u16string out = normalize(folded);
    return utf16_to_utf8(out.data(), static_cast<std::int32_t>(out.size()));
}

std::string fold_for_search(std::string_view text) {
    if (is_ascii(text)) {
        return to_lower(text);
    }
    if (text.size() >= kIcuInputMax) {
        return to_lower(scrub_utf8(text));
    }
    const std::u16string units =
        utf8_to_utf16(is_utf8(text) ? text : std::string_view(scrub_utf8(text)));
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2* const form = unorm2_getNFKCCasefoldInstance(&status);
    // Most text keeps its size; some compatibility characters become eighteen.
    std::u16string out(units.size() + units.size() / 8 + 64, u'\0');
    for (int attempt = 0; attempt < 2 && U_SUCCESS(status); ++attempt) {
        const std::int32_t size =
            unorm2_normalize(form, units.data(), static_cast<std::int32_t>(units.size()),
                             out.data(), static_cast<std::int32_t>(out.size()), &status);
        if (status == U_BUFFER_OVERFLOW_ERROR) {
            out.resize(static_cast<std::size_t>(size) + 1);
            status = U_ZERO_ERROR;
            continue;
        }
        return U_SUCCESS(status) ? utf16_to_utf8(out.data(), size) : to_lower(scrub_utf8(text));
    }
    return to_lower(scrub_utf8(text));
}

unsigned unicode_version() {
    UVersionInfo version = {};
    u_getUnicodeVersion(version);
    return version[0] * 256U + version[1];
}

std::string_view utf8_prefix(std::string_view text, std::size_t count) {
    std::size_t at = 0;
    while (at < text.size()) {
        if ((static_cast<unsigned char>(text[at]) & 0xC0) != 0x80 && count-- == 0) {
            break;
        }
        ++at;
    }
    return text.substr(0, at);
}

}  // namespace godwit::mail
