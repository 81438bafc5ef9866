// One mail address, parsed: the RFC 5321 Mailbox (with RFC 6531 UTF-8). The only address parser:
// SMTP envelopes, header fields, aliases, configuration and the command line all end here (T24).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::mail {

/// A valid address, or one with an empty domain where a caller asked for that (Domainless::Allow).
/// Passed on as written but for the domain, which is in the form of normalize_domain.
struct Address {
    std::string
        local;  ///< The value: quotes and backslashes of a quoted-string removed. Never empty.
    std::string domain;  ///< Lower-case A-labels, or an address literal with brackets.

    /// "local@domain", the local part quoted only when it must be; without "@" if domain is empty.
    [[nodiscard]] std::string to_string() const;
    /// The local part is not ASCII: only SMTPUTF8 can carry it (RFC 6531 3.2).
    [[nodiscard]] bool needs_smtputf8() const;
    bool operator==(const Address&) const = default;
};

/// Whether "postmaster" without a domain is taken (RFC 5321 4.1.1.3: RCPT TO:<Postmaster>).
enum class Domainless : std::uint8_t { Refuse, Allow };

/// The whole of `text` as a Mailbox (RFC 5321 4.1.2). UTF-8 is taken (RFC 6531 3.3); controls and
/// NUL never are. Sizes: limits::local_part_size_max, domain_size_max. Peer errors.
Result<Address> parse_address(std::string_view text, Domainless domainless = Domainless::Refuse);

/// From a local part value (unquoted) and a domain: checks both. Peer errors.
Result<Address> make_address(std::string_view local, std::string_view domain);

/// A Path that was read from the front of a text.
struct ParsedPath {
    std::optional<Address> address;  ///< nullopt: the null path "<>".
    std::size_t size = 0;            ///< Octets read, both brackets included.
};
/// "<" [source route ":"] Mailbox ">" or "<>" at the front of `text` (RFC 5321 4.1.2). Source
/// routes are read and dropped (RFC 5321 appendix C). "<Postmaster>" gives an empty domain when
/// allowed.
Result<ParsedPath> parse_path(std::string_view text, Domainless domainless = Domainless::Refuse);

/// The local part as accounts compare it: NFC, A-Z lowered.
std::string local_key(std::string_view local);
/// local_key + "@" + domain: equal keys are the same account or alias here.
std::string account_key(const Address& address);

/// `local` as it stands in an address: as is when it is a dot-string, else quoted.
std::string quote_local_part(std::string_view local);

}  // namespace godwit::mail
