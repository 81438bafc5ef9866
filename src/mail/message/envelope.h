// The fields that IMAP ENVELOPE is made of, as raw unfolded field bodies. RFC 3501 7.4.2.
// Address fields are read by mail/address/address_list when they are printed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "mail/message/header.h"

namespace godwit::mail {

/// nullopt: the field is absent (NIL); empty: present and empty. Sender and Reply-To that are
/// absent or empty print as From (RFC 3501 7.4.2); that is the printer's work, not done here.
struct Envelope {
    std::optional<std::string> date;
    std::optional<std::string> subject;
    std::optional<std::string> from;
    std::optional<std::string> sender;
    std::optional<std::string> reply_to;
    std::optional<std::string> to;
    std::optional<std::string> cc;
    std::optional<std::string> bcc;
    std::optional<std::string> in_reply_to;
    std::optional<std::string> message_id;
    bool operator==(const Envelope&) const = default;
};

/// From a header block and its index. The first field of a name counts, but address fields that
/// appear more than once are joined with ", ", as they can only mean one list.
Envelope read_envelope(std::string_view block, const HeaderIndex& index);
/// One of its fields by its name in lower case ("from"), without reading the others.
std::optional<std::string> read_envelope_field(std::string_view block, const HeaderIndex& index,
                                               std::string_view name);

}  // namespace godwit::mail
