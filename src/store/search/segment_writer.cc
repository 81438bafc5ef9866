#include "store/search/segment_writer.h"

#include <utility>

namespace godwit::store {

namespace {
// A block of terms is a row and a row a block of the engine: about this many octets, so that a walk
// over all terms is a walk over few rows, and what is read beside them little.
constexpr std::size_t kTermsInBlock = 16 * 1024;
constexpr std::size_t kPostingsInBlock = 64 * 1024;
}  // namespace

void SegmentWriter::add(TermField field, std::string_view term, std::string postings) {
    const bool is_full = terms_.size() >= kTermsInBlock || postings_size_ >= kPostingsInBlock;
    if (!terms_.empty() && (field != field_ || is_full)) {
        end_block();
    }
    if (terms_.empty()) {
        field_ = field;
        first_term_ = term;
    }
    terms_.append(term).push_back('\0');
    postings_size_ += postings.size();
    postings_.push_back(std::move(postings));
}

void SegmentWriter::end_block() {
    put(terms_key(account_, id_, field_, first_term_), encode_terms(terms_));
    put(postings_key(account_, id_, field_, first_term_), encode_postings(postings_));
    ++blocks_[std::to_underlying(field_) - 1U];
    terms_.clear();
    postings_.clear();
    postings_size_ = 0;
}

void SegmentWriter::put(std::string key, std::string value) {
    pending_size_ += key.size() + value.size();
    octets_ += key.size() + value.size();
    rows_.push_back({.key = std::move(key), .value = std::move(value)});
}

IndexSegment SegmentWriter::finish(EmailSet emails, EmailSet unsure) {
    if (!terms_.empty()) {
        end_block();
    }
    SegmentHead head;
    head.range = range_;
    head.emails = std::move(emails);
    head.unsure = std::move(unsure);
    head.blocks = blocks_;
    put(segment_head_key(account_, id_), encode(head));
    return {.id = id_,
            .range = range_,
            .emails = static_cast<std::uint32_t>(head.emails.count()),
            .octets = octets_};
}

std::vector<Batch::Entry> SegmentWriter::take_rows() {
    pending_size_ = 0;
    return std::exchange(rows_, {});
}

}  // namespace godwit::store
