// "example.com", "*.example.com" and "*", as configuration names domains. Pure.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/limits.h"

namespace godwit::flow {

/// What an exact name is worth: more than any "*.x".
inline constexpr std::size_t domain_fitness_exact = limits::domain_size_max + 2;

/// How much a pattern says of the domain; 0 when it does not match. "*.x" is what is below x.
std::size_t domain_fitness(std::string_view pattern, std::string_view domain);

/// The row whose `domain` says most of this one: its name, else the longest "*.x", else "*"; of
/// equals the first. nullptr when none matches. Lives as long as `rows`.
template <class Row>
const Row* find_by_domain(const std::vector<Row>& rows, std::string_view domain) {
    const Row* best = nullptr;
    std::size_t best_fitness = 0;
    for (const Row& row : rows) {
        const std::size_t fits = domain_fitness(row.domain, domain);
        if (fits > best_fitness) {
            best = &row;
            best_fitness = fits;
        }
    }
    return best;
}

}  // namespace godwit::flow
