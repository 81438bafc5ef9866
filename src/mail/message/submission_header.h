// What a submission server does to the header of a client's message. RFC 6409.
// Adds Date and Message-ID when missing, takes Bcc, Resent-Bcc and Return-Path out, puts in the
// blank line that a broken client left out; every other octet stays. Says who claims to have
// written it (T47).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mail/address/address.h"

namespace godwit::mail {

struct SubmissionDefaults {
    std::int64_t now = 0;    ///< Unix seconds, for Date.
    std::string message_id;  ///< "<unique@host>", for Message-ID.
    std::string from;        ///< Written as From when there is none; empty: none is added.
};

struct SubmissionHeader {
    std::string block;              ///< The new header with its blank line.
    std::size_t original_size = 0;  ///< Octets of the input that `block` replaces.
    std::string message_id;         ///< The one it has now.
    /// addr-specs of From, of Sender, and of every Resent-From and Resent-Sender.
    std::vector<Address> from;
    std::vector<Address> sender;
    std::vector<Address> resent;
    std::size_t from_fields = 0;    ///< More than one: refuse (T47).
    std::size_t sender_fields = 0;  ///< More than one: refuse.
    /// Some author field could not be read without guessing: refuse, as its owner cannot be known.
    bool authors_malformed = false;
    bool too_large = false;  ///< Past the header limits: refuse.
    bool has_8bit = false;   ///< Needs SMTPUTF8 content (RFC 6532).
};

/// `message` begins with the whole header (see find_header_end); what follows is not looked at.
SubmissionHeader prepare_submission(std::string_view message, const SubmissionDefaults& defaults);

}  // namespace godwit::mail
