// A page of results: the first 500, the last three. RFC 9394 4 (partial-range).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "wire/imap/lexer.h"

namespace godwit::imap {

/// Places among results that stand in the order of their uids.
struct PartialRange {
    std::uint32_t first = 1;  ///< As written: 500:400 is 400:500.
    std::uint32_t last = 1;
    bool is_from_end = false;  ///< "-1" is the last result.

    /// Indices of `count` results, [begin, end); empty when the page is past them.
    struct Span {
        std::size_t begin = 0;
        std::size_t end = 0;
        bool operator==(const Span&) const = default;
    };
    [[nodiscard]] Span within(std::size_t count) const;
    /// As it was written.
    [[nodiscard]] std::string to_string() const;
};

Result<PartialRange> read_partial_range(Lexer& lexer);

}  // namespace godwit::imap
