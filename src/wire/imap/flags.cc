#include "wire/imap/flags.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/limits.h"

namespace godwit::imap {

namespace {

// "\Seen" and the like, the cursor behind the backslash.
Result<> read_system_flag(Lexer& lexer, FlagSet& out) {
    const std::string_view word = TRY(lexer.atom());
    for (const SystemFlagName& row : kSystemFlags) {
        if (equals_ignore_case(word, row.name.substr(1))) {
            out.set(row.flag);
            return {};
        }
    }
    if (equals_ignore_case(word, "Recent")) {
        // RFC 3501 2.3.2: not for clients to set; some send back what they fetched.
        return {};
    }
    return peer_error(ErrorCode::Invalid, "Unknown flag \\" + std::string(word));
}

Result<> read_flag(Lexer& lexer, FlagSet& out) {
    if (lexer.take('\\')) {
        return read_system_flag(lexer, out);
    }
    std::string keyword = TRY(read_keyword(lexer));
    if (std::ranges::any_of(out.keywords, [&](const std::string& seen) {
            return equals_ignore_case(seen, keyword);
        })) {
        return {};
    }
    if (out.keywords.size() == limits::keywords_max) {
        return peer_error(ErrorCode::LimitExceeded, "Too many keywords");
    }
    out.keywords.push_back(std::move(keyword));
    return {};
}

}  // namespace

Result<std::string> read_keyword(Lexer& lexer) {
    const std::string_view word = TRY(lexer.atom());
    if (word.size() > limits::keyword_size_max) {
        return peer_error(ErrorCode::LimitExceeded, "Keyword is too long");
    }
    return std::string(word);
}

Result<FlagSet> read_flag_list(Lexer& lexer) {
    FlagSet out;
    TRY(lexer.expect('('));
    if (lexer.take(')')) {
        return out;
    }
    for (;;) {
        TRY(read_flag(lexer, out));
        if (lexer.take(')')) {
            return out;
        }
        TRY(lexer.space());
    }
}

Result<FlagSet> read_flags(Lexer& lexer) {
    if (lexer.peek() == '(') {
        return read_flag_list(lexer);
    }
    FlagSet out;
    do {
        TRY(read_flag(lexer, out));
    } while (lexer.take(' ') && !lexer.at_end());
    return out;
}

}  // namespace godwit::imap
