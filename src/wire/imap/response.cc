#include "wire/imap/response.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"

namespace godwit::imap {

namespace {

using Kind = ResponseToken::Kind;

constexpr std::array<std::string_view, 5> kStates{"OK", "NO", "BAD", "BYE", "PREAUTH"};
// What is looked at whole in `input_` goes on in pieces of this.
constexpr std::size_t kPiece = 64 * 1024;

bool is_state(std::string_view word) {
    return std::ranges::any_of(
        kStates, [word](std::string_view state) { return equals_ignore_case(state, word); });
}

std::unexpected<Error> broken(const std::string& what) {
    return peer_error(ErrorCode::Invalid, "the IMAP server's answer makes no sense: " + what);
}

}  // namespace

void ResponseReader::feed(std::string_view bytes) {
    input_.append(bytes);
}

Result<std::optional<ResponseToken>> ResponseReader::next() {
    for (;;) {
        if (!tokens_.empty()) {
            ResponseToken token = std::move(tokens_.front());
            tokens_.pop_front();
            return std::optional(std::move(token));
        }
        if (in_literal_ && literal_due_ == 0) {
            in_literal_ = false;
            emit(Kind::LiteralEnd);
            continue;
        }
        if (in_literal_) {
            const std::size_t count =
                std::min<std::uint64_t>({literal_due_, input_.size(), kPiece});
            if (count == 0) {
                return std::nullopt;
            }
            emit(Kind::Octets, std::string_view(input_).substr(0, count));
            input_.erase(0, count);
            literal_due_ -= count;
            continue;
        }
        const std::size_t end = input_.find('\n', searched_);
        const std::size_t size = std::min(end, input_.size());
        if (line_size_ + size > response_line_max) {
            return broken("a response has more than " + std::to_string(response_line_max) +
                          " octets");
        }
        searched_ = end == std::string::npos ? input_.size() : 0;
        if (end == std::string::npos) {
            return std::nullopt;
        }
        std::string line = input_.substr(0, end);
        input_.erase(0, end + 1);
        if (line.ends_with('\r')) {
            line.pop_back();
        }
        line_size_ += line.size();
        TRY(take_line(line));
    }
}

// "{123}" or "~{123}" or "{123+}" at the end of a line: cut off, and how many octets follow.
Result<std::optional<std::uint64_t>> ResponseReader::literal_at_end(std::string_view& line) const {
    if (!line.ends_with('}')) {
        return std::nullopt;
    }
    const std::size_t open = line.rfind('{');
    if (open == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view digits = line.substr(open + 1, line.size() - open - 2);
    if (digits.ends_with('+')) {
        digits.remove_suffix(1);
    }
    const auto size = parse_u64(digits);
    if (!size) {
        return std::nullopt;
    }
    if (*size > response_literal_max) {
        return broken("a literal of " + std::to_string(*size) + " octets");
    }
    const bool is_literal8 = open > 0 && line[open - 1] == '~';
    line = line.substr(0, open - (is_literal8 ? 1 : 0));
    return size;
}

Result<> ResponseReader::take_line(std::string_view line) {
    std::size_t at = 0;
    // A literal's header is no part of text, in which braces are free.
    std::string_view rest = line;
    auto literal = TRY(literal_at_end(rest));
    while (at < rest.size()) {
        if (words_ == 2) {
            words_ = 3;
        }
        const char c = rest[at];
        if (c == ' ') {
            ++at;
        } else if (c == '(' || c == ')') {
            emit(c == '(' ? Kind::Open : Kind::Close);
            ++at;
        } else if (c == '"') {
            at = TRY(take_string(rest, at));
        } else {
            const std::size_t begin = at;
            at = TRY(take_atom(rest, at));
            ++words_;
            const std::string_view word = rest.substr(begin, at - begin);
            if ((words_ == 1 && word == "+") || (words_ == 2 && is_state(word))) {
                const std::string_view text = line.substr(std::min(at + 1, line.size()));
                emit(Kind::Text, text);
                literal.reset();
                break;
            }
        }
    }
    if (literal) {
        emit(Kind::LiteralBegin, {}, *literal);
        literal_due_ = *literal;
        in_literal_ = true;
        words_ = std::max<std::size_t>(words_, 3);
        return {};
    }
    emit(Kind::End);
    words_ = 0;
    line_size_ = 0;
    return {};
}

Result<std::size_t> ResponseReader::take_string(std::string_view line, std::size_t at) {
    std::string text;
    for (++at; at < line.size(); ++at) {
        if (line[at] == '"') {
            emit(Kind::String, text);
            words_ = std::max<std::size_t>(words_, 3);
            return at + 1;
        }
        if (line[at] == '\\' && at + 1 < line.size()) {
            ++at;
        }
        text.push_back(line[at]);
    }
    return broken("a string without an end");
}

// Up to a space or parenthesis; what stands in brackets belongs to it whole.
Result<std::size_t> ResponseReader::take_atom(std::string_view line, std::size_t at) {
    const std::size_t begin = at;
    bool is_inside = false;
    for (; at < line.size(); ++at) {
        const char c = line[at];
        if (!is_inside && (c == ' ' || c == '(' || c == ')' || c == '"')) {
            break;
        }
        is_inside = c == '[' || (is_inside && c != ']');
    }
    emit(Kind::Atom, line.substr(begin, at - begin));
    return at;
}

void ResponseReader::emit(Kind kind, std::string_view text, std::uint64_t size) {
    tokens_.push_back({.kind = kind, .text = std::string(text), .size = size});
}

}  // namespace godwit::imap
