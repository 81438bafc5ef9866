#include "store/mailbox/origins.h"

#include "store/mailbox/keys.h"

namespace godwit::store {

bool is_origin(std::string_view text) {
    return text.size() == origin_size;
}

Result<std::vector<bool>> read_origins(const Snapshot& snapshot, ReadTier tier, AccountId account,
                                       std::span<const std::string> origins) {
    std::vector<bool> taken;
    taken.reserve(origins.size());
    for (const std::string& origin : origins) {
        const auto row = TRY(snapshot.get(name_key(Family::Origin, account, origin), tier));
        taken.push_back(is_origin(origin) && row.has_value());
    }
    return taken;
}

}  // namespace godwit::store
