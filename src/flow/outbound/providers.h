// What large providers allow one source: shipped as deploy/providers.toml, which the build puts
// into the program; a [[provider]] of the configuration takes the place of the shipped one of its
// name, or adds one. SMTP-BEHAVIOUR.md E18. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flow/settings.h"

namespace godwit::flow {

/// Zero: no bound of its own.
struct ProviderBounds {
    std::string name;
    std::uint32_t connections = 0;
    std::uint32_t messages_per_connection = 0;
};
/// By the host names that mail goes to: the provider of the first of them that has one.
std::optional<ProviderBounds> find_provider(const Settings& settings,
                                            const std::vector<std::string>& hosts);
/// Connections that one source may have to hosts with these bounds; null: nobody's.
std::uint32_t connections_max(const Settings& settings, const ProviderBounds* provider);
/// Those of deploy/providers.toml.
const std::vector<ProviderSettings>& shipped_providers();

}  // namespace godwit::flow
