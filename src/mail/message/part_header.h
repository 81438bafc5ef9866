// Fills a Part from the header block in front of it: the Content-* fields. RFC 2045 5-8, RFC 2183
// 2, RFC 3282 (Content-Language), RFC 2557 (Content-Location), RFC 1864 (Content-MD5).
#pragma once

#include <cstddef>
#include <string_view>

#include "mail/message/header.h"
#include "mail/message/part.h"

namespace godwit::mail {

/// What a part without Content-Type is (RFC 2046 5.1.5: message/rfc822 inside multipart/digest).
enum class DefaultType : std::uint8_t { Text, Message };

/// Reads the fields of `block`. The first field of a name counts. Kept values draw on `*budget`
/// (octets); what does not fit is left out. False if a bound cut something off.
bool fill_part(Part& part, std::string_view block, const HeaderIndex& index, DefaultType type,
               std::size_t* budget);

}  // namespace godwit::mail
