// Domain names in mail addresses: one normal form for comparing, storing and looking up.
// RFC 5321 2.3.5, 4.1.3 (literals), RFC 6531 3.2, UTS #46. The one door to libidn2.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::mail {

/// Lower-case A-labels without the root dot: "Bücher.Example." -> "xn--bcher-kva.example".
/// One trailing dot is dropped; empty labels, labels over 63 octets, names over 253, characters
/// other than letters, digits, '-' and '_' (seen in real host names) are refused with a Peer error.
Result<std::string> normalize_domain(std::string_view domain);
/// "[192.0.2.1]" or "[IPv6:2001:db8::1]" in one form (lower case, tag "IPv6:"); tagged general
/// literals are refused (RFC 5321 4.1.3 has no registered one). Peer error otherwise.
Result<std::string> normalize_address_literal(std::string_view literal);
/// Starts with '[' and ends with ']'.
bool is_address_literal(std::string_view domain);
/// For people: U-labels where they are valid, else as it is. Never fails.
std::string domain_to_unicode(std::string_view domain);
/// Dotted IPv4 in strict decimal form, four parts, none over 255.
bool is_ipv4(std::string_view text);
/// RFC 4291 text form, with or without an IPv4 tail; no zone.
bool is_ipv6(std::string_view text);

}  // namespace godwit::mail
