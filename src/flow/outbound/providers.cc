#include "flow/outbound/providers.h"

#include <algorithm>

#include "base/ascii.h"

namespace godwit::flow {

namespace {

bool is_of(const ProviderSettings& provider, const std::string& host) {
    return std::ranges::any_of(provider.mx, [&host](const std::string& suffix) {
        return equals_ignore_case(host, suffix) || ends_with_ignore_case(host, "." + suffix);
    });
}

}  // namespace

const std::vector<ProviderSettings>& shipped_providers() {
    static const std::vector<ProviderSettings> rows = {
#include "providers_table.inc"
    };
    return rows;
}

std::optional<ProviderBounds> find_provider(const Settings& settings,
                                            const std::vector<std::string>& hosts) {
    const auto bounds = [](const ProviderSettings& provider) {
        return ProviderBounds{.name = provider.name,
                              .connections = provider.connections,
                              .messages_per_connection = provider.messages_per_connection};
    };
    for (const std::string& host : hosts) {
        for (const ProviderSettings& provider : settings.providers) {
            if (is_of(provider, host)) {
                return bounds(provider);
            }
        }
        for (const ProviderSettings& provider : shipped_providers()) {
            const bool is_replaced = std::ranges::any_of(
                settings.providers,
                [&provider](const ProviderSettings& own) { return own.name == provider.name; });
            if (!is_replaced && is_of(provider, host)) {
                return bounds(provider);
            }
        }
    }
    return std::nullopt;
}

std::uint32_t connections_max(const Settings& settings, const ProviderBounds* provider) {
    return provider != nullptr && provider->connections != 0 ? provider->connections
                                                             : settings.limits.deliveries_per_site;
}

}  // namespace godwit::flow
