#include "store/directory/quota.h"

#include <algorithm>

#include "store/directory/directory.h"
#include "store/directory/schema.h"
#include "store/mailbox/mailbox.h"

namespace godwit::store {

Quota merge(const Quota& own, const Quota& domain) {
    const auto choose = [](std::uint64_t first, std::uint64_t second) {
        return first != 0 ? first : second;
    };
    return {.bytes = choose(own.bytes, domain.bytes),
            .messages = choose(own.messages, domain.messages),
            .mailboxes = choose(own.mailboxes, domain.mailboxes)};
}

bool fits(const Quota& quota, const QuotaUse& used, const QuotaUse& more) {
    const auto is_within = [](std::uint64_t limit, std::uint64_t now, std::uint64_t added) {
        return limit == 0 || added == 0 || (now <= limit && added <= limit - now);
    };
    return is_within(quota.bytes, used.bytes, more.bytes) &&
           is_within(quota.messages, used.messages, more.messages) &&
           is_within(quota.mailboxes, used.mailboxes, more.mailboxes);
}

std::string_view domain_of(std::string_view account_name) {
    // Nothing where there is no '@'.
    return account_name.substr(std::min(account_name.rfind('@'), account_name.size() - 1) + 1);
}

Result<std::optional<QuotaUse>> read_domain_use(const Snapshot& snapshot, ReadTier tier,
                                                std::string_view domain) {
    const auto row = TRY(snapshot.get(domain_use_key(domain), tier));
    if (!row) {
        return std::nullopt;
    }
    return TRY(decode_domain_use(*row));
}

Result<QuotaState> read_quota(const Snapshot& snapshot, ReadTier tier, AccountId id) {
    const auto account = TRY(read_account(snapshot, tier, id));
    if (!account) {
        return peer_error(ErrorCode::NotFound, "the account was removed");
    }
    const auto head = TRY(read_head(snapshot, tier, id));
    if (!head) {
        return internal_error(ErrorCode::Corrupt, "account " + std::to_string(id.value()) +
                                                      " has no head: godwit fsck --repair");
    }
    QuotaState state;
    state.quota = account->quota;
    state.used = {
        .bytes = head->bytes_used, .messages = head->messages_used, .mailboxes = head->mailboxes};
    const std::string_view name = domain_of(account->name);
    if (const auto domain = TRY(find_domain(snapshot, tier, name))) {
        state.quota = merge(account->quota, domain->account_quota);
        state.domain_quota = domain->quota;
        if (domain->quota != Quota{}) {
            state.domain_used = TRY(read_domain_use(snapshot, tier, name)).value_or(QuotaUse{});
        }
    }
    return state;
}

}  // namespace godwit::store
