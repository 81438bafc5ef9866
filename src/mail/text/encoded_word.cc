#include "mail/text/encoded_word.h"

#include <optional>

#include "base/ascii.h"
#include "base/encoding.h"
#include "mail/text/charset.h"
#include "mail/text/transfer_encoding.h"

namespace godwit::mail {
namespace {

constexpr std::size_t kCharsetSizeMax = 64;
constexpr std::size_t kWordSizeMax = 75;  // RFC 2047 2
constexpr std::string_view kOpenB = "=?utf-8?B?";
constexpr std::string_view kOpenQ = "=?utf-8?Q?";

struct EncodedWordView {  // Into the text that was read.
    std::string_view charset;
    bool base64 = false;
    std::string_view text;
    std::size_t size = 0;
};

// The encoded word at the front of `text`. Each scan stops at the next '?', so that a walk over a
// whole field stays linear.
std::optional<EncodedWordView> read_word(std::string_view text) {
    if (!text.starts_with("=?")) {
        return std::nullopt;
    }
    const std::size_t charset_end = text.find('?', 2);
    if (charset_end == std::string_view::npos || charset_end - 2 > kCharsetSizeMax ||
        charset_end == 2 || charset_end + 3 > text.size() || text[charset_end + 2] != '?') {
        return std::nullopt;
    }
    const char encoding = to_lower(text[charset_end + 1]);
    const std::size_t begin = charset_end + 3;
    const std::size_t end = text.find('?', begin);
    if ((encoding != 'b' && encoding != 'q') || end == std::string_view::npos ||
        end + 1 >= text.size() || text[end + 1] != '=') {
        return std::nullopt;
    }
    EncodedWordView word;
    word.charset = text.substr(2, charset_end - 2);
    word.charset =
        word.charset.substr(0, word.charset.find('*'));  // RFC 2231 5: language after '*'.
    word.base64 = encoding == 'b';
    word.text = text.substr(begin, end - begin);
    word.size = end + 2;
    return word;
}

std::string decode_q(std::string_view text) {
    std::string spaced(text);
    for (char& c : spaced) {
        if (c == '_') {
            c = ' ';
        }
    }
    // "=" at the end is no soft break here, but dropping it is harmless. Trailing blanks count.
    spaced.push_back('.');
    std::string out = decode_quoted_printable(spaced);
    out.pop_back();
    return out;
}

class HeaderTextDecoder {
public:
    std::string run(std::string_view body) {
        while (!body.empty()) {
            const std::size_t at = body.find("=?");
            const std::string_view plain = body.substr(0, at);
            if (at == std::string_view::npos) {
                add_plain(plain);
                break;
            }
            const auto word = read_word(body.substr(at));
            if (!word) {
                add_plain(body.substr(0, at + 2));
                body.remove_prefix(at + 2);
                continue;
            }
            add_plain(plain);
            add_word(*word);
            body.remove_prefix(at + word->size);
        }
        flush_word();
        flush_plain();
        return std::move(out_);
    }

private:
    void add_plain(std::string_view text) {
        for (const char c : text) {
            if (c != '\r' && c != '\n') {
                plain_.push_back(c);
            }
        }
    }

    void add_word(const EncodedWordView& word) {
        // RFC 2047 6.2: white space between encoded words is no part of the text.
        const bool adjacent = has_word_ && trim(plain_).empty();
        if (adjacent) {
            plain_.clear();
        }
        if (!adjacent || !equals_ignore_case(charset_, word.charset)) {
            flush_word();
            flush_plain();
        }
        charset_ = word.charset;
        has_word_ = true;
        octets_ += word.base64 ? decode_base64(word.text) : decode_q(word.text);
    }

    void flush_word() {
        if (!octets_.empty()) {
            out_ += to_utf8(octets_, charset_);
            octets_.clear();
        }
        has_word_ = false;
    }

    void flush_plain() {
        out_ += is_ascii(plain_) ? plain_ : to_utf8(plain_, "");
        plain_.clear();
    }

    std::string out_;
    std::string plain_;   // Text since the last word.
    std::string octets_;  // Of adjacent words of one charset.
    std::string charset_;
    bool has_word_ = false;
};

bool is_q_safe(char c) {  // RFC 2047 5 (3): what may stand in a phrase.
    return is_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

std::size_t character_size(std::string_view text) {
    std::size_t size = 1;
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) {
        ++size;
    }
    return size;
}

std::string q_form(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        if (c == ' ') {
            out.push_back('_');
        } else if (is_q_safe(c)) {
            out.push_back(c);
        } else {
            out.push_back('=');
            out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
            out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
        }
    }
    return out;
}

}  // namespace

std::string decode_header_text(std::string_view body) {
    if (body.find_first_of("\r\n") == std::string_view::npos && is_ascii(body) &&
        body.find("=?") == std::string_view::npos) {
        return std::string(trim(body));
    }
    return std::string(trim(HeaderTextDecoder().run(body)));
}

bool needs_encoded_words(std::string_view text) {
    for (const char c : text) {
        if (!is_ascii(c) || (is_ctl(c) && c != '\t')) {
            return true;
        }
    }
    return text.find("=?") != std::string_view::npos;
}

std::string encode_words(std::string_view input) {
    const std::string clean = scrub_utf8(input);
    const std::string_view text = clean;
    const bool base64 = q_form(text).size() > (text.size() + 2) / 3 * 4;
    constexpr std::size_t kRoom = kWordSizeMax - kOpenB.size() - 2;
    constexpr std::size_t kBase64Octets = kRoom / 4 * 3;
    std::string out;
    std::size_t at = 0;
    while (at < text.size()) {
        std::size_t end = at;
        std::size_t used = 0;
        while (end < text.size()) {
            const std::string_view character = text.substr(end, character_size(text.substr(end)));
            const std::size_t cost = base64 ? character.size() : q_form(character).size();
            if (end > at && used + cost > (base64 ? kBase64Octets : kRoom)) {
                break;
            }
            used += cost;
            end += character.size();
        }
        const std::string_view piece = text.substr(at, end - at);
        if (!out.empty()) {
            out.push_back(' ');
        }
        out.append(base64 ? kOpenB : kOpenQ)
            .append(base64 ? base64_encode(piece) : q_form(piece))
            .append("?=");
        at = end;
    }
    return out;
}

}  // namespace godwit::mail
