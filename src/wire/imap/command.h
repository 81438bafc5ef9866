// One IMAP command as the reader hands it over: who asked, what for, and the bytes of its
// arguments. RFC 3501 2.2.1, RFC 3501 9 (command, tag), RFC 7888 3 (a literal is part of the same
// command).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace godwit::imap {

/// A whole command, owned. `text` is what came, without the last CRLF: a literal stands in it as
/// "{n}CRLF" and its n octets, so that one lexer walks over everything without a second buffer. The
/// octets of a literal that was streamed to the caller (APPEND's message) are not in `text`.
struct Command {
    std::string tag;
    std::string name;  ///< Upper case; of "UID FETCH" it is "FETCH".
    bool uid = false;  ///< The UID prefix was there.
    std::string text;
    std::size_t arguments = 0;  ///< Offset in `text` of the SP after the name, or its end.
    std::vector<std::size_t>
        streamed;  ///< Offsets in `text` behind the headers of streamed literals.
};

}  // namespace godwit::imap
