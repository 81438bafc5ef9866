// The words of an HTML body, for previews and search: tags, scripts, styles and comments dropped,
// entities resolved, white space collapsed. Not a renderer and not a sanitiser.
#pragma once

#include <string>
#include <string_view>

namespace godwit::mail {

/// Reads UTF-8 `html` until `size_max` octets of text are out (never splitting a character).
/// Linear.
std::string html_to_text(std::string_view html, std::size_t size_max);
/// Runs of white space and controls to one space, none at the ends. Stops after `size_max` octets,
/// perhaps inside a character.
std::string collapse_white_space(std::string_view text, std::size_t size_max);

}  // namespace godwit::mail
