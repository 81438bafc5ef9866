// Content-Transfer-Encoding read a second time (RFC 2045 6.7, 6.8), on purpose not by the house's
// own decoder: what a hop that takes 7 bits was given must mean what was sent (SMTP-BEHAVIOUR.md
// D9).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace godwit::sim {

/// A message of one part with its body decoded and without its Content-Transfer-Encoding field.
/// nullopt when the body is not what the field says.
std::optional<std::string> decoded(std::string_view text);

}  // namespace godwit::sim
