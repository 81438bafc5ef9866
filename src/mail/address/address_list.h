// Address lists of header fields (From, To, ...): mailboxes, groups, comments, routes, and what
// broken mailers write. RFC 5322 3.4, 4.4. The output is what IMAP ENVELOPE prints (RFC
// 3501 7.4.2). Iterative, total, linear; limits::header_addresses_max items, comment_depth_max.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mail/address/address.h"

namespace godwit::mail {

/// One entry. Texts are raw header octets (encoded words not decoded), unquoted and unfolded.
struct ListedAddress {
    enum class Kind : std::uint8_t {
        Mailbox,
        GroupStart,  ///< `mailbox` is the group's name. IMAP: (NIL NIL "name" NIL).
        GroupEnd,    ///< IMAP: (NIL NIL NIL NIL).
    };
    Kind kind = Kind::Mailbox;
    std::string name;     ///< Display name, or the comment of "addr (Name)". Empty: NIL.
    std::string route;    ///< Obsolete source route "@a,@b" (IMAP adl). Empty: NIL.
    std::string mailbox;  ///< Local part value; for a phrase without address, the phrase.
    std::string host;     ///< Domain as written; empty (IMAP "") when the writer gave none.

    /// Mailbox and host by the one address parser; Peer error when they are no valid address.
    [[nodiscard]] Result<Address> address() const;
    bool operator==(const ListedAddress&) const = default;
};

struct AddressList {
    std::vector<ListedAddress> items;
    bool truncated = false;  ///< limits::header_addresses_max was passed; the rest is left out.
    bool malformed =
        false;  ///< Something had to be guessed or skipped: treat as no identity (T24).
};

/// Reads a field body (folded or not).
AddressList parse_address_list(std::string_view body);

}  // namespace godwit::mail
