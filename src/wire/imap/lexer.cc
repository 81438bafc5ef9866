#include "wire/imap/lexer.h"

#include <algorithm>
#include <limits>

#include "base/ascii.h"

namespace godwit::imap {

namespace {

bool is_list_char(char c) {
    // RFC 3501 9 list-char: ATOM-CHAR, list-wildcards, resp-specials.
    return is_astring_char(c) || c == '%' || c == '*';
}

}  // namespace

bool is_atom_char(char c) {
    if (!is_ascii(c) || is_ctl(c)) {
        return false;
    }
    switch (c) {
        case '(':
        case ')':
        case '{':
        case ' ':
        case '%':
        case '*':
        case '"':
        case '\\':
        case ']': return false;
        default: return true;
    }
}

bool is_astring_char(char c) {
    return is_atom_char(c) || c == ']';
}

Lexer::Lexer(const Command& command)
    : text_(command.text),
      pos_(std::min(command.arguments, command.text.size())),
      command_(&command) {}

std::unexpected<Error> Lexer::bad(std::string_view what) const {
    std::string text = "Expected ";
    text.append(what).append(at_end() ? " at the end" : " at octet ");
    if (!at_end()) {
        text.append(std::to_string(pos_));
    }
    return peer_error(ErrorCode::Invalid, std::move(text));
}

bool Lexer::take(char c) {
    if (at_end() || text_[pos_] != c) {
        return false;
    }
    ++pos_;
    return true;
}

bool Lexer::take_word(std::string_view word) {
    const std::string_view rest = text_.substr(pos_);
    if (!starts_with_ignore_case(rest, word)) {
        return false;
    }
    if (rest.size() > word.size() && is_atom_char(rest[word.size()])) {
        return false;
    }
    pos_ += word.size();
    return true;
}

Result<> Lexer::expect(char c) {
    if (!take(c)) {
        return bad(c == ' ' ? std::string("SP") : std::string(1, c));
    }
    return {};
}

Result<> Lexer::end() {
    const std::size_t start = pos_;
    while (take(' ')) {
    }
    if (!at_end()) {
        const auto error = bad("the end of the command");
        pos_ = start;
        return error;
    }
    return {};
}

Result<std::string_view> Lexer::run(bool (*accepts)(char), std::string_view what) {
    const std::size_t begin = pos_;
    while (pos_ < text_.size() && accepts(text_[pos_])) {
        ++pos_;
    }
    if (pos_ == begin) {
        return bad(what);
    }
    return text_.substr(begin, pos_ - begin);
}

Result<std::string_view> Lexer::atom() {
    return run(is_atom_char, "an atom");
}

Result<std::string> Lexer::astring() {
    if (peek() == '"' || at_literal()) {
        return string();
    }
    return std::string(TRY(run(is_astring_char, "an atom or a string")));
}

Result<std::string> Lexer::list_mailbox() {
    if (peek() == '"' || at_literal()) {
        return string();
    }
    return std::string(TRY(run(is_list_char, "a mailbox pattern")));
}

Result<std::string> Lexer::string() {
    if (peek() == '"') {
        return quoted();
    }
    if (at_literal()) {
        return literal();
    }
    return bad("a string");
}

Result<std::optional<std::string>> Lexer::nstring() {
    if (take_word("NIL")) {
        return std::optional<std::string>();
    }
    return std::optional<std::string>(TRY(string()));
}

Result<std::uint32_t> Lexer::number() {
    const std::size_t begin = pos_;
    while (pos_ < text_.size() && is_digit(text_[pos_])) {
        ++pos_;
    }
    const auto value = parse_u32(text_.substr(begin, pos_ - begin));
    if (!value) {
        pos_ = begin;
        return bad("a number below 4294967296");
    }
    return *value;
}

Result<std::uint32_t> Lexer::nz_number() {
    const std::size_t begin = pos_;
    const std::uint32_t value = TRY(number());
    if (value == 0) {
        pos_ = begin;
        return bad("a number above zero");
    }
    return value;
}

Result<std::uint64_t> Lexer::number64() {
    const std::size_t begin = pos_;
    while (pos_ < text_.size() && is_digit(text_[pos_])) {
        ++pos_;
    }
    const auto value = parse_u64(text_.substr(begin, pos_ - begin));
    if (!value || *value > static_cast<std::uint64_t>(INT64_MAX)) {
        pos_ = begin;
        return bad("a number below 2^63");
    }
    return *value;
}

// RFC 3501 9 quoted, and the UTF-8 of RFC 6855 3, which must be well-formed.
Result<std::string> Lexer::quoted() {
    ++pos_;
    std::string out;
    for (;;) {
        if (at_end()) {
            return bad("a closing quote");
        }
        char c = text_[pos_];
        if (c == '"') {
            if (!is_utf8(out)) {
                return bad("UTF-8 in a quoted string");
            }
            ++pos_;
            return out;
        }
        if (c == '\r' || c == '\n' || c == '\0') {
            return bad("a closing quote");
        }
        if (c == '\\') {
            ++pos_;
            c = peek();
            if (c != '"' && c != '\\') {
                return bad("a quote or a backslash after a backslash");
            }
        }
        out.push_back(c);
        ++pos_;
    }
}

bool Lexer::at_literal() const {
    return peek() == '{' || (peek() == '~' && pos_ + 1 < text_.size() && text_[pos_ + 1] == '{');
}

Result<LiteralToken> Lexer::literal_token() {
    LiteralToken out;
    if (!at_literal()) {
        return bad("a literal");
    }
    out.binary = take('~');
    (void)take('{');  // at_literal() saw it.
    const std::size_t begin = pos_;
    while (pos_ < text_.size() && is_digit(text_[pos_])) {
        ++pos_;
    }
    const auto size = parse_u64(text_.substr(begin, pos_ - begin));
    (void)take('+');  // Whether it synchronises was the reader's concern.
    if (!size || !take('}') || !take('\r') || !take('\n')) {
        return bad("a literal");
    }
    out.size = *size;
    out.streamed = command_ != nullptr && std::ranges::binary_search(command_->streamed, pos_);
    if (!out.streamed) {
        if (out.size > text_.size() - pos_) {
            return bad("a whole literal");
        }
        pos_ += static_cast<std::size_t>(out.size);
    }
    return out;
}

Result<std::string> Lexer::literal() {
    const LiteralToken token = TRY(literal_token());
    if (token.streamed) {
        return bad("a string");
    }
    const std::size_t size = static_cast<std::size_t>(token.size);
    const std::string_view bytes = text_.substr(pos_ - size, size);
    // RFC 3501 9, CHAR8: no NUL. RFC 4466 3, literal8: any octet, but no string of ours has one.
    if (bytes.find('\0') != std::string_view::npos) {
        return bad("no NUL in a string");
    }
    return std::string(bytes);
}

}  // namespace godwit::imap
