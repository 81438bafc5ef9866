// Delivery status notifications: what a sender is told of mail that failed, waits, or arrived.
// RFC 3464, RFC 6522 (multipart/report), RFC 6533 (UTF-8 forms), RFC 3461 6 (what is returned).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mail/address/address.h"
#include "mail/report/enhanced_status.h"

namespace godwit::mail {

/// RFC 3464 2.3.3.
enum class DsnAction : std::uint8_t { Failed, Delayed, Delivered, Relayed, Expanded };

struct DsnRecipient {
    Address final_recipient;
    std::string original_recipient;  ///< ORCPT as decoded "rfc822;user@host", or empty.
    DsnAction action = DsnAction::Failed;
    EnhancedStatus status{5, 0, 0};
    std::string remote_host;  ///< MTA that spoke, or empty.
    std::string
        remote_reply;    ///< Its reply ("550 5.1.1 no such user"), or empty. May hold anything.
    std::string reason;  ///< Ours in plain words when there is no reply; may be empty.
    std::optional<std::int64_t> last_attempt;      ///< Unix seconds.
    std::optional<std::int64_t> will_retry_until;  ///< Delayed only.
};

struct DsnReport {
    std::string reporting_host;  ///< Our host name (Reporting-MTA and MAILER-DAEMON's domain).
    std::string received_from;   ///< Received-From-MTA host, or empty.
    std::string envelope_id;     ///< ENVID as decoded, or empty.
    std::int64_t arrived = 0;    ///< Unix seconds.
    std::int64_t now = 0;        ///< Unix seconds.
    Address sender;              ///< Whom to tell: the envelope sender of the original.
    std::string message_id;      ///< Of the notice, "<...>".
    std::string boundary_seed;   ///< Unique [A-Za-z0-9]; randomness is the caller's.
    std::vector<DsnRecipient> recipients;  ///< At least one.
    /// The original: its header, or all of it. Longer than limits::dsn_returned_body_size_max after
    /// the header, only the header is returned, whatever was asked (G7).
    std::string original;
    bool return_full = false;  ///< RET=FULL or our default for failures.
};

/// The whole notice with CRLF line ends, to be sent with the null sender. Internal error when there
/// is no recipient. The worst action decides its subject and its words.
Result<std::string> build_dsn(const DsnReport& report);

}  // namespace godwit::mail
