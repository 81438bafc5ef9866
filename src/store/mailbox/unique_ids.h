// What POP3 calls emails that had a name before they came here (UIDL): rows W, which follow from M.
// RFC 1939 7 (UIDL): one to 70 characters in the range 0x21 to 0x7E, never two of one maildrop the
// same. Emails without a row are called UIDVALIDITY.UID of INBOX; no row is of that form.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "store/kv/kv.h"

namespace godwit::store {

inline constexpr std::size_t unique_id_size_max = 70;

bool is_unique_id(std::string_view text);
/// Whether it is one that a message without a row has or will have.
bool may_be_given(std::string_view text, UidValidity inbox);

struct UniqueId {
    std::string text;
    EmailId email;
    bool operator==(const UniqueId&) const = default;
};
/// Those behind `after` in the order of texts (empty: from the first), at most `count`. Damaged
/// rows are passed over.
Result<std::vector<UniqueId>> read_unique_ids(const Snapshot& snapshot, ReadTier tier,
                                              AccountId account, std::string_view after,
                                              std::size_t count);

}  // namespace godwit::store
