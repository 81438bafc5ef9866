// Makes one segment of neighbours, or of one without the emails that are gone, a bounded piece at
// a time.
#pragma once

#include <memory>
#include <vector>

#include "store/search/segment_reader.h"
#include "store/search/segment_writer.h"

namespace godwit::store {

/// Memory: a block of each segment, and the rows of one step.
class SegmentMerge {
public:
    /// `segments` by range, at least one. `gone` (or null) are emails to leave out; it outlives
    /// this.
    SegmentMerge(AccountId account, SegmentId id, std::vector<IndexSegment> segments,
                 const EmailSet* gone);

    /// Adds the next rows of the new segment to `rows`. Gives whether it is whole.
    Result<bool> step(const Snapshot& snapshot, std::vector<Batch::Entry>& rows);
    /// After the last step; nullopt when no email is left.
    [[nodiscard]] std::optional<IndexSegment> merged() const { return merged_; }
    [[nodiscard]] const std::vector<IndexSegment>& sources() const { return segments_; }

private:
    Result<> add_lowest(const Snapshot& snapshot);
    void finish();

    std::vector<IndexSegment> segments_;
    const EmailSet* gone_;
    SegmentWriter writer_;
    std::vector<SegmentReader> readers_;
    bool is_begun_ = false;
    std::optional<IndexSegment> merged_;
};

}  // namespace godwit::store
