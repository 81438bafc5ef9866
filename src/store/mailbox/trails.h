// Looking for messages in their trails (family V), by what was noted of them. There is no index: a
// row more a message would cost every message (STORE.md: inserts are the cost), a search costs a
// walk of what is kept, about a million events a second, in bounded pieces.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "store/commit/plan.h"
#include "store/kv/kv.h"

namespace godwit::store {

/// What an event must hold. Pure.
class TrailPattern {
public:
    /// An address, "@domain" for all of a domain, or a Message-ID with or without its brackets.
    /// Case counts nowhere. "" matches everything.
    explicit TrailPattern(std::string_view what);
    /// `detail` is the event's, as JSON.
    [[nodiscard]] bool matches(std::string_view detail) const;

private:
    std::string address_;
    std::string message_id_;
};

struct TrailPage {
    std::vector<MailId> found;  ///< Rising.
    MailId last;                ///< Looked at up to and with this one.
    bool is_last = false;       ///< There is nothing behind it.
};
/// Messages behind `after` of which an event matches; ends when `rows_max` events were looked at
/// and the message of the last was finished, or when `count` were found.
Result<TrailPage> find_trails(const Snapshot& snapshot, ReadTier tier, MailId after,
                              const TrailPattern& pattern, std::size_t rows_max, std::size_t count);

/// The id before the first whose trail began at `at` or later, as far as ids rise with time: the
/// place to search from. About 64 seeks.
Result<MailId> trail_before(const Snapshot& snapshot, ReadTier tier, WallTime at);
/// The greatest id with a trail; 0 when there is none.
Result<MailId> last_trail(const Snapshot& snapshot, ReadTier tier);

}  // namespace godwit::store
