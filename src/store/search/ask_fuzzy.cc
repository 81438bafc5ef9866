#include "store/search/ask_fuzzy.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "store/search/email_terms.h"
#include "store/search/term_scan.h"

namespace godwit::store {
namespace {

// Octets of terms that one search may look at; of these only those with the beginning of a word
// are compared with it.
constexpr std::uint64_t kScanBudget = 64ULL * 1024 * 1024;

mail::Closeness closeness_at(std::size_t at) {
    return static_cast<mail::Closeness>(at + 1);
}

}  // namespace

mail::WordPlace word_place(TermField field) {
    switch (field) {
        case TermField::Subject: return mail::WordPlace::Subject;
        case TermField::From:
        case TermField::To:
        case TermField::Cc:
        case TermField::Bcc: return mail::WordPlace::Addresses;
        default: return mail::WordPlace::Rest;
    }
}

std::vector<mail::WordPlace> word_places(IndexedPlace place, std::string_view header_name) {
    switch (place) {
        case IndexedPlace::Text:
            return {mail::WordPlace::Subject, mail::WordPlace::Addresses, mail::WordPlace::Rest};
        case IndexedPlace::Body: return {mail::WordPlace::Rest};
        case IndexedPlace::Header: break;
    }
    return {word_place(term_field(header_name))};
}

bool FuzzyAnswers::has(const Hits& word, EmailId email) const {
    return std::ranges::any_of(word, [&](const auto& place) {
        return std::ranges::any_of(place, [&](const EmailSet& set) { return set.contains(email); });
    });
}

IndexAnswer FuzzyAnswers::of(EmailId email) const {
    if (!is_known_ || email.value() >= end_ || unsure_->contains(email)) {
        return IndexAnswer::Unknown;
    }
    if (!std::ranges::all_of(words_, [&](const Hits& word) { return has(word, email); })) {
        return IndexAnswer::No;
    }
    return is_exact_ ? IndexAnswer::Yes : IndexAnswer::Unknown;
}

mail::FuzzyTally FuzzyAnswers::tally(EmailId email) const {
    mail::FuzzyTally out(words_.size());
    for (std::size_t word = 0; word < words_.size(); ++word) {
        for (std::size_t place = 0; place < mail::kWordPlaces; ++place) {
            for (std::size_t at = 0; at < mail::kClosenesses; ++at) {
                if (words_[word][place][at].contains(email)) {
                    out.note(word, static_cast<mail::WordPlace>(place), closeness_at(at));
                }
            }
        }
    }
    return out;
}

/// One segment after the other, each for all questions.
class FuzzyReading {
public:
    FuzzyReading(const Snapshot* snapshot, AccountId account, const mail::Stemmers* stemmers)
        : snapshot_(snapshot), account_(account), stemmers_(stemmers) {}

    Result<std::vector<FuzzyAnswers>> run(std::span<const FuzzyQuestion> questions) {
        std::vector<FuzzyAnswers> answers(questions.size());
        const std::optional<OpenIndex> index = TRY(open_index(*snapshot_, account_));
        if (!index) {
            return answers;
        }
        for (std::size_t i = 0; i < questions.size(); ++i) {
            FuzzyAnswers& answer = answers[i];
            answer.end_ = index->state.next_email;
            answer.unsure_ = index->unsure;
            answer.words_.resize(questions[i].needle->words().size());
            answer.is_exact_ = questions[i].place != IndexedPlace::Header ||
                               term_field(questions[i].header_name) != TermField::OtherHeader;
            answer.is_known_ = true;
            for (std::size_t at = 0; at < index->heads.size() && answer.is_known_; ++at) {
                const TermScan scan{.snapshot = snapshot_,
                                    .account = account_,
                                    .segment = index->state.segments[at],
                                    .head = &index->heads[at],
                                    .budget = &budget_};
                const Result<> done = look(scan, questions[i], answer);
                if (!done && done.error().code != ErrorCode::LimitExceeded) {
                    return std::unexpected(done.error());
                }
                answer.is_known_ = done.has_value();
            }
        }
        return answers;
    }

private:
    Result<> look(const TermScan& scan, const FuzzyQuestion& question, FuzzyAnswers& answer) {
        const auto& words = question.needle->words();
        for (std::size_t i = 0; i < words.size(); ++i) {
            for (const TermField field : fields_of(question.place, question.header_name)) {
                auto& hits = answer.words_[i][static_cast<std::size_t>(word_place(field))];
                const auto judge = [&](std::string_view term) -> EmailSet* {
                    const mail::Closeness found = words[i].closeness(term, *stemmers_);
                    return found == mail::Closeness::None
                               ? nullptr
                               : &hits[static_cast<std::size_t>(found) - 1];
                };
                for (const std::string& beginning : words[i].beginnings()) {
                    TRY(sort_terms(scan, field, beginning, judge));
                }
            }
        }
        return {};
    }

    const Snapshot* snapshot_;
    AccountId account_;
    const mail::Stemmers* stemmers_;
    std::uint64_t budget_ = kScanBudget;
};

Result<std::vector<FuzzyAnswers>> ask_index_fuzzily(const Snapshot& snapshot, AccountId account,
                                                    std::span<const FuzzyQuestion> questions,
                                                    const mail::Stemmers& stemmers) {
    return FuzzyReading(&snapshot, account, &stemmers).run(questions);
}

}  // namespace godwit::store
