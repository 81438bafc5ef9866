#include "wire/imap/partial_range.h"

#include <algorithm>

namespace godwit::imap {

PartialRange::Span PartialRange::within(std::size_t count) const {
    const std::size_t low = std::min<std::size_t>(std::min(first, last) - 1, count);
    const std::size_t high = std::min<std::size_t>(std::max(first, last), count);
    return is_from_end ? Span{count - high, count - low} : Span{low, high};
}

std::string PartialRange::to_string() const {
    const std::string sign = is_from_end ? "-" : "";
    return sign + std::to_string(first) + ":" + sign + std::to_string(last);
}

Result<PartialRange> read_partial_range(Lexer& lexer) {
    PartialRange out;
    out.is_from_end = lexer.take('-');
    out.first = TRY(lexer.nz_number());
    TRY(lexer.expect(':'));
    if (out.is_from_end) {
        TRY(lexer.expect('-'));
    }
    out.last = TRY(lexer.nz_number());
    return out;
}

}  // namespace godwit::imap
