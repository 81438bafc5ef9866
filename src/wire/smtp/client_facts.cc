#include "wire/smtp/client_facts.h"

#include <algorithm>

#include "base/ascii.h"
#include "wire/smtp/command.h"

namespace godwit::smtp {

namespace {

struct Row {
    std::string_view keyword;
    ClientFact fact;
    bool is_of_xclient;
    bool is_of_xforward;
};
constexpr Row kRows[] = {
    {"NAME", ClientFact::Name, true, true},
    {"ADDR", ClientFact::Address, true, true},
    {"PORT", ClientFact::Port, true, true},
    {"PROTO", ClientFact::Protocol, true, true},
    {"HELO", ClientFact::Hello, true, true},
    {"LOGIN", ClientFact::Login, true, false},
    {"DESTADDR", ClientFact::LocalAddress, true, false},
    {"DESTPORT", ClientFact::LocalPort, true, false},
    {"IDENT", ClientFact::Identity, false, true},
    {"SOURCE", ClientFact::Source, false, true},
};
static_assert(std::size(kRows) == kClientFactCount);

bool is_used(const Row& row, ClientFactUse use) {
    return use == ClientFactUse::StandIn ? row.is_of_xclient : row.is_of_xforward;
}

const Row* find_row(std::string_view keyword, ClientFactUse use) {
    for (const Row& row : kRows) {
        if (is_used(row, use) && equals_ignore_case(row.keyword, keyword)) {
            return &row;
        }
    }
    return nullptr;
}

// XFORWARD_README, note 1: nothing that is special in message headers. XCLIENT's values go into a
// Received field too.
bool is_clean(std::string_view value) {
    return value.size() <= client_fact_size_max && std::ranges::all_of(value, [](char c) {
               return is_vchar(c) &&
                      std::string_view("<>()\\\";,").find(c) == std::string_view::npos;
           });
}

bool is_port(std::string_view value) {
    const auto number = parse_u64(value);
    return number && *number <= 65535;
}

bool is_address_like(std::string_view value) {
    return !value.empty() &&
           std::ranges::all_of(value, [](char c) { return is_hexdig(c) || c == '.' || c == ':'; });
}

std::optional<std::string> read_value(const Row& row, ClientFactUse use, std::string_view raw) {
    std::optional<std::string> value = xtext_decode(raw);
    if (!value || !is_clean(*value)) {
        return std::nullopt;
    }
    if (value->empty() || equals_ignore_case(*value, "[UNAVAILABLE]") ||
        equals_ignore_case(*value, "[TEMPUNAVAIL]")) {
        return "";
    }
    switch (row.fact) {
        case ClientFact::Address:
        case ClientFact::LocalAddress:
            if (starts_with_ignore_case(*value, "IPV6:")) {
                value->erase(0, 5);
            }
            // What was forwarded need not have come over IP.
            if (use == ClientFactUse::StandIn && !is_address_like(*value)) {
                return std::nullopt;
            }
            break;
        case ClientFact::Port:
        case ClientFact::LocalPort:
            if (!is_port(*value)) {
                return std::nullopt;
            }
            break;
        case ClientFact::Protocol:
            if (use == ClientFactUse::StandIn) {
                *value = to_upper(*value);
                if (*value != "SMTP" && *value != "ESMTP") {
                    return std::nullopt;
                }
            }
            break;
        case ClientFact::Source:
            *value = to_upper(*value);
            if (*value != "LOCAL" && *value != "REMOTE") {
                return std::nullopt;
            }
            break;
        case ClientFact::Name:
        case ClientFact::Hello:
        case ClientFact::Login:
        case ClientFact::Identity: break;
    }
    return value;
}

}  // namespace

void ClientFacts::update(const ClientFacts& later) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
        if (later.values_[i]) {
            values_[i] = later.values_[i];
        }
    }
}

std::string client_fact_names(ClientFactUse use) {
    std::string names;
    for (const Row& row : kRows) {
        if (is_used(row, use)) {
            names.append(" ").append(row.keyword);
        }
    }
    return names;
}

std::expected<ClientFacts, Reply> parse_client_facts(std::string_view argument, ClientFactUse use) {
    ClientFacts facts;
    bool is_empty = true;
    for (const std::string_view word : split(argument, ' ')) {
        if (word.empty()) {
            continue;
        }
        const std::size_t equals = word.find('=');
        const Row* row = find_row(word.substr(0, equals), use);
        if (equals == std::string_view::npos || row == nullptr) {
            return std::unexpected(make_reply(501, {5, 5, 4}, "Attribute not recognized"));
        }
        auto value = read_value(*row, use, word.substr(equals + 1));
        if (!value || facts[row->fact]) {
            return std::unexpected(
                make_reply(501, {5, 5, 4}, "Bad value of " + std::string(row->keyword)));
        }
        facts[row->fact] = std::move(value);
        is_empty = false;
    }
    if (is_empty) {
        return std::unexpected(make_reply(501, {5, 5, 4}, "Syntax: attribute=value ..."));
    }
    return facts;
}

}  // namespace godwit::smtp
