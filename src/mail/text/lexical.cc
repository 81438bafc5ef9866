#include "mail/text/lexical.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/limits.h"

namespace godwit::mail {

namespace {
constexpr auto kAtext = [] {
    std::array<bool, 256> table{};
    for (std::size_t octet = 0; octet < table.size(); ++octet) {
        const auto c = static_cast<char>(octet);
        table[octet] = octet >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c >= '0' && c <= '9');
    }
    for (const char c : std::string_view("!#$%&'*+-/=?^_`{|}~")) {
        table[static_cast<unsigned char>(c)] = true;
    }
    return table;
}();
}  // namespace

bool is_atext(char c) {
    return kAtext[static_cast<unsigned char>(c)];
}

bool is_token_char(char c) {
    if (!is_ascii(c)) {
        return true;
    }
    return is_vchar(c) && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

bool LexicalView::take(char c) {
    if (rest_.empty() || rest_.front() != c) {
        return false;
    }
    rest_.remove_prefix(1);
    return true;
}

bool LexicalView::skip_white_space() {
    std::size_t count = 0;
    while (count < rest_.size() &&
           (is_wsp(rest_[count]) || rest_[count] == '\r' || rest_[count] == '\n')) {
        ++count;
    }
    rest_.remove_prefix(count);
    return count > 0;
}

bool LexicalView::skip_cfws(std::string* comment) {
    bool skipped = false;
    for (;;) {
        if (skip_white_space()) {
            skipped = true;
        } else if (peek() == '(') {
            skip_comment(comment);
            skipped = true;
        } else {
            return skipped;
        }
    }
}

// Past comment_depth_max an opening parenthesis is an ordinary character (T66).
void LexicalView::skip_comment(std::string* comment) {
    if (comment != nullptr) {
        comment->clear();
    }
    std::size_t depth = 0;
    std::size_t at = 0;
    for (; at < rest_.size(); ++at) {
        const char c = rest_[at];
        bool keep = true;
        if (c == '\\' && at + 1 < rest_.size()) {
            ++at;
        } else if (c == '(' && depth < limits::comment_depth_max) {
            keep = depth++ > 0;
        } else if (c == ')') {
            keep = --depth > 0;
        } else if (c == '\r' || c == '\n') {
            keep = false;
        }
        if (keep && comment != nullptr) {
            comment->push_back(rest_[at]);
        }
        if (depth == 0) {
            ++at;
            break;
        }
    }
    rest_.remove_prefix(std::min(at, rest_.size()));
}

namespace {
template <class Accept>
std::string_view take_while(std::string_view& rest, Accept accept) {
    std::size_t count = 0;
    while (count < rest.size() && accept(rest[count])) {
        ++count;
    }
    const std::string_view taken = rest.substr(0, count);
    rest.remove_prefix(count);
    return taken;
}
}  // namespace

std::string_view LexicalView::take_atom() {
    return take_while(rest_, [](char c) { return is_atext(c); });
}

std::string_view LexicalView::take_dot_atom() {
    return take_while(rest_, [](char c) { return c == '.' || is_atext(c); });
}

std::string_view LexicalView::take_token() {
    return take_while(rest_, [](char c) { return is_token_char(c); });
}

std::string LexicalView::take_quoted_string() {
    std::string value;
    std::size_t at = 1;
    while (at < rest_.size() && rest_[at] != '"') {
        char c = rest_[at++];
        if (c == '\\' && at < rest_.size()) {
            c = rest_[at++];
        }
        if (c != '\r' && c != '\n') {
            value.push_back(c);
        }
    }
    advance(at + 1);
    return value;
}

std::string LexicalView::take_domain_literal() {
    std::string value;
    std::size_t at = 0;
    while (at < rest_.size()) {
        char c = rest_[at++];
        if (c == '\\' && at < rest_.size()) {
            c = rest_[at++];
        }
        if (!is_wsp(c) && c != '\r' && c != '\n') {
            value.push_back(c);
        }
        if (c == ']') {
            break;
        }
    }
    advance(at);
    return value;
}

std::string quote(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '\r' || c == '\n' || c == '\0') {
            continue;
        }
        if (c == '"' || c == '\\') {
            out.push_back('\\');
        }
        out.push_back(c);
    }
    out.push_back('"');
    return out;
}

}  // namespace godwit::mail
