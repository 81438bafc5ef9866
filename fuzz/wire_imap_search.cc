// SEARCH: any text parses or not; the tree is well formed and evaluates without a leaf being asked
// twice.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/imap/search.h"
#include "wire/imap/sort.h"

using namespace godwit;
using namespace godwit::imap;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text = " " + std::string(reinterpret_cast<const char*>(data), size);
    Lexer sorted(text);
    (void)parse_sort(sorted);
    Lexer threaded(text);
    (void)parse_thread(threaded);
    Lexer lexer(text);
    const auto program = parse_search(lexer);
    if (!program) {
        return 0;
    }
    const auto& nodes = program->nodes;
    check(nodes.front().end == nodes.size(), "the root spans all");
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        while (!open.empty() && open.back() <= i) {
            open.pop_back();
        }
        check(nodes[i].end > i && (open.empty() || nodes[i].end <= open.back()), "subtrees nest");
        check(nodes[i].set == 0 || nodes[i].set < program->sets.size(), "sets are there");
        open.push_back(nodes[i].end);
    }
    for (const Truth fixed : {Truth::No, Truth::Yes, Truth::Unknown}) {
        std::vector<bool> asked(nodes.size(), false);
        (void)evaluate(*program, [&](const SearchNode& node) {
            const auto index = static_cast<std::size_t>(&node - nodes.data());
            check(!asked[index], "asked once");
            asked[index] = true;
            return fixed;
        });
    }
    return 0;
}
