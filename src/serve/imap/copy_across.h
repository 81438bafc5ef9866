// COPY and MOVE to a mailbox of another account: each message becomes a new email there, of the
// same body. RFC 3501 6.4.7; RFC 6851 3.3 (at no point in neither mailbox); RFC 4314 4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "serve/imap/place.h"

namespace godwit::serve::imap_desk {

enum class Kind : std::uint8_t { Copy, Move };

/// Messages of one call: their records are held until the commit.
inline constexpr std::size_t copy_across_max = 64;

/// Takes messages of the selected mailbox to `target`, which is another account's, in one plan: all
/// of them that are there, or none. The flags are those that the client sees, as far as `target`'s
/// rights let them through.
net::Task<Result<store::Copied>> copy_across(Conversation* c, const Place* target,
                                             std::vector<Uid> uids, Kind kind);

/// What the client may not give a message is left out, and nothing is said. RFC 4314 4.
store::FlagNames permitted(store::FlagNames flags, store::Rights rights);

}  // namespace godwit::serve::imap_desk
