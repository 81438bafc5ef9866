#include "mail/text/html_text.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/ascii.h"
#include "mail/text/charset.h"

namespace godwit::mail {
namespace {

constexpr std::size_t kEntitySizeMax = 10;

void append_code_point(std::string& out, std::uint32_t point) {
    if (point < 0x80) {
        out.push_back(static_cast<char>(point));
        return;
    }
    if (point < 0x800) {
        out.push_back(static_cast<char>(0xC0 | (point >> 6)));
    } else {
        if (point < 0x10000) {
            out.push_back(static_cast<char>(0xE0 | (point >> 12)));
        } else {
            out.push_back(static_cast<char>(0xF0 | (point >> 18)));
            out.push_back(static_cast<char>(0x80 | ((point >> 12) & 0x3F)));
        }
        out.push_back(static_cast<char>(0x80 | ((point >> 6) & 0x3F)));
    }
    out.push_back(static_cast<char>(0x80 | (point & 0x3F)));
}

struct Entity {
    std::string_view name;
    std::uint32_t point;
};
constexpr std::array<Entity, 36> kEntities = {{
    {"amp", '&'},      {"lt", '<'},       {"gt", '>'},       {"quot", '"'},     {"apos", '\''},
    {"nbsp", ' '},     {"copy", 0xA9},    {"reg", 0xAE},     {"trade", 0x2122}, {"hellip", 0x2026},
    {"mdash", 0x2014}, {"ndash", 0x2013}, {"lsquo", 0x2018}, {"rsquo", 0x2019}, {"ldquo", 0x201C},
    {"rdquo", 0x201D}, {"bull", 0x2022},  {"euro", 0x20AC},  {"pound", 0xA3},   {"auml", 0xE4},
    {"ouml", 0xF6},    {"uuml", 0xFC},    {"Auml", 0xC4},    {"Ouml", 0xD6},    {"Uuml", 0xDC},
    {"szlig", 0xDF},   {"eacute", 0xE9},  {"egrave", 0xE8},  {"agrave", 0xE0},  {"ccedil", 0xE7},
    {"middot", 0xB7},  {"laquo", 0xAB},   {"raquo", 0xBB},   {"zwnj", ' '},     {"shy", ' '},
    {"zwj", ' '},
}};

std::optional<std::uint32_t> entity_value(std::string_view name) {
    if (name.starts_with('#')) {
        name.remove_prefix(1);
        const bool hex = name.starts_with('x') || name.starts_with('X');
        name.remove_prefix(hex ? 1 : 0);
        std::uint32_t point = 0;
        for (const char c : name) {
            if (hex ? !is_hexdig(c) : !is_digit(c)) {
                return std::nullopt;
            }
            const int digit = is_digit(c) ? c - '0' : to_lower(c) - 'a' + 10;
            point = std::min<std::uint32_t>(
                point * (hex ? 16 : 10) + static_cast<std::uint32_t>(digit), 0x110000);
        }
        const bool valid = !name.empty() && point >= 0x20 && point < 0x110000 &&
                           (point < 0xD800 || point > 0xDFFF);
        return valid ? std::optional(point) : std::nullopt;
    }
    for (const Entity& entity : kEntities) {
        if (entity.name == name) {
            return entity.point;
        }
    }
    return std::nullopt;
}

// Elements whose text nobody reads.
bool is_hidden(std::string_view name) {
    return equals_ignore_case(name, "script") || equals_ignore_case(name, "style") ||
           equals_ignore_case(name, "title");
}

// Inline elements do not part words; all others do.
bool is_inline(std::string_view name) {
    static constexpr std::array<std::string_view, 9> kInline = {
        "b", "i", "u", "a", "em", "strong", "span", "font", "wbr"};
    return std::ranges::any_of(kInline,
                               [name](std::string_view x) { return equals_ignore_case(x, name); });
}

class HtmlReaderView {
public:
    HtmlReaderView(std::string_view html, std::size_t size_max)
        : rest_(html), size_max_(size_max) {}

    std::string run() {
        while (!rest_.empty() && out_.size() < size_max_) {
            if (rest_.front() == '<') {
                tag();
            } else if (rest_.front() == '&') {
                entity();
            } else {
                character();
            }
        }
        return std::move(out_);
    }

private:
    void space() { pending_space_ = true; }

    void put(std::string_view text) {
        if (!hidden_.empty()) {
            return;
        }
        const bool with_space = pending_space_ && !out_.empty();
        if (out_.size() + text.size() + (with_space ? 1 : 0) > size_max_) {
            rest_ = {};
            return;
        }
        if (with_space) {
            out_.push_back(' ');
        }
        pending_space_ = false;
        out_.append(text);
    }

    void character() {
        const char c = rest_.front();
        std::size_t size = 1;
        while (size < rest_.size() && (static_cast<unsigned char>(rest_[size]) & 0xC0) == 0x80) {
            ++size;
        }
        const std::string_view text = rest_.substr(0, size);
        rest_.remove_prefix(size);
        if (c == ' ' || is_ctl(c) || text == "\xC2\xA0") {
            space();
        } else {
            put(text);
        }
    }

    void entity() {
        const std::size_t end = rest_.substr(0, kEntitySizeMax + 2).find(';');
        const auto point =
            end == std::string_view::npos ? std::nullopt : entity_value(rest_.substr(1, end - 1));
        if (!point) {
            character();
            return;
        }
        rest_.remove_prefix(end + 1);
        if (*point == ' ' || *point == 0xA0) {
            space();
            return;
        }
        std::string text;
        append_code_point(text, *point);
        put(text);
    }

    void skip_past(std::string_view mark) {
        const std::size_t at = rest_.find(mark);
        rest_ = at == std::string_view::npos ? std::string_view{} : rest_.substr(at + mark.size());
    }

    void tag() {
        if (rest_.starts_with("<!--")) {
            skip_past("-->");
            return;
        }
        std::size_t at = 1;
        const bool closing = at < rest_.size() && rest_[at] == '/';
        at += closing ? 1 : 0;
        const std::size_t begin = at;
        while (at < rest_.size() && (is_alnum(rest_[at]) || rest_[at] == ':' || rest_[at] == '-')) {
            ++at;
        }
        const std::string_view name = rest_.substr(begin, at - begin);
        const bool declaration =
            begin < rest_.size() && (rest_[begin] == '!' || rest_[begin] == '?');
        if (name.empty() && !declaration) {
            character();  // "a < b"
            return;
        }
        skip_past(">");
        if (!hidden_.empty()) {
            if (closing && equals_ignore_case(name, hidden_)) {
                hidden_.clear();
            }
            return;
        }
        if (!closing && is_hidden(name)) {
            hidden_ = to_lower(name);
        }
        if (!is_inline(name)) {
            space();
        }
    }

    std::string_view rest_;
    std::size_t size_max_;
    std::string out_;
    std::string hidden_;  // The hidden element we are in.
    bool pending_space_ = false;
};

}  // namespace

std::string html_to_text(std::string_view html, std::size_t size_max) {
    return HtmlReaderView(html, size_max).run();
}

std::string collapse_white_space(std::string_view text, std::size_t size_max) {
    std::string out;
    out.reserve(std::min(text.size(), size_max + 1));
    bool space = false;
    for (std::size_t at = 0; at < text.size() && out.size() < size_max; ++at) {
        const char c = text[at];
        const bool no_break = c == '\xC2' && at + 1 < text.size() && text[at + 1] == '\xA0';
        if (c == ' ' || is_ctl(c) || no_break) {
            space = true;
            at += no_break ? 1 : 0;
            continue;
        }
        if (space && !out.empty()) {
            out.push_back(' ');
        }
        space = false;
        out.push_back(c);
    }
    return out;
}

}  // namespace godwit::mail
