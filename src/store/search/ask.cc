#include "store/search/ask.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "mail/text/charset.h"
#include "mail/text/terms.h"
#include "store/search/email_terms.h"
#include "store/search/term_scan.h"

namespace godwit::store {
namespace {

// Octets of terms that one search may look at: those of some million messages.
constexpr std::uint64_t kScanBudget = 512ULL * 1024 * 1024;
// So few candidates of a segment are read sooner than all its terms are looked through again.
constexpr std::size_t kFewCandidates = 16;

/// What of a needle must be in some term of an email.
struct Piece {
    std::string text;
    TermMatch match = TermMatch::Contains;
    std::span<const TermField> fields;
};
struct Pieces {
    std::vector<Piece> pieces;
    /// Whoever has the pieces has the needle.
    bool are_exact = false;
};

constexpr std::array kAllFields = {TermField::Subject,    TermField::From, TermField::To,
                                   TermField::Cc,         TermField::Bcc,  TermField::OtherHeader,
                                   TermField::HeaderName, TermField::Body};

TermMatch match_of(bool begins_in_needle, bool ends_in_needle) {
    if (begins_in_needle) {
        return ends_in_needle ? TermMatch::Equals : TermMatch::StartsWith;
    }
    return ends_in_needle ? TermMatch::EndsWith : TermMatch::Contains;
}

Pieces cut(std::string_view needle, std::span<const TermField> fields) {
    Pieces cut;
    mail::TextRunsView runs(needle);
    while (const auto run = runs.next()) {
        const std::string_view text = needle.substr(run->begin, run->size);
        // Where the needle goes on with something else, so does the text.
        const bool begins = run->begin > 0;
        const bool ends = run->begin + run->size < needle.size();
        const bool is_alone = !begins && !ends;
        if (run->kind == mail::RunKind::Spaced) {
            const bool is_whole = text.size() <= mail::term_whole_max;
            const std::string_view kept = mail::whole_prefix(text, mail::term_whole_max);
            cut.pieces.push_back({.text = std::string(kept),
                                  .match = match_of(begins, is_whole && ends),
                                  .fields = fields});
            cut.are_exact = is_alone && is_whole;
            continue;
        }
        std::size_t terms = 0;
        mail::RunTermsView neighbours(text, run->kind);
        while (const auto term = neighbours.next()) {
            const bool is_one = mail::whole_prefix(*term, term->size() - 1).empty();
            cut.pieces.push_back({.text = std::string(*term),
                                  .match = is_one ? TermMatch::Contains : TermMatch::Equals,
                                  .fields = fields});
            ++terms;
        }
        cut.are_exact = is_alone && terms == 1;
    }
    return cut;
}

constexpr std::array kNameField = {TermField::HeaderName};

Pieces cut(const IndexQuestion& question) {
    Pieces all = cut(question.needle, fields_of(question.place, question.header_name));
    const bool is_header = question.place == IndexedPlace::Header;
    if (is_header &&
        (question.needle.empty() || term_field(question.header_name) == TermField::OtherHeader)) {
        // Whole, so that the name ends where its runs do; of the fields that have it only reading
        // tells which has the needle.
        for (Piece& piece :
             cut("\n" + mail::fold_for_search(question.header_name) + "\n", kNameField).pieces) {
            all.pieces.push_back(std::move(piece));
        }
        all.are_exact = false;
    }
    std::ranges::sort(all.pieces, {}, [](const Piece& piece) { return looks_at_all(piece.match); });
    return all;
}

}  // namespace

std::span<const TermField> fields_of(IndexedPlace place, std::string_view header_name) {
    switch (place) {
        case IndexedPlace::Text: return kAllFields;
        case IndexedPlace::Body: return std::span(kAllFields).last(1);
        case IndexedPlace::Header: break;
    }
    const auto at = std::ranges::find(kAllFields, term_field(header_name));
    return {at, 1};
}

Result<std::optional<OpenIndex>> open_index(const Snapshot& snapshot, AccountId account) {
    auto state = TRY(read_index_state(snapshot, ReadTier::Disk, account));
    if (!state) {
        return std::nullopt;
    }
    OpenIndex index{.state = *std::move(state), .heads = {}, .unsure = nullptr};
    auto unsure = std::make_shared<EmailSet>();
    for (const IndexSegment& segment : index.state.segments) {
        const auto row = TRY(snapshot.get(segment_head_key(account, segment.id), ReadTier::Disk));
        if (!row) {
            return internal_error(ErrorCode::Corrupt, "a segment of the search index has no head");
        }
        index.heads.push_back(TRY(decode_segment_head(*row)));
        *unsure |= index.heads.back().unsure;
    }
    index.unsure = std::move(unsure);
    return index;
}

/// One segment after the other, each for all questions.
class IndexReading {
public:
    IndexReading(const Snapshot* snapshot, AccountId account)
        : snapshot_(snapshot), account_(account) {}

    Result<std::vector<IndexAnswers>> run(std::span<const IndexQuestion> questions) {
        std::vector<IndexAnswers> answers(questions.size());
        const std::optional<OpenIndex> index = TRY(open_index(*snapshot_, account_));
        if (!index) {
            return answers;
        }
        for (std::size_t i = 0; i < questions.size(); ++i) {
            const Pieces pieces = cut(questions[i]);
            if (pieces.pieces.empty()) {
                continue;
            }
            IndexAnswers& answer = answers[i];
            answer.end_ = index->state.next_email;
            answer.unsure_ = index->unsure;
            EmailSet& found = pieces.are_exact ? answer.sure_ : answer.maybe_;
            answer.is_known_ = true;
            for (std::size_t at = 0; at < index->heads.size() && answer.is_known_; ++at) {
                const Result<> done =
                    find(index->state.segments[at], index->heads[at], pieces, found);
                if (!done && done.error().code != ErrorCode::LimitExceeded) {
                    return std::unexpected(done.error());
                }
                answer.is_known_ = done.has_value();
            }
        }
        return answers;
    }

private:
    Result<> find(const IndexSegment& segment, const SegmentHead& head, const Pieces& pieces,
                  EmailSet& found) {
        const TermScan scan{.snapshot = snapshot_,
                            .account = account_,
                            .segment = segment,
                            .head = &head,
                            .budget = &budget_};
        std::optional<EmailSet> candidates;
        for (const Piece& piece : pieces.pieces) {
            if (candidates && looks_at_all(piece.match) && candidates->count() <= kFewCandidates) {
                break;
            }
            EmailSet have;
            for (const TermField field : piece.fields) {
                TRY(find_terms(scan, field, piece.text, piece.match, have));
            }
            if (candidates) {
                *candidates &= have;
            } else {
                candidates = std::move(have);
            }
            if (candidates->is_empty()) {
                break;
            }
        }
        found |= *candidates;
        return {};
    }

    const Snapshot* snapshot_;
    AccountId account_;
    std::uint64_t budget_ = kScanBudget;
};

Result<std::vector<IndexAnswers>> ask_index(const Snapshot& snapshot, AccountId account,
                                            std::span<const IndexQuestion> questions) {
    return IndexReading(&snapshot, account).run(questions);
}

}  // namespace godwit::store
