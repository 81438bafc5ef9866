// The durable outbound queue: a message, and one delivery per group of recipients that share a next
// hop domain. SMTP-BEHAVIOUR.md M; RFC 5321 4.5.4.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"

namespace godwit::store {

/// RFC 3461 4.1 NOTIFY, as bits. None given means Failure and Delay.
enum class Notify : std::uint8_t { Never = 1, Success = 2, Failure = 4, Delay = 8 };

enum class RecipientState : std::uint8_t {
    Waiting,    ///< To be tried.
    Delivered,  ///< A next hop said 2xx.
    Failed,     ///< For good; its failure report rides in the same commit.
    Expired,
    Dropped,    ///< By a logged policy (discard route, operator).
};

struct QueueRecipient {
    std::string address;           ///< As accepted, after alias expansion; UTF-8.
    std::string original;          ///< ORCPT (typed "rfc822;..."), or empty.
    std::uint8_t notify = 0;       ///< Notify bits; 0 = not given.
    RecipientState state = RecipientState::Waiting;
    std::string last_reply;        ///< "550 5.1.1 no such user"; bounded by limits.
    std::string last_status;       ///< RFC 3463 code for reports: "5.1.1".
    std::string last_remote;       ///< Host that said it.
    bool delay_reported = false;
};

/// Recipients with one next hop domain, tried together. `number` is unique in the message.
struct QueueDelivery {
    std::uint32_t number = 0;
    std::string site;              ///< Key of its ready queue: the recipients' domain, or the route's name.
    std::vector<QueueRecipient> recipients;
    std::uint32_t attempts = 0;
    WallTime due{};
    std::optional<WallTime> last_attempt;
    bool is_held = false;
    std::string held_reason;       ///< "no route for example.com", "by operator".
    bool is_done = false;          ///< In an UpdateQueue: nothing is left to do.
};

struct QueueMessage {
    MailId mail;
    std::string sender;            ///< Reverse-path without brackets; empty is the null sender.
    BlobId blob;
    std::uint64_t blob_size = 0;
    std::string prefix;            ///< Our Received line(s), put before the body on sending.
    WallTime accepted_at{};
    WallTime expires_at{};
    bool is_8bit = false;          ///< BODY=8BITMIME or 8-bit octets seen.
    bool needs_smtputf8 = false;
    std::string envelope_id;       ///< ENVID, decoded.
    bool return_headers_only = false;  ///< RET=HDRS.
    AccountId submitter;           ///< 0 when it came from outside.
    std::string peer;              ///< Who handed it in, for `queue show`.
};

std::string encode(const QueueMessage& message);
Result<QueueMessage> decode_queue_message(std::string_view value);
std::string encode(const QueueDelivery& delivery);
Result<QueueDelivery> decode_queue_delivery(std::string_view value);

}  // namespace godwit::store
