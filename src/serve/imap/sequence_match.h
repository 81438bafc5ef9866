// How far a sample of numbers and uids that a client remembers still fits a mailbox.
// RFC 7162 3.2.5.2. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "store/mailbox/change.h"
#include "wire/imap/select.h"

namespace godwit::serve::imap_desk {

/// The largest uid of the sample that still has the number the client knows it by: up to there it
/// knows of every expunge. 0: none fits. Costs a binary search for each range that is written, not
/// for each number.
std::uint32_t last_match(std::span<const store::MessageRow> rows,
                         const imap::QresyncArguments& known);

}  // namespace godwit::serve::imap_desk
