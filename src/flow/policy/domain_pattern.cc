#include "flow/policy/domain_pattern.h"

#include "base/ascii.h"

namespace godwit::flow {

std::size_t domain_fitness(std::string_view pattern, std::string_view domain) {
    if (pattern == "*") {
        return 1;
    }
    if (equals_ignore_case(pattern, domain)) {
        return domain_fitness_exact;
    }
    const bool is_below =
        pattern.starts_with("*.") && ends_with_ignore_case(domain, pattern.substr(1));
    return is_below ? pattern.size() : 0;
}

}  // namespace godwit::flow
