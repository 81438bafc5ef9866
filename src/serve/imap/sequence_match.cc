#include "serve/imap/sequence_match.h"

#include <algorithm>

namespace godwit::serve::imap_desk {

namespace {

// The largest uid of the sample that still has the number the client knows it by; 0: none. Among
// `count` numbers from `number`, said to have the uids from `uid`. A message's uid and its number
// part ever further on, so those that fit stand together.
std::uint32_t last_match_of_run(std::span<const store::MessageRow> rows, std::uint32_t number,
                                std::uint32_t uid, std::uint64_t count) {
    if (uid < number || number > rows.size()) {
        return 0;
    }
    const std::size_t end =
        static_cast<std::size_t>(std::min<std::uint64_t>(rows.size(), number - 1 + count));
    const std::uint32_t distance = uid - number;
    std::size_t low = number - 1;
    std::size_t high = end;
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (rows[middle].uid.value() - (middle + 1) <= distance) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == number - 1) {
        return 0;
    }
    const std::uint32_t found = rows[low - 1].uid.value();
    return found - low == distance ? found : 0;
}

}  // namespace

std::uint32_t last_match(std::span<const store::MessageRow> rows,
                         const imap::QresyncArguments& known) {
    std::uint32_t found = 0;
    const auto numbers = known.matched_numbers.ranges();
    const auto uids = known.matched_uids.ranges();
    std::size_t a = 0;
    std::size_t b = 0;
    std::uint32_t in_a = 0;  // Of numbers[a], taken already; the same for b.
    std::uint32_t in_b = 0;
    while (a < numbers.size() && b < uids.size()) {
        const std::uint32_t number = numbers[a].first + in_a;
        const std::uint32_t uid = uids[b].first + in_b;
        const std::uint32_t left_a = numbers[a].last - number;
        const std::uint32_t left_b = uids[b].last - uid;
        const std::uint32_t last = std::min(left_a, left_b);
        found = std::max(found, last_match_of_run(rows, number, uid, std::uint64_t{last} + 1));
        in_a = left_a == last ? 0 : in_a + last + 1;
        in_b = left_b == last ? 0 : in_b + last + 1;
        a += left_a == last ? 1 : 0;
        b += left_b == last ? 1 : 0;
    }
    return found;
}

}  // namespace godwit::serve::imap_desk
