// "example.com", "*.example.com" and "*", as configuration names domains. Pure.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/limits.h"

namespace godwit::flow {

/// What an exact name is worth: more than any "*.x".
inline constexpr std::size_t domain_fitness_exact = limits::domain_size_max + 2;

/// How much a pattern says of the domain; 0 when it does not match. "*.x" is what is below x.
std::size_t domain_fitness(std::string_view pattern, std::string_view domain);

}  // namespace godwit::flow
