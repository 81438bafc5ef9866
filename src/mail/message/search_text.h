// The text of a message as searches see it, folded (mail/text/charset.h: fold_for_search). The
// index and whoever reads a message directly take it from here, so that they never differ.
#pragma once

#include <string>
#include <string_view>

#include "mail/message/part.h"

namespace godwit::mail {

/// A part whose text is searched: a leaf of type text, attachments too.
bool is_searched(const Part& part);
/// From octets as they are in the message: decoded, in UTF-8, HTML without tags. Linear.
std::string searched_part_text(const Part& part, std::string_view encoded);
/// The body of a header field.
std::string searched_field_text(std::string_view body);

}  // namespace godwit::mail
