#include "mail/text/fuzzy.h"

#include <algorithm>
#include <utility>

namespace godwit::mail {
namespace {

// A shorter beginning says too little.
constexpr std::size_t kBeginningMin = 3;
// Words of one stem share so many octets of their beginning; but see loose().
constexpr std::size_t kSharedMin = 3;

constexpr std::array<unsigned, kWordPlaces> kPlaceWeights = {5, 3, 2};
// By Closeness, percent.
constexpr std::array<unsigned, kClosenesses + 1> kClosenessPercents = {0, 70, 80, 100};

constexpr std::array<std::pair<std::string_view, char>, 3> kUmlauts = {{
    {"\u00e4", 'a'},
    {"\u00f6", 'o'},
    {"\u00fc", 'u'},
}};

// Stems differ from their words at the end, and by umlauts: Haus, Häuser.
std::string loose(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto* umlaut = std::ranges::find_if(
            kUmlauts, [&](const auto& each) { return text.substr(at).starts_with(each.first); });
        out += umlaut == kUmlauts.end() ? text[at] : umlaut->second;
        at += umlaut == kUmlauts.end() ? 1 : umlaut->first.size();
    }
    return out;
}

bool is_one_character(std::string_view text) {
    return whole_prefix(text, text.size() - 1).empty();
}

bool may_be_kin(std::string_view left, std::string_view right) {
    const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
    if (left.front() != right.front() && is_ascii(left.front()) && is_ascii(right.front())) {
        return false;  // Nearly always.
    }
    const std::string a = loose(left);
    const std::string b = loose(right);
    const std::size_t shared = std::min({kSharedMin, a.size(), b.size()});
    return a.compare(0, shared, b, 0, shared) == 0;
}

}  // namespace

Closeness FuzzyWord::closeness(std::string_view term, const Stemmers& stemmers) const {
    if (term == text) {
        return Closeness::Equal;
    }
    if (kind == RunKind::Unspaced) {
        const bool has = is_one_character(text) && term.find(text) != std::string_view::npos;
        return has ? Closeness::Equal : Closeness::None;
    }
    if (text.size() >= kBeginningMin && term.starts_with(text)) {
        return Closeness::Begins;
    }
    return may_be_kin(text, term) && stemmers.are_kin(stems, term) ? Closeness::Kin
                                                                   : Closeness::None;
}

std::vector<std::string> FuzzyWord::beginnings() const {
    if (kind == RunKind::Unspaced) {
        return {is_one_character(text) ? std::string() : text};
    }
    std::string first(text, 0, 1);
    for (std::size_t size = 2; is_one_character(text.substr(0, size)) && size <= text.size();
         ++size) {
        first = text.substr(0, size);
    }
    std::vector<std::string> out = {first};
    for (const auto& [umlaut, plain] : kUmlauts) {
        if (first == umlaut) {
            out.emplace_back(1, plain);
        } else if (first == std::string_view(&plain, 1)) {
            out.emplace_back(umlaut);
        }
    }
    return out;
}

FuzzyNeedle::FuzzyNeedle(std::string_view folded, const Stemmers& stemmers) {
    TextRunsView runs(folded);
    while (const auto run = runs.next()) {
        RunTermsView terms(folded.substr(run->begin, run->size), run->kind);
        while (const auto term = terms.next()) {
            FuzzyWord word{.text = std::string(*term), .kind = run->kind, .stems = {}};
            if (std::ranges::find(words_, word) != words_.end()) {
                continue;
            }
            if (run->kind == RunKind::Spaced) {
                word.stems = stemmers.stems(word.text);
            }
            words_.push_back(std::move(word));
        }
    }
}

void FuzzyTally::add_text(const FuzzyNeedle& needle, const Stemmers& stemmers, WordPlace place,
                          std::string_view folded) {
    TextRunsView runs(folded);
    while (const auto run = runs.next()) {
        RunTermsView terms(folded.substr(run->begin, run->size), run->kind);
        while (const auto term = terms.next()) {
            for (std::size_t i = 0; i < needle.words().size(); ++i) {
                note(i, place, needle.words()[i].closeness(*term, stemmers));
            }
        }
    }
}

bool FuzzyTally::is_match() const {
    return std::ranges::all_of(best_, [](const auto& places) {
        return std::ranges::any_of(places, [](Closeness one) { return one != Closeness::None; });
    });
}

unsigned FuzzyTally::score(const std::vector<WordPlace>& places) const {
    if (best_.empty() || !is_match()) {
        return 0;
    }
    unsigned reachable = 0;
    for (const WordPlace place : places) {
        reachable += kPlaceWeights[static_cast<std::size_t>(place)];
    }
    unsigned reached = 0;
    for (const auto& word : best_) {
        for (const WordPlace place : places) {
            const auto at = static_cast<std::size_t>(place);
            reached += kPlaceWeights[at] * kClosenessPercents[static_cast<std::size_t>(word[at])];
        }
    }
    return std::max(1U, reached / (reachable * static_cast<unsigned>(best_.size())));
}

}  // namespace godwit::mail
