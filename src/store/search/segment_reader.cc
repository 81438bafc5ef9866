#include "store/search/segment_reader.h"

#include <numeric>

#include "store/kv/key.h"

namespace godwit::store {

Result<> SegmentReader::begin(const Snapshot& snapshot) {
    const auto row = TRY(snapshot.get(segment_head_key(account_, segment_.id), ReadTier::Disk));
    if (!row) {
        return internal_error(ErrorCode::Corrupt, "a segment of the search index has no head");
    }
    head_ = TRY(decode_segment_head(*row));
    return load(snapshot, terms_key(account_, segment_.id, TermField{}, ""));
}

Result<> SegmentReader::load(const Snapshot& snapshot, std::string_view behind) {
    // Fields' blocks follow each other in the keys.
    std::string prefix = terms_key(account_, segment_.id, TermField{}, "");
    prefix.pop_back();
    const std::string upper = prefix_end(prefix);
    const auto cursor = snapshot.cursor(ReadTier::Disk, upper);
    cursor->seek(std::string(behind) + '\0');
    TRY(cursor->status());
    if (!cursor->is_valid()) {
        at_end_ = true;
        const auto all = std::accumulate(head_.blocks.begin(), head_.blocks.end(), 0U);
        return blocks_ == all
                   ? Result<>()
                   : internal_error(ErrorCode::Corrupt, "a segment of the search index lacks rows");
    }
    key_ = cursor->key();
    terms_ = TRY(decode_terms(cursor->value()));
    auto row = TRY(snapshot.get(postings_key_of(key_), ReadTier::Disk));
    if (!row || key_.size() < kTermsKeyHead) {
        return internal_error(ErrorCode::Corrupt, "terms of the search index have no postings");
    }
    postings_ = *std::move(row);
    stretches_.clear();
    for (const std::string_view one : TRY(decode_postings(postings_))) {
        stretches_.push_back(
            {.begin = static_cast<std::size_t>(one.data() - postings_.data()), .size = one.size()});
    }
    field_ = static_cast<TermField>(key_[kTermsKeyHead - 1]);
    term_at_ = 0;
    number_ = 0;
    ++blocks_;
    return {};
}

Result<> SegmentReader::next(const Snapshot& snapshot) {
    term_at_ = terms_.find('\0', term_at_) + 1;
    ++number_;
    if (term_at_ >= terms_.size()) {
        if (number_ != stretches_.size()) {
            return internal_error(ErrorCode::Corrupt, "terms and postings differ in number");
        }
        return load(snapshot, std::string(key_));
    }
    return number_ < stretches_.size()
               ? Result<>()
               : internal_error(ErrorCode::Corrupt, "terms and postings differ in number");
}

std::string_view SegmentReader::term() const {
    return std::string_view(terms_).substr(term_at_, terms_.find('\0', term_at_) - term_at_);
}

std::string_view SegmentReader::postings() const {
    return std::string_view(postings_).substr(stretches_[number_].begin, stretches_[number_].size);
}

}  // namespace godwit::store
