// What SEARCH shall answer: "RETURN (MIN COUNT SAVE)". RFC 4731 3.1; RFC 5182 2.1; RFC 9394 3.1;
// RFC 6203 4; RFC 5267 4.2, 4.3.
#pragma once

#include <optional>

#include "base/result.h"
#include "wire/imap/lexer.h"
#include "wire/imap/partial_range.h"

namespace godwit::imap {

struct SearchReturns {
    bool is_given = false;  ///< RETURN was there: the answer is ESEARCH.
    bool min = false;
    bool max = false;
    bool all = false;
    bool count = false;
    bool save = false;
    bool relevancy = false;  ///< The score of each message. RFC 6203 4.
    bool update = false;     ///< Changes of what is found are told, too. RFC 5267 4.3.
    bool context = false;    ///< The same will be asked for again: a hint. RFC 5267 4.2.
    std::optional<PartialRange> partial{};  ///< Never together with `all`.

    /// RFC 5182 2.1: SAVE alone tells nothing.
    [[nodiscard]] bool is_silent() const {
        return save && !min && !max && !all && !count && !partial && !relevancy;
    }
    /// Only single messages or a page are asked for: RFC 5182 2.4, RFC 9394 3.2, RFC 7162 3.1.10.
    [[nodiscard]] bool is_selective() const { return !all && !count && (min || max || partial); }
};

/// From the "(" behind RETURN to its ")". "()" asks for ALL (RFC 4731 3.1).
Result<SearchReturns> read_search_returns(Lexer& lexer);

}  // namespace godwit::imap
