// Walks all terms of a segment with their postings, block by block.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/kv/kv.h"
#include "store/search/rows.h"

namespace godwit::store {

/// Snapshots may change from call to call: rows of a segment never do. Holds one block.
class SegmentReader {
public:
    SegmentReader(AccountId account, IndexSegment segment) : account_(account), segment_(segment) {}

    /// To the first term. Reads the head too.
    Result<> begin(const Snapshot& snapshot);
    /// To the next term. Corrupt when rows are damaged or missing.
    Result<> next(const Snapshot& snapshot);

    [[nodiscard]] bool is_valid() const { return !at_end_; }
    [[nodiscard]] TermField field() const { return field_; }
    /// Views until next().
    [[nodiscard]] std::string_view term() const;
    [[nodiscard]] std::string_view postings() const;
    [[nodiscard]] const SegmentHead& head() const { return head_; }

private:
    struct Stretch {
        std::size_t begin = 0;
        std::size_t size = 0;
    };
    Result<> load(const Snapshot& snapshot, std::string_view behind);

    AccountId account_;
    IndexSegment segment_;
    SegmentHead head_;
    std::uint32_t blocks_ = 0;
    std::string key_;                 ///< Of the block's terms.
    std::string terms_;               ///< The row's payload.
    std::string postings_;            ///< The row.
    std::vector<Stretch> stretches_;  ///< Of postings_, one a term.
    TermField field_ = TermField::Subject;
    std::size_t term_at_ = 0;
    std::size_t number_ = 0;
    bool at_end_ = false;
};

}  // namespace godwit::store
