#include "store/search/segment_merge.h"

#include <tuple>
#include <utility>

namespace godwit::store {

namespace {
// Rows of one step: some milliseconds of work, and a small part of a commit group.
constexpr std::size_t kStepOctets = 256 * 1024;
}  // namespace

SegmentMerge::SegmentMerge(AccountId account, SegmentId id, std::vector<IndexSegment> segments,
                           const EmailSet* gone)
    : segments_(std::move(segments)),
      gone_(gone),
      writer_(account, id,
              {.first = segments_.front().range.first, .last = segments_.back().range.last}) {
    for (const IndexSegment& segment : segments_) {
        readers_.emplace_back(account, segment);
    }
}

Result<bool> SegmentMerge::step(const Snapshot& snapshot, std::vector<Batch::Entry>& rows) {
    for (SegmentReader& reader : readers_) {
        if (!is_begun_) {
            TRY(reader.begin(snapshot));
        }
    }
    is_begun_ = true;
    bool is_left = true;
    while (is_left && writer_.pending_size() < kStepOctets) {
        is_left = false;
        for (const SegmentReader& reader : readers_) {
            is_left = is_left || reader.is_valid();
        }
        if (is_left) {
            TRY(add_lowest(snapshot));
        }
    }
    if (!is_left) {
        finish();
    }
    rows = writer_.take_rows();
    return !is_left;
}

Result<> SegmentMerge::add_lowest(const Snapshot& snapshot) {
    const SegmentReader* lowest = nullptr;
    const auto place = [](const SegmentReader& reader) {
        return std::tuple(reader.field(), reader.term());
    };
    for (const SegmentReader& reader : readers_) {
        if (reader.is_valid() && (lowest == nullptr || place(reader) < place(*lowest))) {
            lowest = &reader;
        }
    }
    const TermField field = lowest->field();
    const std::string term(lowest->term());
    PostingsWriter postings(writer_.range().first);
    bool is_any = false;
    for (SegmentReader& reader : readers_) {
        if (!reader.is_valid() || reader.field() != field || reader.term() != term) {
            continue;
        }
        TRY(each_run(reader.postings(), reader.head().range,
                     [&](std::uint32_t first, std::uint32_t size) {
                         if (gone_ == nullptr) {
                             postings.add_run(first, size);
                             is_any = true;
                             return;
                         }
                         for (std::uint32_t i = 0; i < size; ++i) {
                             if (!gone_->contains(first + i)) {
                                 postings.add_run(first + i, 1);
                                 is_any = true;
                             }
                         }
                     }));
        TRY(reader.next(snapshot));
    }
    if (is_any) {
        writer_.add(field, term, std::move(postings).take());
    }
    return {};
}

void SegmentMerge::finish() {
    EmailSet emails;
    EmailSet unsure;
    const auto copy = [&](const EmailSet& from, EmailSet& to) {
        from.each([&](std::uint32_t email) {
            if (gone_ == nullptr || !gone_->contains(email)) {
                to.add(email);
            }
        });
    };
    for (const SegmentReader& reader : readers_) {
        copy(reader.head().emails, emails);
        copy(reader.head().unsure, unsure);
    }
    if (!emails.is_empty()) {
        merged_ = writer_.finish(std::move(emails), std::move(unsure));
    }
}

}  // namespace godwit::store
