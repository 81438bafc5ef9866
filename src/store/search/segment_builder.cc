#include "store/search/segment_builder.h"

#include <algorithm>
#include <utility>

#include "mail/text/terms.h"

namespace godwit::store {

namespace {
// A node of the map with its bucket, and the least a string on the heap takes.
constexpr std::size_t kTermOverhead = 160;
}  // namespace

void SegmentBuilder::begin_email(EmailId email) {
    email_ = email.value();
    emails_.add(email_);
}

void SegmentBuilder::add_text(TermField field, std::string_view folded) {
    mail::TextRunsView runs(folded);
    while (const auto run = runs.next()) {
        mail::RunTermsView terms(folded.substr(run->begin, run->size), run->kind);
        while (const auto term = terms.next()) {
            scratch_.assign(1, static_cast<char>(std::to_underlying(field)));
            scratch_.append(*term);
            auto found = terms_.find(scratch_);
            if (found == terms_.end()) {
                found = terms_.emplace(scratch_, PostingsWriter(first_)).first;
                memory_ += kTermOverhead + scratch_.size();
            }
            const std::size_t before = found->second.capacity();
            found->second.add(email_);
            memory_ += found->second.capacity() - before;
        }
    }
}

IndexSegment SegmentBuilder::write(AccountId account, SegmentId id, std::uint32_t last,
                                   std::vector<Batch::Entry>& rows) {
    std::vector<decltype(terms_)::iterator> sorted;
    sorted.reserve(terms_.size());
    for (auto at = terms_.begin(); at != terms_.end(); ++at) {
        sorted.push_back(at);
    }
    std::ranges::sort(sorted, {}, [](const auto& at) { return std::string_view(at->first); });
    SegmentWriter writer(account, id, {.first = first_, .last = last});
    for (const auto& at : sorted) {
        const std::string_view key = at->first;
        writer.add(static_cast<TermField>(key.front()), key.substr(1),
                   std::move(at->second).take());
    }
    terms_.clear();
    memory_ = 0;
    const IndexSegment segment = writer.finish(std::move(emails_), std::move(unsure_));
    rows = writer.take_rows();
    return segment;
}

}  // namespace godwit::store
