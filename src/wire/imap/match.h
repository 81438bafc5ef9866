// Matches mailbox names against LIST's wildcards. RFC 3501 6.3.8.
// A pattern is compiled to a bit-parallel automaton: a match costs (octets of the name) x (octets
// of the pattern / 64), whatever the wildcards (T78, T86).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace godwit::imap {

/// A compiled pattern: "*" matches anything, "%" anything but the separator. INBOX is matched
/// without regard to case in its level (RFC 3501 5.1), all else exactly. Owned, immutable.
class ListPattern {
public:
    /// Any pattern; its size is bounded by the command it came in.
    explicit ListPattern(std::string_view pattern);
    [[nodiscard]] bool matches(std::string_view name) const;

private:
    using Word = std::uint64_t;
    void step(std::vector<Word>& states, unsigned char c, bool fold) const;
    void close_over_wildcards(std::vector<Word>& states) const;
    [[nodiscard]] const Word* positions(unsigned char c) const {
        return &literal_[static_cast<std::size_t>(slot_[c]) * words_];
    }

    std::size_t tokens_ = 0;
    std::size_t words_ = 1;
    std::array<std::uint16_t, 256> slot_{};  // octet -> row of literal_; row 0 is empty
    std::vector<Word> literal_;              // rows: where this octet is a token
    std::vector<Word> star_;                 // where the token is "*"
    std::vector<Word> percent_;              // where the token is "%"
};

}  // namespace godwit::imap
