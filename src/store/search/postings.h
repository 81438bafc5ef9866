// Which emails have a term: runs of numbers that follow each other, as small differences.
// Law: docs/storage.md ("The search index").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "store/search/email_set.h"

namespace godwit::store {

/// Writes rising numbers. A run is varint(gap * 2 + has_more) and, with more than one number,
/// varint(numbers - 2); the first gap counts from `base`.
class PostingsWriter {
public:
    explicit PostingsWriter(std::uint32_t base) : behind_(base) {}
    /// Nothing for the number that was added last.
    void add(std::uint32_t email) {
        if (size_ == 0 || email != first_ + (size_ - 1)) {
            add_run(email, 1);
        }
    }
    /// `size` numbers from `first` on, which is greater than all before.
    void add_run(std::uint32_t first, std::uint32_t size) {
        if (size_ != 0 && first == first_ + size_) {
            size_ += size;
            return;
        }
        end_run();
        first_ = first;
        size_ = size;
    }
    [[nodiscard]] std::string take() &&;
    /// Octets held.
    [[nodiscard]] std::size_t capacity() const { return out_.capacity(); }

private:
    void end_run();
    void put(std::uint64_t value);

    std::string out_;
    std::uint64_t behind_;  ///< The number behind the last whole run.
    std::uint32_t first_ = 0;
    std::uint32_t size_ = 0;
};

/// What numbers may be: those of one segment.
struct EmailRange {
    std::uint32_t first = 0;
    std::uint32_t last = 0;  ///< In it.
};

/// A segment has no more emails; also what no postings pass.
inline constexpr std::uint64_t kSegmentEmailsMax = std::uint64_t{1} << 22;

/// Calls `visit(first, size)` for each run of what was written with base `range.first`. Total;
/// Corrupt when it is not that, or a number is outside.
template <class Visit>
Result<> each_run(std::string_view postings, EmailRange range, Visit visit) {
    ByteReader in(postings);
    std::uint64_t at = range.first;
    std::uint64_t count = 0;
    while (in.ok() && !in.at_end()) {
        const std::uint64_t gap = in.varint_at_most(UINT32_MAX * std::uint64_t{2} + 1);
        const std::uint64_t size = (gap & 1) == 0 ? 1 : in.varint_at_most(kSegmentEmailsMax) + 2;
        const std::uint64_t first = at + gap / 2;
        count += size;
        if (!in.ok() || first + size > std::uint64_t{range.last} + 1 || count > kSegmentEmailsMax) {
            return internal_error(ErrorCode::Corrupt, "postings of emails outside their segment");
        }
        visit(static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(size));
        at = first + size;
    }
    return in.finish("postings");
}
/// Adds all of them to `emails`.
Result<> read_postings(std::string_view postings, EmailRange range, EmailSet& emails);

}  // namespace godwit::store
