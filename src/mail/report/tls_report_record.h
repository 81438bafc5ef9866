// The TXT record of "_smtp._tls.DOMAIN": where a domain wants its TLS reports. Pure. RFC 8460, the
// section "Reporting Policy"; RFC 6068 (mailto), RFC 3986 (https).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/address/address.h"

namespace godwit::mail {

/// Places that a report goes to at most, of those a record names the first: each costs a connection
/// and up to its patience.
inline constexpr std::size_t tls_report_places_max = 4;
/// Octets of one URI, and of a record; both far beyond any in use.
inline constexpr std::size_t tls_report_uri_size_max = 1024;
inline constexpr std::size_t tls_report_record_size_max = 8 * 1024;

struct TlsReportPlace {
    enum class Kind : std::uint8_t { Mail, Web } kind = Kind::Mail;
    Address address{};   ///< Of Mail.
    std::string host{};  ///< Of Web; a name or an address, without brackets.
    std::uint16_t port = 443;
    std::string path{};  ///< With the query; begins with "/".
};

/// The URIs of the one record among the texts; empty when there is none, more than one, or it names
/// none. Those that parse_tls_report_place() does not know are left out.
std::vector<std::string> parse_tls_report_record(const std::vector<std::string>& texts);
/// nullopt for other schemes, user names, and what cannot be read.
std::optional<TlsReportPlace> parse_tls_report_place(std::string_view uri);

}  // namespace godwit::mail
