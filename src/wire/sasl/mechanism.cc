// The rows, strongest first.
#include "wire/sasl/mechanism.h"

#include "base/ascii.h"
#include "base/result.h"

namespace godwit::sasl {

namespace {
constexpr MechanismRow kRows[] = {
    {Mechanism::ScramSha256Plus, "SCRAM-SHA-256-PLUS", false, true, true},
    {Mechanism::ScramSha256, "SCRAM-SHA-256", false, false, true},
    {Mechanism::Plain, "PLAIN", true, false, true},
    {Mechanism::Login, "LOGIN", true, false, false},
};
}  // namespace

std::span<const MechanismRow> mechanisms() {
    return kRows;
}

const MechanismRow& row_of(Mechanism mechanism) {
    const auto at = static_cast<std::size_t>(mechanism);
    check(at < std::size(kRows) && kRows[at].mechanism == mechanism,
          "mechanism table out of order");
    return kRows[at];
}

const MechanismRow* find_mechanism(std::string_view name) {
    for (const MechanismRow& row : kRows) {
        if (equals_ignore_case(row.name, name)) {
            return &row;
        }
    }
    return nullptr;
}

std::string_view ChannelBindings::find(std::string_view type) const {
    if (type == "tls-exporter") {
        return tls_exporter;
    }
    if (type == "tls-server-end-point") {
        return tls_server_end_point;
    }
    return {};
}

std::vector<const MechanismRow*> offered_mechanisms(bool passwords_allowed,
                                                    const ChannelBindings& bindings) {
    std::vector<const MechanismRow*> offered;
    for (const MechanismRow& row : kRows) {
        const bool fits = (!row.reveals_password || passwords_allowed) &&
                          (!row.needs_channel_binding || !bindings.is_empty());
        if (fits) {
            offered.push_back(&row);
        }
    }
    return offered;
}

}  // namespace godwit::sasl
