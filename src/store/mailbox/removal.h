// Clean-up in bounded steps: what deleted mailboxes and accounts left behind, old change log rows,
// old trace events. A caretaker asks for the next plan, commits it, and asks again until there is
// none.
#pragma once

#include <optional>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "store/commit/plan.h"
#include "store/kv/kv.h"

namespace godwit::store {

/// Messages one removal step takes away: about a millisecond of the commit thread.
inline constexpr std::size_t kRemovalMessagesMax = 256;

/// The next step of removing what deletions left, of any account; nullopt when nothing is left.
Result<std::optional<Plan>> plan_removal(const Snapshot& snapshot, ReadTier tier);

/// The next step of dropping an account's change log rows written before `before`; nullopt when the
/// oldest is younger.
Result<std::optional<Plan>> plan_log_trim(const Snapshot& snapshot, ReadTier tier,
                                          AccountId account, WallTime before);
/// The next step of dropping the trails of messages accepted before `before`; nullopt when there is
/// none.
Result<std::optional<Plan>> plan_trace_trim(const Snapshot& snapshot, ReadTier tier,
                                            WallTime before);

}  // namespace godwit::store
