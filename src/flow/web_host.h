// Where an HTTPS request of ours goes instead of to what DNS says: [[web_host]].
#pragma once

#include <optional>
#include <string_view>

#include "flow/settings.h"
#include "net/io/endpoint.h"

namespace godwit::flow {

/// nullopt: DNS says.
std::optional<net::Endpoint> web_host_address(const Settings& settings, std::string_view host);

}  // namespace godwit::flow
