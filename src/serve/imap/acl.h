// The MYRIGHTS line, as MYRIGHTS and LIST-MYRIGHTS write it. RFC 4314 3.8; RFC 8440 3.
#pragma once

#include "serve/imap/place.h"
#include "wire/imap/writer.h"

namespace godwit::serve::imap_desk {

void write_my_rights(imap::ResponseWriter& out, const Place& place);

}  // namespace godwit::serve::imap_desk
