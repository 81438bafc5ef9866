// MTA-STS policies of others: looked up, fetched, kept over restarts, renewed before they end.
// RFC 8461; docs/storage.md (rows G "sts").
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "flow/outbound/sts_policy.h"
#include "flow/services.h"
#include "net/io/task.h"

namespace godwit::flow {

/// How long a policy is taken as it is before it is fetched again, if it lives longer than twice
/// that: RFC 8461 asks for a look once a day or so.
inline constexpr std::chrono::hours sts_refresh_after{24};
/// RFC 8461: after a failure not again for five minutes or more.
inline constexpr std::chrono::minutes sts_fetch_pause{5};
/// A policy that nobody needed for so long is let go.
inline constexpr std::chrono::days sts_unused_max{30};
/// For look-up, connection and body together (RFC 8461 suggests a minute).
inline constexpr std::chrono::seconds sts_fetch_timeout{60};

/// A row: a policy as it was fetched.
struct StsRow {
    std::string id;
    WallTime fetched_at{};
    WallTime used_at{};  ///< To the day.
    StsPolicy policy;
    [[nodiscard]] WallTime expires_at() const {
        return fetched_at + std::chrono::seconds(policy.max_age_seconds);
    }
    /// A clock set back makes no policy live longer than it says.
    [[nodiscard]] bool is_valid(WallTime now) const {
        return now < expires_at() && fetched_at <= now + sts_refresh_after;
    }
    [[nodiscard]] bool is_due(WallTime now) const;
    bool operator==(const StsRow&) const = default;
};
std::string sts_key(std::string_view domain);
std::string encode(const StsRow& row);
Result<StsRow> decode_sts_row(std::string_view value);

/// The policy that holds for mail to `domain` now; nullopt when there is none. Waits for DNS and,
/// for a domain that is new or says it has changed, for its web server.
net::Task<std::optional<StsRow>> find_sts(const Services* services, std::string domain);

/// Once: fetches what is due of the policies kept, and drops what is over.
net::Task<void> renew_sts(const Services* services);
/// The same every hour, until it is cancelled.
net::Task<void> keep_sts_fresh(const Services* services);

}  // namespace godwit::flow
