// The subject without "Re:", "[list]" and "(fwd)", by which messages are sorted and threaded.
// RFC 5256 2.1, 5. Pure, linear.
#pragma once

#include <string>
#include <string_view>

namespace godwit::mail {

struct BaseSubject {
    std::string text;       ///< UTF-8; case as it was written.
    bool is_reply = false;  ///< Something was removed that marks a reply or a forward.
    bool operator==(const BaseSubject&) const = default;
};

/// `subject`: the field's body, raw.
BaseSubject base_subject(std::string_view subject);

}  // namespace godwit::mail
