#include "store/mailbox/unique_ids.h"

#include <algorithm>

#include "base/ascii.h"
#include "store/kv/record.h"
#include "store/mailbox/keys.h"
#include "store/mailbox/schema.h"

namespace godwit::store {

bool is_unique_id(std::string_view text) {
    return !text.empty() && text.size() <= unique_id_size_max &&
           std::ranges::all_of(text, [](char c) { return c >= 0x21 && c <= 0x7E; });
}

bool may_be_given(std::string_view text, UidValidity inbox) {
    const std::string front = std::to_string(inbox.value()) + ".";
    return text.size() > front.size() && text.starts_with(front) &&
           std::ranges::all_of(text.substr(front.size()),
                               [](char c) { return c >= '0' && c <= '9'; });
}

Result<std::vector<UniqueId>> read_unique_ids(const Snapshot& snapshot, ReadTier tier,
                                              AccountId account, std::string_view after,
                                              std::size_t count) {
    std::vector<UniqueId> found;
    const std::string prefix = account_prefix(Family::UniqueId, account);
    const std::string upper = prefix_end(prefix);
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    // No text has a NUL: the next key in order.
    cursor->seek(after.empty() ? prefix : prefix + std::string(after) + '\0');
    for (; cursor->is_valid() && found.size() < count; cursor->next()) {
        const auto number =
            TRY(if_sound(cursor->key(), decode_number(cursor->value(), "unique id")));
        if (number && *number <= UINT32_MAX) {
            found.push_back({.text = std::string(cursor->key().substr(prefix.size())),
                             .email = EmailId(static_cast<std::uint32_t>(*number))});
        }
    }
    TRY(cursor->status());
    return found;
}

}  // namespace godwit::store
