// How many messages one command may add to a mailbox. RFC 9738 3.
#pragma once

#include <span>

#include "serve/imap/command.h"

namespace godwit::serve::imap_desk {

/// All of them are taken back when the last cannot be added, so there must be an end. High enough
/// that no client meets it which knows nothing of it (RFC 9738 4.2).
inline constexpr std::size_t kSaveLimit = 1'000'000;

/// "SAVELIMIT=n".
std::string save_limit_capability();
/// What COPY answers to more; nullopt when it may go on. `uids` rise.
std::optional<Answer> forbid_save(std::span<const Uid> uids);

}  // namespace godwit::serve::imap_desk
