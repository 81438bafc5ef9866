#include "wire/imap/utf7.h"

#include <array>
#include <cstdint>

#include "base/ascii.h"

namespace godwit::imap {

namespace {

// RFC 3501 5.1.3: base64 with "," for "/".
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
constexpr std::uint32_t kReplacement = 0xFFFD;

constexpr std::array<std::int8_t, 256> make_values() {
    std::array<std::int8_t, 256> out{};
    out.fill(-1);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        out[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
    }
    return out;
}
constexpr std::array<std::int8_t, 256> kValues = make_values();

bool represents_itself(std::uint32_t unit) {
    return unit >= 0x20 && unit <= 0x7E;
}

void append_utf8(std::string& out, std::uint32_t code_point) {
    const auto push = [&out](std::uint32_t octet) { out.push_back(static_cast<char>(octet)); };
    if (code_point < 0x80) {
        push(code_point);
    } else if (code_point < 0x800) {
        push(0xC0 | (code_point >> 6));
        push(0x80 | (code_point & 0x3F));
    } else if (code_point < 0x10000) {
        push(0xE0 | (code_point >> 12));
        push(0x80 | ((code_point >> 6) & 0x3F));
        push(0x80 | (code_point & 0x3F));
    } else {
        push(0xF0 | (code_point >> 18));
        push(0x80 | ((code_point >> 12) & 0x3F));
        push(0x80 | ((code_point >> 6) & 0x3F));
        push(0x80 | (code_point & 0x3F));
    }
}

// Takes UTF-16 units one by one; false when they do not form code points or could be ASCII.
class UnitReader {
public:
    bool take(std::uint32_t unit, std::string& out) {
        const bool is_high = unit >= 0xD800 && unit <= 0xDBFF;
        const bool is_low = unit >= 0xDC00 && unit <= 0xDFFF;
        if (high_ != 0) {
            if (!is_low) {
                return false;
            }
            append_utf8(out, 0x10000 + ((high_ - 0xD800) << 10) + (unit - 0xDC00));
            high_ = 0;
            return true;
        }
        if (is_low || represents_itself(unit)) {
            return false;
        }
        if (is_high) {
            high_ = unit;
        } else {
            append_utf8(out, unit);
        }
        return true;
    }
    [[nodiscard]] bool is_complete() const { return high_ == 0; }

private:
    std::uint32_t high_ = 0;
};

// Decodes what stands between "&" and "-".
bool decode_shifted(std::string_view digits, std::string& out) {
    UnitReader units;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : digits) {
        const std::int8_t value = kValues[static_cast<unsigned char>(c)];
        if (value < 0) {
            return false;
        }
        bits = (bits << 6) | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 16) {
            count -= 16;
            if (!units.take((bits >> count) & 0xFFFF, out)) {
                return false;
            }
            bits &= (1U << count) - 1;
        }
    }
    // What is left must be padding: fewer bits than a digit, all zero.
    return count < 6 && bits == 0 && units.is_complete();
}

// One code point off the front of `text`; a broken sequence costs one octet and is U+FFFD.
std::uint32_t take_code_point(std::string_view& text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (size > text.size() || !is_utf8(text.substr(0, size))) {
        text.remove_prefix(1);
        return kReplacement;
    }
    std::uint32_t out = size == 1 ? lead : lead & (0x7FU >> size);
    for (std::size_t i = 1; i < size; ++i) {
        out = (out << 6) | (static_cast<unsigned char>(text[i]) & 0x3FU);
    }
    text.remove_prefix(size);
    return out;
}

// Packs UTF-16 units into digits.
class UnitWriter {
public:
    explicit UnitWriter(std::string& out) : out_(out) {}
    void put(std::uint32_t code_point) {
        if (code_point >= 0x10000) {
            put_unit(0xD800 + ((code_point - 0x10000) >> 10));
            put_unit(0xDC00 + ((code_point - 0x10000) & 0x3FF));
        } else {
            put_unit(code_point);
        }
    }
    void finish() {
        if (count_ > 0) {
            out_.push_back(kAlphabet[(bits_ << (6 - count_)) & 0x3F]);
        }
        bits_ = 0;
        count_ = 0;
    }

private:
    void put_unit(std::uint32_t unit) {
        bits_ = (bits_ << 16) | unit;
        count_ += 16;
        while (count_ >= 6) {
            count_ -= 6;
            out_.push_back(kAlphabet[(bits_ >> count_) & 0x3F]);
        }
        bits_ &= (1U << count_) - 1;
    }
    std::string& out_;
    std::uint32_t bits_ = 0;
    unsigned count_ = 0;
};

}  // namespace

std::optional<std::string> utf7_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    bool after_shift = false;  // "&...-" ended just before: another "&" would be a null shift.
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (c != '&') {
            if (!represents_itself(static_cast<unsigned char>(c))) {
                return std::nullopt;
            }
            out.push_back(c);
            after_shift = false;
            ++at;
            continue;
        }
        const std::size_t end = text.find('-', at);
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        if (end == at + 1) {
            out.push_back('&');
            after_shift = false;
        } else if (after_shift || !decode_shifted(text.substr(at + 1, end - at - 1), out)) {
            return std::nullopt;
        } else {
            after_shift = true;
        }
        at = end + 1;
    }
    return out;
}

std::string utf7_encode(std::string_view utf8) {
    std::string out;
    out.reserve(utf8.size());
    while (!utf8.empty()) {
        const std::uint32_t first = take_code_point(utf8);
        if (represents_itself(first)) {
            out.push_back(static_cast<char>(first));
            if (first == '&') {
                out.push_back('-');
            }
            continue;
        }
        out.push_back('&');
        UnitWriter units(out);
        units.put(first);
        while (!utf8.empty() && !represents_itself(static_cast<unsigned char>(utf8.front()))) {
            units.put(take_code_point(utf8));
        }
        units.finish();
        out.push_back('-');
    }
    return out;
}

}  // namespace godwit::imap
