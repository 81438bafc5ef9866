// Prints what the mail room knows of a message as IMAP's ENVELOPE, BODY and BODYSTRUCTURE.
// RFC 3501 7.4.2, RFC 3501 9 (envelope, body). Q32, Q34, Q35. No recursion: the tree is walked with
// its own parent links.
#pragma once

#include <cstdint>

#include "mail/message/envelope.h"
#include "mail/message/part.h"
#include "wire/imap/writer.h"

namespace godwit::imap {

enum class StructureForm : std::uint8_t {
    Body,           ///< Without extension data.
    BodyStructure,  ///< With it.
};

/// "(date subject from sender reply-to to cc bcc in-reply-to message-id)". Sender and Reply-To that
/// are absent or empty are From. Linear in the fields; addresses are bounded by the address parser.
void write_envelope(ResponseWriter& writer, const mail::Envelope& envelope);

/// The structure of the message whose root is parts[0]. `parts` is as the parser or a decoded
/// summary gives it: not empty, every parent before its children.
void write_structure(ResponseWriter& writer, const mail::PartTree& parts, StructureForm form);

}  // namespace godwit::imap
