#include "wire/imap/match.h"

#include <string>

#include "base/ascii.h"
#include "wire/imap/mailbox_name.h"

namespace godwit::imap {

namespace {

constexpr std::size_t kWordBits = 64;

bool is_wildcard(char c) {
    return c == '*' || c == '%';
}

// "%*" and the like match what "*" matches.
std::string collapse(std::string_view pattern) {
    std::string out;
    for (const char c : pattern) {
        if (is_wildcard(c) && !out.empty() && is_wildcard(out.back())) {
            if (c == '*') {
                out.back() = '*';
            }
            continue;
        }
        out.push_back(c);
    }
    return out;
}

}  // namespace

ListPattern::ListPattern(std::string_view pattern) {
    const std::string tokens = collapse(pattern);
    tokens_ = tokens.size();
    words_ = tokens_ / kWordBits + 1;  // One state more than tokens.
    literal_.assign(words_, 0);
    star_.assign(words_, 0);
    percent_.assign(words_, 0);
    for (std::size_t i = 0; i < tokens_; ++i) {
        const Word bit = Word{1} << (i % kWordBits);
        if (tokens[i] == '*') {
            star_[i / kWordBits] |= bit;
        } else if (tokens[i] == '%') {
            percent_[i / kWordBits] |= bit;
        } else {
            std::uint16_t& slot = slot_[static_cast<unsigned char>(tokens[i])];
            if (slot == 0) {
                slot = static_cast<std::uint16_t>(literal_.size() / words_);
                literal_.resize(literal_.size() + words_, 0);
            }
            literal_[slot * words_ + i / kWordBits] |= bit;
        }
    }
}

// A wildcard may match nothing. Two never stand together, so one pass is enough.
void ListPattern::close_over_wildcards(std::vector<Word>& states) const {
    Word carry = 0;
    for (std::size_t w = 0; w < words_; ++w) {
        const Word at_wildcard = states[w] & (star_[w] | percent_[w]);
        states[w] |= (at_wildcard << 1) | carry;
        carry = at_wildcard >> (kWordBits - 1);
    }
}

void ListPattern::step(std::vector<Word>& states, unsigned char c, bool fold) const {
    const Word* exact = positions(c);
    const Word* other = exact;
    if (fold) {
        const char lower = to_lower(static_cast<char>(c));
        const char upper = to_upper(static_cast<char>(c));
        other =
            positions(static_cast<unsigned char>(lower == static_cast<char>(c) ? upper : lower));
    }
    const bool crosses_levels = c == static_cast<unsigned char>(kHierarchySeparator);
    Word carry = 0;
    for (std::size_t w = 0; w < words_; ++w) {
        const Word moving = states[w] & (exact[w] | other[w]);
        const Word staying = states[w] & (crosses_levels ? star_[w] : star_[w] | percent_[w]);
        states[w] = (moving << 1) | carry | staying;
        carry = moving >> (kWordBits - 1);
    }
    close_over_wildcards(states);
}

bool ListPattern::matches(std::string_view name) const {
    std::vector<Word> states(words_, 0);
    states[0] = 1;
    close_over_wildcards(states);
    const bool in_inbox =
        starts_with_ignore_case(name, kInbox) &&
        (name.size() == kInbox.size() || name[kInbox.size()] == kHierarchySeparator);
    for (std::size_t i = 0; i < name.size(); ++i) {
        step(states, static_cast<unsigned char>(name[i]), in_inbox && i < kInbox.size());
    }
    return (states[tokens_ / kWordBits] >> (tokens_ % kWordBits) & 1) != 0;
}

}  // namespace godwit::imap
