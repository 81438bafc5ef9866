#include "flow/web_host.h"

#include "base/ascii.h"

namespace godwit::flow {

std::optional<net::Endpoint> find_web_host(const Settings& settings, std::string_view host) {
    for (const WebHostSettings& row : settings.web_hosts) {
        if (equals_ignore_case(row.host, host)) {
            if (auto at = net::Endpoint::parse(row.address)) {
                return *at;
            }
        }
    }
    return std::nullopt;
}

}  // namespace godwit::flow
