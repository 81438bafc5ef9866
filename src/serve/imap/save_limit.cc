#include "serve/imap/save_limit.h"

namespace godwit::serve::imap_desk {

std::string save_limit_capability() {
    return "SAVELIMIT=" + std::to_string(kSaveLimit);
}

std::optional<Answer> forbid_save(std::span<const Uid> uids) {
    if (uids.size() <= kSaveLimit) {
        return std::nullopt;
    }
    // The uid from which on they would be few enough.
    return no(imap::code::message_limit(kSaveLimit, uids[uids.size() - kSaveLimit]),
              "Too many messages to copy at once, try fewer");
}

}  // namespace godwit::serve::imap_desk
