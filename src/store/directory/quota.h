// How much an account and a domain may hold: limits, use, and whether something more fits.
// RFC 9208 5 (STORAGE, MESSAGE, MAILBOX). Decided where a plan is stamped; asked before, so that
// nobody sends in vain.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "store/kv/kv.h"

namespace godwit::store {

/// 0: no bound.
struct Quota {
    std::uint64_t bytes = 0;
    std::uint64_t messages = 0;
    std::uint64_t mailboxes = 0;
    bool operator==(const Quota&) const = default;
};
struct QuotaUse {
    std::uint64_t bytes = 0;
    std::uint64_t messages = 0;
    std::uint64_t mailboxes = 0;
    bool operator==(const QuotaUse&) const = default;
};

/// The bounds of an account: its own, and where it has none, those its domain gives.
Quota merge(const Quota& own, const Quota& domain);
/// Whether `more` may come to `used`. What nothing more of comes is not looked at.
bool fits(const Quota& quota, const QuotaUse& used, const QuotaUse& more);

/// The domain of an account's name.
std::string_view domain_of(std::string_view account_name);

/// An account and its domain, as they stand.
struct QuotaState {
    Quota quota;
    QuotaUse used;
    Quota domain_quota;
    QuotaUse domain_used;  ///< Counted only while the domain has a bound; never mailboxes.

    [[nodiscard]] bool has_room(const QuotaUse& more) const {
        return fits(quota, used, more) && fits(domain_quota, domain_used, more);
    }
};
/// NotFound when there is no such account; Corrupt when it has no head.
Result<QuotaState> read_quota(const Snapshot& snapshot, ReadTier tier, AccountId account);
/// What the accounts of a domain hold together. nullopt while it was not counted yet: then it has
/// no bound.
Result<std::optional<QuotaUse>> read_domain_use(const Snapshot& snapshot, ReadTier tier,
                                                std::string_view domain);

}  // namespace godwit::store
