// Where HTTPS requests of ours to a host go instead of to what DNS says: the administrator's
// [[web_host]].
#pragma once

#include <optional>
#include <string_view>

#include "flow/settings.h"
#include "net/io/endpoint.h"

namespace godwit::flow {

/// nullopt: to where DNS says.
std::optional<net::Endpoint> find_web_host(const Settings& settings, std::string_view host);

}  // namespace godwit::flow
