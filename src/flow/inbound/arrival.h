// A message that has come in whole, and the replies it gets. What SMTP, LMTP, submission and our
// own reports hand to receive().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "mail/message/parser.h"
#include "mail/message/trace.h"
#include "store/blob/blob.h"
#include "store/directory/directory.h"
#include "wire/smtp/envelope.h"
#include "wire/smtp/reply.h"

namespace godwit::flow {

/// Where it came from: for the Received field, the log and the trace.
struct Origin {
    mail::ReceivedField received;  ///< Without id, recipient and time.
    std::string peer;              ///< "192.0.2.1:4711" or "local".
    /// Instead of received.helo, for log and trace: a filter said so (XFORWARD).
    std::optional<std::string> forwarded_helo{};
    std::optional<AccountId> submitter;  ///< Logged in.
    std::string submitter_name;
    bool is_submission = false;  ///< Came by submission: mail of our own users.
};

/// A recipient that was accepted at RCPT.
struct ArrivalRecipient {
    smtp::Recipient envelope;
    store::Recipient resolved;  ///< What the directory said then.
    bool is_archive = false;    ///< Nobody named it: it gets a copy of everything.
};

struct Arrival {
    MailId mail;
    Origin origin;
    std::optional<mail::Address> sender;  ///< nullopt: the null reverse-path.
    smtp::MailParameters parameters;
    std::vector<ArrivalRecipient> recipients;
    store::NewBody body;
    mail::ParsedMessage parsed;
    bool has_long_lines = false;  ///< Lines of more than 998 octets.
    /// Instead of `sender`, for what goes on from an address here: it comes back to us (SRS).
    std::optional<mail::Address> forwarding_sender{};
    /// Instead of `sender`, for what leaves otherwise: tagged (BATV).
    std::optional<mail::Address> tagged_sender{};
    bool is_each_answered = false;  ///< One reply per recipient; no report for those that fail.
};

}  // namespace godwit::flow
