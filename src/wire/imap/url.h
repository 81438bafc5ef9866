// IMAP URLs of a message or of a piece of it, as CATENATE is given them.
// RFC 5092 (no section numbers: its text was not at hand); RFC 4469 3, Appendix A.
// Errors are of kind Peer. Linear in the URL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/imap/fetch.h"
#include "wire/imap/section.h"

namespace godwit::imap {

/// The longest URL that is read: the longest mailbox name with each octet escaped, and the rest.
inline constexpr std::size_t url_size_max = 8 * 1024;

/// A message on this server, relative to it or to the selected mailbox.
struct MessageUrl {
    std::string mailbox;  ///< UTF-8; empty: the selected one.
    std::optional<std::uint32_t> uid_validity = {};
    std::uint32_t uid = 0;
    Section section = {};
    std::optional<Partial> partial = {};
};

/// "/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=1.2.MIME/;PARTIAL=0.1024" and ";UID=20". One
/// with a scheme or a server names no message of this session (RFC 4469 3) and is an error.
Result<MessageUrl> parse_message_url(std::string_view url);

}  // namespace godwit::imap
