// Hex and base64, as bytes-to-text encodings that every room needs. MIME's line-wrapped forms and
// quoted-printable live in mail/text/transfer_encoding; xtext in wire/smtp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace godwit {

std::string hex_encode(std::string_view bytes);
/// Upper or lower case; nullopt on an odd length or another character.
std::optional<std::string> hex_decode(std::string_view text);

/// RFC 4648 section 4, padded, without line breaks.
std::string base64_encode(std::string_view bytes);
/// Strict: the alphabet, right padding, zero trailing bits, nothing else. nullopt otherwise.
std::optional<std::string> base64_decode(std::string_view text);
/// RFC 4648 section 5 (URL and file name safe), no padding.
std::string base64url_encode(std::string_view bytes);

}  // namespace godwit
