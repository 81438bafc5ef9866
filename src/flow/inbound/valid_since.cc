#include "flow/inbound/valid_since.h"

#include <algorithm>

#include "base/ascii.h"
#include "mail/text/date.h"

namespace godwit::flow {

std::optional<smtp::Reply> refuse_changed_hands(const store::Recipient& resolved,
                                                const mail::Address& address, std::int64_t since) {
    if (store::is_role(address.local)) {
        return std::nullopt;
    }
    const std::string name = "<" + address.to_string() + ">";
    for (const std::int64_t owned_since : resolved.owned_since) {
        if (owned_since == 0) {
            return smtp::make_reply(550, {5, 7, 19},
                                    "It is not known since when " + name + " has its owner");
        }
        if (owned_since > since) {
            return smtp::make_reply(550, {5, 7, 17}, "The owner of " + name + " has changed");
        }
    }
    return std::nullopt;
}

std::optional<std::int64_t> valid_since_in(const mail::ParsedMessage& parsed,
                                           const mail::Address& address) {
    std::optional<std::int64_t> strictest;
    std::size_t read = 0;
    for (const mail::HeaderField& field : parsed.index.fields) {
        if (!equals_ignore_case(field.name(parsed.header), "Require-Recipient-Valid-Since")) {
            continue;
        }
        if (++read > valid_since_fields_max) {
            break;
        }
        const std::string value = mail::unfold(field.body(parsed.header));
        const std::size_t semicolon = std::min(value.find(';'), value.size());
        const auto who = mail::parse_address(trim(std::string_view(value).substr(0, semicolon)));
        const auto when =
            mail::parse_date(std::string_view(value).substr(std::min(semicolon + 1, value.size())));
        const bool is_meant = who && when && mail::account_key(*who) == mail::account_key(address);
        if (is_meant && (!strictest || when->unix_seconds < *strictest)) {
            strictest = when->unix_seconds;
        }
    }
    return strictest;
}

}  // namespace godwit::flow
