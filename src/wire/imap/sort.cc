#include "wire/imap/sort.h"

#include <algorithm>

namespace godwit::imap {

namespace {

struct KeyRow {
    std::string_view word;
    SortKey key;
};
constexpr KeyRow kKeys[] = {
    {"ARRIVAL", SortKey::Arrival},     {"CC", SortKey::Cc},
    {"DATE", SortKey::Date},           {"DISPLAYFROM", SortKey::DisplayFrom},
    {"DISPLAYTO", SortKey::DisplayTo}, {"FROM", SortKey::From},
    {"RELEVANCY", SortKey::Relevancy}, {"SIZE", SortKey::Size},
    {"SUBJECT", SortKey::Subject},     {"TO", SortKey::To},
};

Result<SortCriterion> read_criterion(Lexer& lexer) {
    SortCriterion out;
    if (lexer.take_word("REVERSE")) {
        out.reverse = true;
        TRY(lexer.space());
    }
    const auto* row =
        std::ranges::find_if(kKeys, [&](const KeyRow& each) { return lexer.take_word(each.word); });
    if (row == std::end(kKeys)) {
        return lexer.bad("a sort criterion");
    }
    out.key = row->key;
    return out;
}

}  // namespace

Result<SortArguments> parse_sort(Lexer& lexer) {
    SortArguments out;
    TRY(lexer.space());
    SearchReturns returns;
    if (lexer.take_word("RETURN")) {
        TRY(lexer.space());
        returns = TRY(read_search_returns(lexer));
        TRY(lexer.space());
    }
    TRY(lexer.expect('('));
    do {
        if (out.criteria.size() == sort_criteria_max) {
            return peer_error(ErrorCode::LimitExceeded, "Too many sort criteria");
        }
        out.criteria.push_back(TRY(read_criterion(lexer)));
    } while (lexer.take(' '));
    TRY(lexer.expect(')'));
    out.program = TRY(parse_search_criteria(lexer));
    out.program.returns = returns;
    const bool is_by_score = std::ranges::find(out.criteria, SortKey::Relevancy,
                                               &SortCriterion::key) != out.criteria.end();
    // RFC 6203 6.
    if ((is_by_score || returns.relevancy) && !out.program.is_fuzzy()) {
        return peer_error(ErrorCode::Invalid, "RELEVANCY needs a FUZZY key");
    }
    return out;
}

Result<ThreadArguments> parse_thread(Lexer& lexer) {
    ThreadArguments out;
    TRY(lexer.space());
    if (lexer.take_word("ORDEREDSUBJECT")) {
        out.algorithm = ThreadAlgorithm::OrderedSubject;
    } else if (lexer.take_word("REFS")) {
        out.algorithm = ThreadAlgorithm::Refs;
    } else if (!lexer.take_word("REFERENCES")) {
        return lexer.bad("ORDEREDSUBJECT, REFERENCES or REFS");
    }
    out.program = TRY(parse_search_criteria(lexer));
    return out;
}

}  // namespace godwit::imap
