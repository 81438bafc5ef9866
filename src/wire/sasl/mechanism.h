// THE TABLE of SASL mechanisms: names as announced, what each needs, in the order of preference.
// RFC 4616 (PLAIN), RFC 5802 and RFC 7677 (SCRAM-SHA-256, -PLUS); LOGIN is the old draft that
// Outlook and printers speak. No CRAM-MD5, NTLM or DIGEST, ever (SECURITY.md T40).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::sasl {

enum class Mechanism : std::uint8_t { ScramSha256Plus, ScramSha256, Plain, Login };

struct MechanismRow {
    Mechanism mechanism;
    std::string_view name;
    bool reveals_password;       ///< The password crosses the wire: TLS only.
    bool needs_channel_binding;  ///< Announced only where the channel gives binding bytes.
    bool client_first;           ///< The client speaks first, so an initial response is possible.
};

/// All rows, strongest first.
std::span<const MechanismRow> mechanisms();
const MechanismRow& row_of(Mechanism mechanism);
/// By name, any case; nullptr when unknown.
const MechanismRow* find_mechanism(std::string_view name);

/// Channel binding bytes as the TLS layer gives them; empty where it has none.
struct ChannelBindings {
    std::string tls_exporter;          ///< RFC 9266; TLS 1.3.
    std::string tls_server_end_point;  ///< RFC 5929: hash of the server's certificate.
    [[nodiscard]] bool is_empty() const {
        return tls_exporter.empty() && tls_server_end_point.empty();
    }
    /// The bytes of a binding type by its registered name; empty when not supported here.
    [[nodiscard]] std::string_view find(std::string_view type) const;
};

/// What a service may announce: PLAIN and LOGIN only if `passwords_allowed` (TLS is on, or a
/// loopback development listener), -PLUS only with bindings. In the table's order.
std::vector<const MechanismRow*> offered_mechanisms(bool passwords_allowed,
                                                    const ChannelBindings& bindings);

}  // namespace godwit::sasl
