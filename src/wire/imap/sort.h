// The arguments of SORT and THREAD. RFC 5256 5; RFC 5267 3 (ESORT); RFC 5957 4; RFC 6203 7.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "wire/imap/lexer.h"
#include "wire/imap/search.h"

namespace godwit::imap {

enum class SortKey : std::uint8_t {
    Arrival,
    Cc,
    Date,
    DisplayFrom,  ///< RFC 5957.
    DisplayTo,
    From,
    Relevancy,  ///< RFC 6203 6.
    Size,
    Subject,
    To,
};
struct SortCriterion {
    SortKey key = SortKey::Arrival;
    bool reverse = false;
    bool operator==(const SortCriterion&) const = default;
};
/// More than a client has use for.
inline constexpr std::size_t sort_criteria_max = 32;

struct SortArguments {
    std::vector<SortCriterion> criteria;  ///< At least one.
    SearchProgram program;                ///< With what RETURN asks for.
};
/// ErrorCode::Unsupported: the charset is not known; answer NO [BADCHARSET].
Result<SortArguments> parse_sort(Lexer& lexer);

enum class ThreadAlgorithm : std::uint8_t { OrderedSubject, References, Refs };
struct ThreadArguments {
    ThreadAlgorithm algorithm = ThreadAlgorithm::References;
    SearchProgram program;
};
/// As parse_sort().
Result<ThreadArguments> parse_thread(Lexer& lexer);

}  // namespace godwit::imap
