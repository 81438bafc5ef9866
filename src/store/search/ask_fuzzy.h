// Asks an account's search index how near the words of a needle are to those of each email.
// Law: docs/storage.md ("The search index"); mail/text/fuzzy.h says what near is. RFC 6203 4.
// As ask.h: it says what reading would, or that it does not know.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mail/text/fuzzy.h"
#include "store/search/ask.h"

namespace godwit::store {

struct FuzzyQuestion {
    IndexedPlace place = IndexedPlace::Text;
    std::string header_name{};                  ///< With Header only.
    const mail::FuzzyNeedle* needle = nullptr;  ///< Has words. Outlives the question.
};

/// What kind of place a field of that name is.
mail::WordPlace word_place(TermField field);
/// The kinds of places that a question looks at.
std::vector<mail::WordPlace> word_places(IndexedPlace place, std::string_view header_name);

/// What an index says to one question.
class FuzzyAnswers {
public:
    [[nodiscard]] IndexAnswer of(EmailId email) const;
    /// Of one whose answer is not Unknown.
    [[nodiscard]] mail::FuzzyTally tally(EmailId email) const;

private:
    friend class FuzzyReading;
    using Hits = std::array<std::array<EmailSet, mail::kClosenesses>, mail::kWordPlaces>;
    [[nodiscard]] bool has(const Hits& word, EmailId email) const;

    bool is_known_ = false;
    bool is_exact_ = true;  ///< Else a hit may be in another field than the one asked for.
    std::uint32_t end_ = 0;
    std::shared_ptr<const EmailSet> unsure_;
    std::vector<Hits> words_;
};

/// One a question, in their order. As ask_index().
Result<std::vector<FuzzyAnswers>> ask_index_fuzzily(const Snapshot& snapshot, AccountId account,
                                                    std::span<const FuzzyQuestion> questions,
                                                    const mail::Stemmers& stemmers);

}  // namespace godwit::store
