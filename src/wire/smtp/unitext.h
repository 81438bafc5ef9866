// Addresses of type "utf-8" in ORCPT. RFC 6533 3.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace godwit::smtp {

/// The address with every "\x{FC}" (2 to 6 hex digits) as the character it stands for; nullopt where
/// a backslash begins nothing of the kind or names no character. Linear; never longer than `text`.
std::optional<std::string> unitext_decode(std::string_view text);

/// `address`, which is UTF-8, for ORCPT: controls, space, '\', '+' and '=' as "\x{2B}"; the other
/// characters beyond ASCII too, unless `is_utf8_taken` (the peer takes them as they are).
std::string unitext_encode(std::string_view address, bool is_utf8_taken);

}  // namespace godwit::smtp
