// The durable outbound queue: a message, and one delivery per group of recipients that share a next
// hop domain. SMTP-BEHAVIOUR.md M; RFC 5321 4.5.4.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "store/kv/kv.h"

namespace godwit::store {

/// RFC 3461 4.1 NOTIFY, as bits. None given means Failure and Delay.
enum class Notify : std::uint8_t { Never = 1, Success = 2, Failure = 4, Delay = 8 };

enum class RecipientState : std::uint8_t {
    Waiting,    ///< To be tried.
    Delivered,  ///< A next hop said 2xx.
    Failed,     ///< For good; its failure report rides in the same commit.
    Expired,
    Dropped,  ///< By a logged policy (discard route, operator).
};

/// RFC 7293 RRVS: the mailbox must have had its owner since then.
struct ValidSince {
    WallTime at{};
    /// ";R", or nothing said: rather fail than go to a next hop that does not check; ";C": it goes
    /// on without.
    bool must_be_checked = false;
    bool operator==(const ValidSince&) const = default;
};

struct QueueRecipient {
    std::string address;      ///< As accepted, after alias expansion; UTF-8.
    std::string original;     ///< ORCPT (typed "rfc822;..."), or empty.
    std::uint8_t notify = 0;  ///< Notify bits; 0 = not given.
    RecipientState state = RecipientState::Waiting;
    std::string last_reply;     ///< "550 5.1.1 no such user"; bounded by limits.
    std::string last_status;    ///< RFC 3463 code for reports: "5.1.1".
    std::string last_remote;    ///< Host that said it, or that it is about.
    bool is_last_ours = false;  ///< `last_reply` is our own word: the host said nothing.
    bool delay_reported = false;
    std::optional<ValidSince> valid_since;
    bool lateness_reported = false;  ///< RFC 2852: told that the DeliverBy time went by.
    std::uint32_t dot_drops = 0;     ///< Attempts in a row whose end was never answered (E6).
};

/// Recipients with one next hop domain, tried together. `number` is unique in the message.
struct QueueDelivery {
    std::uint32_t number = 0;
    std::string site;  ///< Key of its ready queue: the recipients' domain, or the route's name.
    std::vector<QueueRecipient> recipients;
    std::uint32_t attempts = 0;
    WallTime due{};
    std::optional<WallTime> last_attempt;
    bool is_held = false;
    std::string held_reason;  ///< "no route for example.com", "by operator".
    /// Of the process, with this delivery in hand, since an attempt came to its end; at most
    /// delivery_crashes_max.
    std::uint32_t crashes = 0;
    bool is_done = false;  ///< In an UpdateQueue: nothing is left to do.
    /// In a list: the row cannot be read; only `number` holds, and it counts as held. In an
    /// UpdateQueue: that, or there is no row; only its row of the due index (`site`, `due`) goes.
    bool is_damaged = false;
};

/// The site of recipients with a mailbox here whose mail waits for its release (RFC 4865). No
/// domain, so that no route is meant by it.
inline constexpr std::string_view local_site = "(local)";

/// Counting further says nothing more.
inline constexpr std::uint32_t delivery_crashes_max = 255;

/// RFC 2852 BY=: by when it is to be delivered, and what happens when it is not.
struct DeliverBy {
    enum class Mode : std::uint8_t {
        Return,  ///< R: at the deadline it is given up and returned.
        Notify,  ///< N: at the deadline the sender is told, and it is tried on.
    };
    WallTime deadline{};
    Mode mode = Mode::Notify;
    bool is_traced = false;  ///< T: every relay is reported.
    bool operator==(const DeliverBy&) const = default;
};
/// RFC 6710 4: MT-PRIORITY goes from -9 to 9.
inline constexpr int mail_priority_max = 9;

struct QueueMessage {
    MailId mail;
    std::string sender;  ///< Reverse-path without brackets; empty is the null sender.
    BlobId blob;
    std::uint64_t blob_size = 0;
    std::string prefix;  ///< Our Received line(s), put before the body on sending.
    WallTime accepted_at{};
    WallTime expires_at{};
    std::uint32_t deliveries = 0;  ///< How many it came with; the stamper counts them.
    bool is_8bit = false;          ///< BODY=8BITMIME or 8-bit octets seen.
    bool needs_smtputf8 = false;
    std::string envelope_id;           ///< ENVID, decoded.
    bool return_headers_only = false;  ///< RET=HDRS.
    bool return_full = false;     ///< RET=FULL: what we do anyway, but a next hop must be told.
    AccountId submitter;          ///< 0 when it came from outside.
    std::string peer;             ///< Who handed it in, for `queue show`.
    bool is_binary = false;       ///< BODY=BINARYMIME: not made of lines (RFC 3030 3).
    bool has_long_lines = false;  ///< A line of more than 998 octets (RFC 5321 4.5.3.1.6).
    bool require_tls = false;     ///< REQUIRETLS (RFC 8689 4.2.1).
    bool tls_optional = false;    ///< `TLS-Required: No` (RFC 8689 5); never with require_tls.
    std::optional<DeliverBy> deliver_by;
    std::optional<int> priority;         ///< MT-PRIORITY as it was stated; nullopt counts as 0.
    std::optional<WallTime> release_at;  ///< FUTURERELEASE (RFC 4865): not tried before.
    std::optional<std::string> auth;     ///< AUTH= of somebody trusted (RFC 4954); empty: "<>".
    std::string solicit;                 ///< SOLICIT= of RFC 3865, as it was stated.
    bool is_damaged = false;             ///< In a list: the row cannot be read; only `mail` holds.
};

std::string encode(const QueueMessage& message);
Result<QueueMessage> decode_queue_message(std::string_view value);
std::string encode(const QueueDelivery& delivery);
Result<QueueDelivery> decode_queue_delivery(std::string_view value);

std::string queue_message_key(MailId mail);
std::string queue_delivery_prefix(MailId mail);
std::string queue_delivery_key(MailId mail, std::uint32_t number);
/// Deliveries that are neither held nor done have a row here; the key says all. Sorts by site, then
/// by time.
std::string due_key(std::string_view site, WallTime due, MailId mail, std::uint32_t number);

/// Where a delivery stands in the due index of its site.
struct DuePlace {
    WallTime due{};
    MailId mail{};
    std::uint32_t number = 0;
    auto operator<=>(const DuePlace&) const = default;
};
/// One row of the due index.
struct DueDelivery {
    std::string site;
    WallTime due{};
    MailId mail;
    std::uint32_t number = 0;
    [[nodiscard]] DuePlace place() const { return {due, mail, number}; }
    bool operator==(const DueDelivery&) const = default;
};
/// nullopt when the key is none of due_key().
std::optional<DueDelivery> parse_due_key(std::string_view key);

Result<std::optional<QueueMessage>> read_queue_message(const Snapshot& snapshot, ReadTier tier,
                                                       MailId mail);
/// Deliveries of one message: what a transaction's recipients may come to when aliases are followed
/// (limits::alias_expansion_max each); more are refused at RCPT. About 20 MiB in memory.
inline constexpr std::size_t queue_deliveries_max = 20'000;

/// All that is left of a message, by number; at most queue_deliveries_max.
/// Damaged rows are among them, marked.
Result<std::vector<QueueDelivery>> read_deliveries(const Snapshot& snapshot, ReadTier tier,
                                                   MailId mail);
Result<std::optional<QueueDelivery>> read_delivery(const Snapshot& snapshot, ReadTier tier,
                                                   MailId mail, std::uint32_t number);
/// Messages with an id greater than `after`, rising, at most `count` (limits::scan_rows_max).
/// Damaged rows are among them, marked.
Result<std::vector<QueueMessage>> list_queue(const Snapshot& snapshot, ReadTier tier, MailId after,
                                             std::size_t count);
/// A message with all that is left of it.
struct QueuedMessage {
    QueueMessage message;
    std::vector<QueueDelivery> deliveries;
};
/// As list_queue, with the deliveries of each: one walk over both families, no look-ups.
Result<std::vector<QueuedMessage>> walk_queue(const Snapshot& snapshot, ReadTier tier, MailId after,
                                              std::size_t count);
/// The greatest id in the queue; nullopt when it is empty.
Result<std::optional<MailId>> last_queued(const Snapshot& snapshot, ReadTier tier);
/// How many messages are in the queue: kept in a row of its own, so that asking costs a look-up. An
/// older store has none before its first change of the queue: 0 then.
std::string queue_count_key();
std::string encode_queue_count(std::uint64_t count);
Result<std::uint64_t> decode_queue_count(std::string_view value);
Result<std::uint64_t> read_queue_count(const Snapshot& snapshot, ReadTier tier);
/// Sites whose names sort after `after`, each with its earliest delivery; at most `count`. One seek
/// a site, however many deliveries it has.
Result<std::vector<DueDelivery>> due_sites(const Snapshot& snapshot, ReadTier tier,
                                           std::string_view after, std::size_t count);
/// Deliveries of `site` from the place `from` on, earliest first, at most `count`: those due before
/// `until` and the one after them, which says when there is more to do. Starts at `from` and not at
/// the site's first row: what lies before are the remains of rows that are gone.
struct DueRange {
    std::string site;
    DuePlace from{};
    WallTime until{};
    std::size_t count = 0;
};
Result<std::vector<DueDelivery>> due_deliveries(const Snapshot& snapshot, ReadTier tier,
                                                const DueRange& range);
/// Deliveries of all sites that are due later than `bound`, in the order of the index behind
/// `after` (a default one: from the start), at most `count`. One seek a site that has none.
Result<std::vector<DueDelivery>> due_beyond(const Snapshot& snapshot, ReadTier tier,
                                            const DueDelivery& after, WallTime bound,
                                            std::size_t count);

}  // namespace godwit::store
