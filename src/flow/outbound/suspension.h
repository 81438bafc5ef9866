// What an operator has suspended: sending as a whole, to a site, of a sender. Kept in the store
// (family G, "suspend"), so that it outlives a restart; looked up in a table that is pure.
// A suspended site is left alone, whatever waits for it; a suspended sender's deliveries are put
// off. What is under way when it comes finishes its transaction.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/kv/kv.h"

namespace godwit::flow {

/// Suspensions at once: a list for people, not a filter for a million senders. The table of all is
/// made anew at each change.
inline constexpr std::size_t suspensions_max = 1000;
/// A delivery of a suspended sender is looked at again after this, and up to as much again: one
/// commit for each message and quarter of an hour, in groups. A resume makes it due at once.
inline constexpr std::chrono::minutes suspended_sender_pause(15);
inline constexpr std::size_t suspension_reason_size_max = 256;  // One line on a terminal.

enum class SuspensionKind : std::uint8_t { All = 'a', Site = 's', Sender = 'f' };

struct Suspension {
    SuspensionKind kind = SuspensionKind::All;
    /// The site; or the sender: an address, "@domain" for all of a domain, "" for the null sender.
    /// Lower case. Empty for All.
    std::string name{};
    WallTime since{};
    std::optional<WallTime> until{};  ///< From then on it does not hold; nullopt: until resumed.
    std::string reason{};
};

/// "sending", "sending to example.com", "sending from <a@example.com>".
std::string what_is_suspended(const Suspension& suspension);

std::string suspension_prefix();
std::string suspension_key(SuspensionKind kind, std::string_view name);
std::string encode(const Suspension& suspension);
/// `key` is one of suspension_key().
Result<Suspension> decode_suspension(std::string_view key, std::string_view value);
/// All of them, at most suspensions_max; damaged rows are logged and passed over.
Result<std::vector<Suspension>> read_suspensions(const store::Snapshot& snapshot,
                                                 store::ReadTier tier);

/// Pure; what holds at a time. Never changes once made.
class SuspensionTable {
public:
    SuspensionTable() = default;
    explicit SuspensionTable(std::vector<Suspension> all);
    /// Of everything, or of this site. Null: none holds at `now`. Lives as long as the table.
    [[nodiscard]] const Suspension* of_site(std::string_view site, WallTime now) const;
    /// Of this sender or its domain.
    [[nodiscard]] const Suspension* of_sender(std::string_view sender, WallTime now) const;
    /// Any of them.
    [[nodiscard]] const Suspension* of(std::string_view site, std::string_view sender,
                                       WallTime now) const;
    [[nodiscard]] bool is_empty() const { return all_.empty(); }

private:
    [[nodiscard]] const Suspension* find(SuspensionKind kind, std::string_view name,
                                         WallTime now) const;
    std::map<std::pair<SuspensionKind, std::string>, Suspension> all_;
};

}  // namespace godwit::flow
