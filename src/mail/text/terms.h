// Cuts text into the terms that an index of substrings is made of, and into words.
// Law: docs/storage.md ("The search index"); UAX #29 for words.
//
// A run is a longest stretch of letters, marks and numbers that are all written with spaces between
// words, or all without (Han, Kana, Thai, ...). What is no such character parts runs. So a needle
// that is one run is in a text exactly when it is inside one run of it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::mail {

enum class RunKind { Spaced, Unspaced };
struct TextRun {
    std::size_t begin = 0;
    std::size_t size = 0;
    RunKind kind = RunKind::Spaced;
};

/// The runs of `folded` (mail/text/charset.h: fold_for_search), in order. Linear.
class TextRunsView {
public:
    /// Its text outlives it.
    explicit TextRunsView(std::string_view folded) : text_(folded) {}
    std::optional<TextRun> next();

private:
    std::string_view text_;
    std::size_t at_ = 0;
};

/// No term is longer, in octets. Longer runs are cut into pieces that overlap.
inline constexpr std::size_t term_size_max = 64;
/// Whatever stretch of a run is no longer than this is whole in one of its pieces.
inline constexpr std::size_t term_whole_max = 28;

/// The terms of a run, as views into it: the run itself or its pieces; of writing without spaces
/// every two neighbours, or the one character.
class RunTermsView {
public:
    /// `run` is the text of one run and outlives it.
    RunTermsView(std::string_view run, RunKind kind) : rest_(run), kind_(kind) {}
    std::optional<std::string_view> next();

private:
    std::string_view rest_;
    RunKind kind_;
    bool is_begun_ = false;
};

/// The longest beginning of `text` that is at most `size` octets and ends with a whole character.
std::string_view whole_prefix(std::string_view text, std::size_t size);

/// The words of folded text by UAX #29, with dictionaries for writing without spaces; what has no
/// letter or number is left out. At most `count`.
std::vector<std::string> split_words(std::string_view folded, std::size_t count);

}  // namespace godwit::mail
