// The secrets that sign return addresses (SRS, BATV): drawn at first use, kept with the directory,
// newest first. An older one still verifies what it signed until that has run out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/commit/plan.h"
#include "store/kv/kv.h"

namespace godwit::store {

/// Each costs a MAC for every forged return address. Enough for a change every third day.
inline constexpr std::size_t address_keys_max = 8;
/// How long one verifies after the next was drawn: longer than any return address holds
/// (mail::srs_days_max, mail::batv_days_max).
inline constexpr std::int64_t address_key_keep_days = 22;
/// Octets of a new secret.
inline constexpr std::size_t address_key_size = 32;

struct AddressKey {
    std::string secret;
    std::int64_t created_at = 0;  ///< Unix seconds.
    bool operator==(const AddressKey&) const = default;
};
struct AddressKeys {
    std::vector<AddressKey> keys;

    /// The secret that signs; empty when none was drawn yet.
    [[nodiscard]] std::string signing() const { return keys.empty() ? "" : keys.front().secret; }
    /// All that verify.
    [[nodiscard]] std::vector<std::string> secrets() const;
};

std::string encode(const AddressKeys& keys);
Result<AddressKeys> decode_address_keys(std::string_view value);

/// None while nothing was signed.
Result<AddressKeys> read_address_keys(const Snapshot& snapshot, ReadTier tier);

enum class OldKeys : std::uint8_t {
    Keep,    ///< Until what they signed has run out.
    Forget,  ///< They are known to others: reports for what they signed are refused from now on.
};
/// Where none was drawn yet; Stale when one is there by now. Reads nothing.
Plan plan_first_address_key(const AddressKey& key);
/// `key` signs from now on. LimitExceeded when too many still verify.
Result<Plan> plan_new_address_key(const Snapshot& snapshot, const AddressKey& key, OldKeys old);

}  // namespace godwit::store
