#include "store/mailbox/rights.h"

namespace godwit::store {

namespace {

constexpr std::string_view kLetters = "lrswipkxtea";
// What "c" and "d" meant before they were split.
constexpr Rights kCreate = Right::CreateBelow | Right::DeleteMailbox;
constexpr Rights kDelete = Right::DeleteMessages | Right::Expunge;

Rights right_at(std::size_t index) {
    return Rights::of_bits(1U << index);
}

}  // namespace

std::optional<Rights> parse_rights(std::string_view letters) {
    Rights rights;
    for (const char letter : letters) {
        const std::size_t index = kLetters.find(letter);
        if (index != std::string_view::npos) {
            rights = rights | right_at(index);
        } else if (letter == 'c') {
            rights = rights | kCreate;
        } else if (letter == 'd') {
            rights = rights | kDelete;
        } else {
            return std::nullopt;
        }
    }
    return rights;
}

std::string to_letters(Rights rights) {
    std::string letters;
    for (std::size_t index = 0; index < kLetters.size(); ++index) {
        if (rights.has_any(right_at(index))) {
            letters.push_back(kLetters[index]);
        }
    }
    letters += rights.has_any(kCreate) ? "c" : "";
    letters += rights.has_any(kDelete) ? "d" : "";
    return letters;
}

}  // namespace godwit::store
