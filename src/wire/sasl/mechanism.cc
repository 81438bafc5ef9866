// The rows, strongest first.
#include "wire/sasl/mechanism.h"

#include "base/ascii.h"
#include "base/result.h"

namespace godwit::sasl {

namespace {
// RFC 5802 6: a bound channel before one that is not, whatever the hash.
constexpr MechanismRow kRows[] = {
    {Mechanism::External, "EXTERNAL", false, false, true},
    {Mechanism::ScramSha256Plus, "SCRAM-SHA-256-PLUS", false, true, true, ScramHash::Sha256},
    {Mechanism::ScramSha1Plus, "SCRAM-SHA-1-PLUS", false, true, true, ScramHash::Sha1},
    {Mechanism::ScramSha256, "SCRAM-SHA-256", false, false, true, ScramHash::Sha256},
    {Mechanism::ScramSha1, "SCRAM-SHA-1", false, false, true, ScramHash::Sha1},
    {Mechanism::OAuthBearer, "OAUTHBEARER", true, false, true, std::nullopt, true},
    {Mechanism::XOAuth2, "XOAUTH2", true, false, true, std::nullopt, true},
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

bool is_offered(const MechanismRow& row, const Means& means, const ChannelBindings& bindings) {
    return (!row.reveals_password || means.passwords_allowed) &&
           (!row.needs_channel_binding || !bindings.is_empty()) &&
           (row.mechanism != Mechanism::External || bindings.has_client_certificate) &&
           (!row.bears_token || means.takes_tokens) &&
           (row.scram != ScramHash::Sha1 || means.has_sha1_keys);
}

std::vector<const MechanismRow*> offered_mechanisms(const Means& means,
                                                    const ChannelBindings& bindings) {
    std::vector<const MechanismRow*> offered;
    for (const MechanismRow& row : kRows) {
        if (is_offered(row, means, bindings)) {
            offered.push_back(&row);
        }
    }
    return offered;
}

}  // namespace godwit::sasl
