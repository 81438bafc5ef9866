// Sequence sets: parse, resolve, and set algebra by its laws.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "wire/imap/seqset.h"

using namespace godwit;
using namespace godwit::imap;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t half = input.find(' ');
    const auto first = SequenceSet::parse(input.substr(0, half));
    if (!first) {
        return 0;
    }
    for (const std::uint32_t largest : {0U, 1U, 100U, 4294967295U}) {
        const NumberSet a = first->resolve(largest);
        if (!a.empty()) {
            const auto again = SequenceSet::parse(a.to_string());
            check(again && again->resolve(largest) == a, "writing and parsing agree");
        }
        const auto second =
            SequenceSet::parse(half == std::string_view::npos ? "1:7,9" : input.substr(half + 1));
        if (!second) {
            continue;
        }
        const NumberSet b = second->resolve(largest);
        const NumberSet both = a.intersected(b);
        check(a.united(b).count() + both.count() == a.count() + b.count(), "counts add up");
        check(a.without(b).united(both) == a, "a is what is and what is not in b");
        check(a.without(b).intersected(b).empty(), "nothing of b is left");
        NumberSet grown = a;
        for (const NumberRange& range : b.ranges()) {
            grown.add(range.last, range.first);
        }
        check(grown == a.united(b), "adding is uniting");
    }
    return 0;
}
