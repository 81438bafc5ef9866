// Addresses: what parses is written in a form that parses to the same; keys are stable.
#include "mail/address/address.h"

#include "input.h"
#include "mail/address/domain.h"

using namespace godwit;
using namespace godwit::mail;

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text = fuzz::as_text(bytes, size);
    for (const Domainless domainless : {Domainless::Refuse, Domainless::Allow}) {
        if (const auto address = parse_address(text, domainless)) {
            const auto again = parse_address(address->to_string(), domainless);
            check(again && *again == *address, "an address changed when written and read");
            check(!account_key(*address).empty(), "an address has no key");
        }
        if (const auto path = parse_path(text, domainless)) {
            check(path->size <= text.size() && text[path->size - 1] == '>',
                  "a path has the wrong size");
        }
    }
    if (const auto domain = normalize_domain(text)) {
        const auto again = normalize_domain(*domain);
        check(again && *again == *domain, "the normal form of a domain is not stable");
        (void)domain_to_unicode(*domain);
    }
    (void)normalize_address_literal(text);
    return 0;
}
