// The directives of a dialog script that say how the house is set up before it starts: @set,
// @route, @relay_domain, @egress, @provider, @outbound, @tls_policy, @oauth (script.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "flow/settings.h"

namespace godwit::dialog {

/// A directive and what stands behind it.
using Words = std::vector<std::string_view>;

/// "90s", "30m", "4h" or "5d".
std::optional<Duration> parse_span(std::string_view text);

bool is_setting(std::string_view directive);

/// words[0] is_setting. What was wrong, nullopt when it is set.
std::optional<std::string> set_up(const Words& words, flow::Settings& settings);

}  // namespace godwit::dialog
