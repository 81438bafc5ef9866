// How near the words of a text come to those that are searched for: the same word, one that begins
// with it, or one of the same stem. RFC 6203 3, 4; docs/protocols/imap.md ("FUZZY").
// Works on the terms of mail/text/terms.h, so that an index of terms and whoever reads a text say
// the same.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mail/text/stem.h"
#include "mail/text/terms.h"

namespace godwit::mail {

/// Rising.
enum class Closeness : std::uint8_t { None, Kin, Begins, Equal };
inline constexpr std::size_t kClosenesses = 3;  ///< Without None.

/// Where a word is counts: kinds of places, the weightiest first.
enum class WordPlace : std::uint8_t { Subject, Addresses, Rest };
inline constexpr std::size_t kWordPlaces = 3;

/// One term that a text should have.
struct FuzzyWord {
    std::string text;
    RunKind kind = RunKind::Spaced;
    std::vector<std::string> stems;

    /// `term` is one of a text (RunTermsView).
    [[nodiscard]] Closeness closeness(std::string_view term, const Stemmers& stemmers) const;
    /// What the terms that are close begin with: nothing else need be looked at.
    [[nodiscard]] std::vector<std::string> beginnings() const;
    bool operator==(const FuzzyWord& other) const { return text == other.text; }
};

/// A text that is searched for: the terms of its runs, each once. Immutable.
class FuzzyNeedle {
public:
    /// `folded` is by fold_for_search.
    FuzzyNeedle(std::string_view folded, const Stemmers& stemmers);
    [[nodiscard]] const std::vector<FuzzyWord>& words() const { return words_; }

private:
    std::vector<FuzzyWord> words_;
};

/// What was found of a needle in one message: how close each word came in each kind of place.
class FuzzyTally {
public:
    explicit FuzzyTally(std::size_t words) : best_(words) {}
    void note(std::size_t word, WordPlace place, Closeness closeness) {
        Closeness& best = best_[word][static_cast<std::size_t>(place)];
        best = std::max(best, closeness);
    }
    /// Takes in a folded text.
    void add_text(const FuzzyNeedle& needle, const Stemmers& stemmers, WordPlace place,
                  std::string_view folded);
    /// Every word is somewhere.
    [[nodiscard]] bool is_match() const;
    /// 0 when it is no match, else 1 to 100: the mean of the words; of each the weights of the
    /// places it is in, by closeness, against those of all of `places`.
    [[nodiscard]] unsigned score(const std::vector<WordPlace>& places) const;

private:
    std::vector<std::array<Closeness, kWordPlaces>> best_;
};

}  // namespace godwit::mail
