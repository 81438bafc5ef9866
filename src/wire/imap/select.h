// What SELECT and EXAMINE ask for. RFC 3501 6.3.1; RFC 4466 2.1 (parameters);
// RFC 7162 3.1.8, 3.2.5.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "wire/imap/lexer.h"
#include "wire/imap/mailbox_name.h"
#include "wire/imap/seqset.h"

namespace godwit::imap {

/// What a client that comes back knows of the mailbox. RFC 7162 3.2.5.
struct QresyncArguments {
    std::uint32_t uid_validity = 1;
    std::uint64_t mod_seq = 1;  ///< 0 is taken for "from the beginning", as in CHANGEDSINCE (Q2).
    std::optional<NumberSet> known_uids;
    /// RFC 7162 3.2.5.2: the n-th of these numbers had the n-th of these uids. As many of each.
    NumberSet matched_numbers;
    NumberSet matched_uids;
};

struct SelectArguments {
    MailboxName mailbox;
    bool condstore = false;
    std::optional<QresyncArguments> qresync;
};
/// Unknown parameters are an error (RFC 4466 2.1).
Result<SelectArguments> parse_select(Lexer& lexer, NameSpelling spelling);

}  // namespace godwit::imap
