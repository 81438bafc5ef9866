// Looks through the terms of a segment.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "store/kv/kv.h"
#include "store/search/rows.h"

namespace godwit::store {

/// How a piece of a needle must be in a term.
enum class TermMatch : std::uint8_t { Contains, StartsWith, EndsWith, Equals };
/// Only Contains and EndsWith look at every term.
inline bool looks_at_all(TermMatch match) {
    return match == TermMatch::Contains || match == TermMatch::EndsWith;
}

struct TermScan {
    const Snapshot* snapshot = nullptr;
    AccountId account;
    IndexSegment segment;
    const SegmentHead* head = nullptr;
    /// Octets of terms that may still be looked at; goes down. A scan that would pass it ends with
    /// LimitExceeded.
    std::uint64_t* budget = nullptr;
};

/// Adds the emails of the segment that have such a term in that field. `piece` is not empty.
Result<> find_terms(const TermScan& scan, TermField field, std::string_view piece, TermMatch match,
                    EmailSet& emails);

/// Adds the emails that have a term with that beginning in that field to the set that `judge`
/// names for the term; those of a term that gets nullptr to none.
Result<> sort_terms(const TermScan& scan, TermField field, std::string_view beginning,
                    const std::function<EmailSet*(std::string_view term)>& judge);

}  // namespace godwit::store
