#include "flow/report/tls_report_places.h"

#include "base/ascii.h"
#include "flow/outbound/route.h"
#include "flow/policy/relay_domains.h"
#include "flow/web_host.h"

namespace godwit::flow {

namespace {

bool is_own(std::string_view domain, std::string_view name) {
    if (name.size() <= domain.size()) {
        return equals_ignore_case(name, domain);
    }
    const std::string_view end = name.substr(name.size() - domain.size());
    return !domain.empty() && equals_ignore_case(end, domain) &&
           name[name.size() - domain.size() - 1] == '.';
}

}  // namespace

std::optional<net::Endpoint> tls_report_web_host(const Settings& settings, std::string_view domain,
                                                 std::string_view host) {
    return is_own(domain, host) ? find_web_host(settings, host) : std::nullopt;
}

bool may_mail_tls_report(const Settings& settings, std::string_view domain,
                         const mail::Address& address) {
    const std::string recipient = address.to_string();
    const RouteSettings* const route =
        find_route(settings, {.domain = address.domain, .recipient = recipient, .sender = ""});
    const bool is_for_all = route == nullptr || (route->recipient.empty() &&
                                                 (route->domain.empty() || route->domain == "*"));
    return is_for_all || route->accepts_from_outside || is_own(domain, address.domain) ||
           find_relay_domain(settings, address.domain) != nullptr;
}

}  // namespace godwit::flow
