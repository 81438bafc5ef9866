// Where the report about a domain may go. Its places stand in a record that anybody can publish of
// his own domain, so they reach nothing that only the administrator's configuration makes
// reachable: what a stranger could not connect to or mail to himself, he does not reach by us.
// RFC 8460, "Security Considerations". Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "flow/settings.h"
#include "mail/address/address.h"
#include "net/io/endpoint.h"

namespace godwit::flow {

/// The [[web_host]] for a POST of the report about `domain` to `host`: only where the host is the
/// domain's own name or below it. nullopt: to where DNS says, at public addresses alone.
std::optional<net::Endpoint> tls_report_web_host(const Settings& settings, std::string_view domain,
                                                 std::string_view host);

/// Whether the report about `domain` may be mailed to `address`: not over a route that is for that
/// address or its domain, but where anybody may send mail there, or it is the domain's own.
bool may_mail_tls_report(const Settings& settings, std::string_view domain,
                         const mail::Address& address);

}  // namespace godwit::flow
