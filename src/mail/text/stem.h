// Stems of words, for searching by meaning rather than by letters (RFC 6203). The one door to
// Snowball.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::mail {

/// The stems that the languages we know would give a word: a text does not say which it is in, so
/// that two words are kin when any language says so. Not thread-safe; costs some 100 KB.
class Stemmers {
public:
    Stemmers();
    ~Stemmers();
    Stemmers(const Stemmers&) = delete;
    Stemmers& operator=(const Stemmers&) = delete;

    /// One a language, in a fixed order; `folded` is one word in small letters, UTF-8.
    [[nodiscard]] std::vector<std::string> stems(std::string_view folded) const;
    /// Some language gives both the same stem. `stems` is what stems() gave for the other word.
    [[nodiscard]] bool are_kin(const std::vector<std::string>& stems,
                               std::string_view folded) const;

private:
    struct Inner;
    std::unique_ptr<Inner> inner_;
};

}  // namespace godwit::mail
