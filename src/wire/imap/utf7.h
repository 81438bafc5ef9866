// Modified UTF-7, the spelling of mailbox names on an IMAP4rev1 wire. RFC 3501 5.1.3.
// Decoding is strict, so that one name has one spelling: no superfluous shifts, no printable ASCII
// in base64, no unpaired surrogates, no stray bits. What to do with a name that fails is the
// business of mailbox_name.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace godwit::imap {

/// UTF-8 of a modified UTF-7 name; nullopt when it is not in canonical form. The result is at most
/// 3/2 the size of the input.
std::optional<std::string> utf7_decode(std::string_view text);
/// Modified UTF-7 of well-formed UTF-8. Octets that are not UTF-8 become U+FFFD.
std::string utf7_encode(std::string_view utf8);

}  // namespace godwit::imap
