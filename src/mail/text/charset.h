// Text in any charset to UTF-8, and Unicode normal form C. The one door to ICU.
// Unknown or lying labels fall back to UTF-8 if the bytes are that, else to windows-1252.
// UTF-7 is never decoded: it hides markup from every filter before us.
#pragma once

#include <string>
#include <string_view>

namespace godwit::mail {

/// Always well-formed UTF-8; what cannot be decoded becomes U+FFFD. Linear; output is at most
/// 4 times the input plus a few octets.
std::string to_utf8(std::string_view bytes, std::string_view charset);
/// Whether `charset` is known by that name (then to_utf8 uses it).
bool is_known_charset(std::string_view charset);
/// The text with every ill-formed sequence replaced by U+FFFD (Unicode 3.9, U+FFFD per maximal
/// subpart).
std::string scrub_utf8(std::string_view text);
/// Normal form C (UAX #15). Ill-formed UTF-8 comes back unchanged.
std::string to_nfc(std::string_view text);
/// Unicode default case folding and NFC, for comparing human text.
std::string fold_case(std::string_view text);
/// The form in which texts are searched: NFKC_Casefold (UAX #31, Unicode 3.13), so that case, width
/// and compatibility forms do not matter and what nobody sees (soft hyphens) is not there. Always
/// well-formed UTF-8.
std::string fold_for_search(std::string_view text);
/// The Unicode version that the functions here follow, as major * 256 + minor.
unsigned unicode_version();
/// The first `count` code points of well-formed UTF-8.
std::string_view utf8_prefix(std::string_view text, std::size_t count);

}  // namespace godwit::mail
