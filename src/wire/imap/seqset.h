// Sets of message numbers: sequence sets as clients write them, and sets of plain numbers.
// RFC 3501 9 (sequence-set), RFC 4315 4 (uid-set). T78: sums in 64 bits, ranges bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace godwit::imap {

/// Numbers from `first` to `last`, both included; first <= last.
struct NumberRange {
    std::uint32_t first = 1;
    std::uint32_t last = 1;
    bool operator==(const NumberRange&) const = default;
};

/// A set of numbers from 1 to 2^32-1 as sorted ranges that neither overlap nor touch.
class NumberSet {
public:
    NumberSet() = default;
    /// Any ranges, in any order; O(n log n).
    static NumberSet from_ranges(std::vector<NumberRange> ranges);

    /// Adds `first` to `last` in either order. O(1) at the upper end, O(n) elsewhere. 0 is left
    /// out.
    void add(std::uint32_t first, std::uint32_t last);
    void add(std::uint32_t number) { add(number, number); }
    void clear() { ranges_.clear(); }

    [[nodiscard]] bool contains(std::uint32_t number) const;
    [[nodiscard]] bool empty() const { return ranges_.empty(); }
    /// How many numbers, in 64 bits.
    [[nodiscard]] std::uint64_t count() const;
    [[nodiscard]] std::span<const NumberRange> ranges() const { return ranges_; }
    /// 0 when empty.
    [[nodiscard]] std::uint32_t largest() const {
        return ranges_.empty() ? 0 : ranges_.back().last;
    }

    [[nodiscard]] NumberSet united(const NumberSet& other) const;
    [[nodiscard]] NumberSet intersected(const NumberSet& other) const;
    [[nodiscard]] NumberSet without(const NumberSet& other) const;

    /// "1:3,7"; empty for the empty set.
    [[nodiscard]] std::string to_string() const;
    bool operator==(const NumberSet&) const = default;

private:
    std::vector<NumberRange> ranges_;
};

/// A sequence-set as it was written, "*" unresolved. Never empty, but for "$".
class SequenceSet {
public:
    /// At most limits::imap_sequence_ranges_max members; zero and numbers past 2^32-1 are errors.
    static Result<SequenceSet> parse(std::string_view text);

    /// With "*" standing for `largest`: the largest sequence number or UID in use. RFC 3501 9:
    /// "3:*" holds `largest` even if it is below 3. With `largest` 0 (an empty mailbox) every
    /// member that names "*" falls away.
    [[nodiscard]] NumberSet resolve(std::uint32_t largest) const;
    /// The largest number written out (0 when all is "*"): a sequence number past EXISTS is BAD
    /// (RFC 3501 9, seq-number).
    [[nodiscard]] std::uint32_t largest_written() const;
    [[nodiscard]] bool has_star() const;
    /// It is "$": what the last SEARCH with SAVE found (RFC 5182). Resolves to nothing here.
    [[nodiscard]] bool is_saved() const { return members_.empty(); }
    /// Written in rising order, each number once, "*" not among them. RFC 7162 7 (known-uid-set).
    [[nodiscard]] bool is_ascending() const;
    /// How many members were written.
    [[nodiscard]] std::size_t size() const { return members_.size(); }

private:
    // 2^32 stands for "*": above every number, so that a range's order needs no special case.
    static constexpr std::uint64_t kStar = std::uint64_t{1} << 32;
    struct Member {
        std::uint64_t first;
        std::uint64_t last;
    };
    std::vector<Member> members_;
};

/// A uid-set in the order given, runs that rise by one joined: "304,319:320". Two such lists of the
/// same length, as COPYUID wants them, keep their correspondence (RFC 4315 3).
std::string write_uid_set(std::span<const Uid> uids);

}  // namespace godwit::imap
