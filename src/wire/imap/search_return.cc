#include "wire/imap/search_return.h"

#include <algorithm>

namespace godwit::imap {

namespace {

struct ReturnRow {
    std::string_view word;
    bool SearchReturns::* member;
};
constexpr ReturnRow kReturns[] = {
    {"MIN", &SearchReturns::min},       {"MAX", &SearchReturns::max},
    {"ALL", &SearchReturns::all},       {"COUNT", &SearchReturns::count},
    {"SAVE", &SearchReturns::save},     {"RELEVANCY", &SearchReturns::relevancy},
    {"UPDATE", &SearchReturns::update}, {"CONTEXT", &SearchReturns::context},
};

}  // namespace

Result<SearchReturns> read_search_returns(Lexer& lexer) {
    SearchReturns out;
    out.is_given = true;
    TRY(lexer.expect('('));
    if (lexer.take(')')) {
        out.all = true;
        return out;
    }
    for (;;) {
        const auto* row = std::ranges::find_if(
            kReturns, [&](const ReturnRow& each) { return lexer.take_word(each.word); });
        if (row != std::end(kReturns)) {
            out.*row->member = true;
        } else if (!out.partial && lexer.take_word("PARTIAL")) {
            TRY(lexer.space());
            out.partial = TRY(read_partial_range(lexer));
        } else {
            return lexer.bad("a SEARCH return option");
        }
        if (lexer.take(')')) {
            break;
        }
        TRY(lexer.space());
    }
    if (out.all && out.partial) {
        return peer_error(ErrorCode::Invalid, "ALL and PARTIAL exclude each other");
    }
    return out;
}

}  // namespace godwit::imap
