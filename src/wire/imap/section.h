// Which piece of a message BODY[...] names. RFC 3501 6.4.5, RFC 3501 9 (section).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/imap/lexer.h"

namespace godwit::imap {

enum class SectionText : std::uint8_t {
    Whole,            ///< BODY[] or BODY[1.2]
    Header,           ///< HEADER
    HeaderFields,     ///< HEADER.FIELDS (names)
    HeaderFieldsNot,  ///< HEADER.FIELDS.NOT (names)
    Text,             ///< TEXT
    Mime,             ///< MIME, only behind a part number
};

/// A section specification. `part` is empty for the message itself and at most
/// 2 * limits::mime_depth_max long.
struct Section {
    std::vector<std::uint32_t> part;
    SectionText text = SectionText::Whole;
    std::vector<std::string>
        fields;  ///< Header names as written, 1 to limits::imap_section_fields_max.
    bool operator==(const Section&) const = default;
};

/// From "[" to "]". Names may be quoted or literal (Q33).
Result<Section> read_section(Lexer& lexer);
/// "[1.2.HEADER.FIELDS (Date From)]", as the answer repeats it.
std::string to_string(const Section& section);

}  // namespace godwit::imap
