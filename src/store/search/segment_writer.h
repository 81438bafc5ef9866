// Makes the rows of one segment of a search index from its terms in order.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/kv/kv.h"
#include "store/search/rows.h"

namespace godwit::store {

/// Holds what is not taken yet, and one block.
class SegmentWriter {
public:
    SegmentWriter(AccountId account, SegmentId id, EmailRange range)
        : account_(account), id_(id), range_(range) {}

    /// Rising by field and term. `postings` by PostingsWriter with base range().first.
    void add(TermField field, std::string_view term, std::string postings);
    /// After all terms. Gives the segment as the state names it.
    [[nodiscard]] IndexSegment finish(EmailSet emails, EmailSet unsure);

    [[nodiscard]] EmailRange range() const { return range_; }
    /// Octets of the rows not taken yet.
    [[nodiscard]] std::size_t pending_size() const { return pending_size_; }
    [[nodiscard]] std::vector<Batch::Entry> take_rows();

private:
    void end_block();
    void put(std::string key, std::string value);

    AccountId account_;
    SegmentId id_;
    EmailRange range_;
    TermField field_ = TermField::Subject;
    std::string first_term_;
    std::string terms_;
    std::vector<std::string> postings_;
    std::size_t postings_size_ = 0;
    std::array<std::uint32_t, kTermFields> blocks_{};
    std::vector<Batch::Entry> rows_;
    std::size_t pending_size_ = 0;
    std::uint64_t octets_ = 0;
};

}  // namespace godwit::store
