// What an attempt means for the recipients: done, again later, or given up; who must be told.
// Pure. RFC 3461 5.2, 6; RFC 5321 4.5.4.1, 6.1; SMTP-BEHAVIOUR.md E2-E4, E9, M5, M6.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "flow/outbound/attempt_tls.h"
#include "flow/settings.h"
#include "mail/report/dsn.h"
#include "store/queue/queue.h"
#include "wire/smtp/client.h"

namespace godwit::flow {

/// E6: some servers hang up behind the last octet instead of refusing. After so many attempts in a
/// row (about a day) the message comes back: each of them may have been one more copy.
inline constexpr std::uint32_t outbound_dot_drops_max = 10;

/// What came of one recipient in one attempt.
struct AttemptResult {
    std::size_t recipient = 0;  ///< Index in the delivery.
    smtp::Outcome outcome;
    std::string remote;               ///< Who said it; empty: ourselves.
    bool remote_reports = false;      ///< The next hop took over NOTIFY=SUCCESS.
    bool remote_keeps_time = false;   ///< It took over BY= (RFC 2852).
    bool is_final = false;            ///< Into a mailbox here: delivered, not relayed.
    bool is_lacking = false;          ///< We refused the host: it lacks what the message needs.
    bool is_dropped = false;          ///< By a route: nobody is told, nobody had it.
    std::optional<AttemptTls> tls{};  ///< With the host that said it; nullopt: there was none.
};

struct Settlement {
    store::QueueDelivery delivery;            ///< As it shall be stored.
    std::vector<mail::DsnRecipient> notices;  ///< To be told in one report; empty: nothing.
    std::size_t delivered = 0;
    std::size_t failed = 0;
    std::size_t deferred = 0;
    std::string trace_kind;    ///< "sent", "deferred", "bounced".
    std::string trace_detail;  ///< JSON.
};

struct SettleInput {
    store::QueueMessage message;
    store::QueueDelivery delivery;
    std::vector<AttemptResult> results;  ///< One for each recipient that was waiting.
    WallTime now{};
    std::uint64_t chance = 0;  ///< Spreads the retry.
    RetrySettings retry;
    bool may_expire = true;  ///< False: the clock is not to be trusted with that (ClockWatch).
    /// What is left waits until it is asked for again, and not for a time.
    bool is_kept_for_request = false;
};
Settlement settle(SettleInput input);

}  // namespace godwit::flow
