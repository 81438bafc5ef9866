#include "mail/text/terms.h"

#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/ascii.h"

namespace godwit::mail {
namespace {

enum class CharClass : std::uint8_t { None, Spaced, Unspaced };

CharClass judge(UChar32 point) {
    // Letters, marks and numbers.
    constexpr std::uint32_t kOfTerms = U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK;
    if ((U_GET_GC_MASK(point) & kOfTerms) == 0) {
        return CharClass::None;
    }
    // UAX #14 knows which writing breaks lines without spaces.
    switch (u_getIntPropertyValue(point, UCHAR_LINE_BREAK)) {
        case U_LB_IDEOGRAPHIC:
        case U_LB_CONDITIONAL_JAPANESE_STARTER:
        case U_LB_NONSTARTER:
        case U_LB_COMPLEX_CONTEXT: return CharClass::Unspaced;
        default: return CharClass::Spaced;
    }
}

constexpr UChar32 kPlaneEnd = 0x10000;

const std::array<CharClass, kPlaneEnd>& first_plane() {
    static const auto table = [] {
        auto made = std::make_unique<std::array<CharClass, kPlaneEnd>>();
        for (UChar32 point = 0; point < kPlaneEnd; ++point) {
            (*made)[static_cast<std::size_t>(point)] = judge(point);
        }
        return made;
    }();
    return *table;
}

bool is_inside_character(char octet) {
    return (static_cast<unsigned char>(octet) & 0xC0) == 0x80;
}

/// One character of `text` at `at`, which moves behind it. Ill-formed octets are in no run.
CharClass next_class(std::string_view text, std::size_t& at) {
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead < 0x80) {
        ++at;
        return is_alnum(static_cast<char>(lead)) ? CharClass::Spaced : CharClass::None;
    }
    UChar32 point = 0;
    U8_NEXT(text.data(), at, text.size(), point);
    if (point < 0) {
        return CharClass::None;
    }
    return point < kPlaneEnd ? first_plane()[static_cast<std::size_t>(point)] : judge(point);
}

}  // namespace

std::optional<TextRun> TextRunsView::next() {
    CharClass kind = CharClass::None;
    std::size_t begin = at_;
    while (at_ < text_.size() && kind == CharClass::None) {
        begin = at_;
        kind = next_class(text_, at_);
    }
    if (kind == CharClass::None) {
        return std::nullopt;
    }
    std::size_t end = at_;
    while (at_ < text_.size()) {
        std::size_t behind = at_;
        if (next_class(text_, behind) != kind) {
            break;
        }
        end = at_ = behind;
    }
    return TextRun{.begin = begin,
                   .size = end - begin,
                   .kind = kind == CharClass::Spaced ? RunKind::Spaced : RunKind::Unspaced};
}

std::string_view whole_prefix(std::string_view text, std::size_t size) {
    size = std::min(size, text.size());
    while (size > 0 && size < text.size() && is_inside_character(text[size])) {
        --size;
    }
    return text.substr(0, size);
}

std::optional<std::string_view> RunTermsView::next() {
    if (rest_.empty()) {
        return std::nullopt;
    }
    if (kind_ == RunKind::Spaced) {
        if (rest_.size() <= term_size_max) {
            return std::exchange(rest_, std::string_view());
        }
        const std::string_view piece = whole_prefix(rest_, term_size_max);
        // Pieces begin at most 32 octets apart, and have 61 at least: 28 are whole in one.
        rest_.remove_prefix(whole_prefix(rest_, term_size_max / 2).size());
        return piece;
    }
    std::size_t first = 0;
    next_class(rest_, first);
    std::size_t both = first;
    if (both < rest_.size()) {
        next_class(rest_, both);
    }
    const bool is_last_alone = both == first && is_begun_;
    const std::string_view term = rest_.substr(0, both);
    rest_.remove_prefix(first);
    is_begun_ = true;
    return is_last_alone ? std::nullopt : std::optional(term);
}

std::vector<std::string> split_words(std::string_view folded, std::size_t count) {
    std::u16string units(folded.size() + 1, u'\0');
    std::int32_t size = 0;
    UErrorCode status = U_ZERO_ERROR;
    u_strFromUTF8WithSub(units.data(), static_cast<std::int32_t>(units.size()), &size,
                         folded.data(), static_cast<std::int32_t>(folded.size()), 0xFFFD, nullptr,
                         &status);
    struct Close {
        void operator()(UBreakIterator* words) const { ubrk_close(words); }
    };
    const std::unique_ptr<UBreakIterator, Close> words(
        ubrk_open(UBRK_WORD, "", units.data(), size, &status));
    std::vector<std::string> out;
    if (U_FAILURE(status)) {
        return out;
    }
    std::int32_t begin = ubrk_first(words.get());
    for (std::int32_t end = ubrk_next(words.get()); end != UBRK_DONE && out.size() < count;
         begin = end, end = ubrk_next(words.get())) {
        if (ubrk_getRuleStatus(words.get()) < UBRK_WORD_NONE_LIMIT) {
            continue;
        }
        std::string word(static_cast<std::size_t>(end - begin) * 3, '\0');
        std::int32_t octets = 0;
        u_strToUTF8WithSub(word.data(), static_cast<std::int32_t>(word.size()), &octets,
                           units.data() + begin, end - begin, 0xFFFD, nullptr, &status);
        word.resize(static_cast<std::size_t>(octets));
        out.push_back(std::move(word));
    }
    return out;
}

}  // namespace godwit::mail
