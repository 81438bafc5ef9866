// The roles a client may give to a mailbox. RFC 6154 2, 3.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/ascii.h"

namespace godwit::serve::imap_desk {

/// As they are stored and told. \All and \Flagged would be views of other mailboxes, which there
/// are none of.
inline constexpr std::array<std::string_view, 5> kSpecialUses = {"\\Archive", "\\Drafts", "\\Junk",
                                                                 "\\Sent", "\\Trash"};

/// The stored spelling of a role, in any case; empty when it is none that can be given.
inline std::string as_special_use(std::string_view written) {
    const auto* found = std::ranges::find_if(kSpecialUses, [written](std::string_view each) {
        return equals_ignore_case(each, written);
    });
    return found == kSpecialUses.end() ? std::string() : std::string(*found);
}

inline bool is_special_use(std::string_view written) {
    return !as_special_use(written).empty();
}

}  // namespace godwit::serve::imap_desk
