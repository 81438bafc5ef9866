// Names of mailboxes that are not one's own. RFC 2342; RFC 4314 (who sees them). Q5, Q7.
//
// "Other users/bob@example.test/Projects" is Projects of bob; "Shared/Projects" is that of the
// account whose mailboxes a domain shares. The client's own have no prefix.
#pragma once

#include <string>
#include <string_view>

namespace godwit::serve::imap_desk {

inline constexpr std::string_view kOtherUsers = "Other users";
inline constexpr std::string_view kShared = "Shared";

enum class Whose : unsigned char { Own, OtherUser, Shared };

/// A name in parts. Views into the name.
struct NameParts {
    Whose whose = Whose::Own;
    std::string_view owner{};  ///< Login name, of OtherUser; may be empty.
    /// What the owner calls it. Empty where the name is no mailbox's but a level above some.
    std::string_view path{};
};
NameParts split_name(std::string_view name);
/// Whether it is one of the two prefixes or below one.
inline bool is_foreign_name(std::string_view name) {
    return split_name(name).whose != Whose::Own;
}

std::string other_user_name(std::string_view owner, std::string_view path);
std::string shared_name(std::string_view path);

}  // namespace godwit::serve::imap_desk
