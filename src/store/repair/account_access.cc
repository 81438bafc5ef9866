// Repairs access control lists and what visitors have seen (mailbox/access.h). Who may read what
// is not guessed: an entry that cannot be read gives nobody anything and goes.
#include "store/mailbox/access.h"
#include "store/repair/account.h"

namespace godwit::store {

Result<> AccountRepair::settle_access() {
    TRY(work_->each(
        account_prefix(Family::Access, account_),
        [this](std::string_view key, std::string_view value) -> Result<> {
            constexpr std::size_t kSize = 13;
            const MailboxId id(second_of(key));
            const auto found = mailboxes_.find(id);
            const auto row = decode_access(value);
            if (key.size() != kSize || !row || found == mailboxes_.end() || !found->second.fixed) {
                work_->lose({.what = "entry of an access control list", .detail = key_text(key)});
                return work_->erase(std::string(key), "entries of access control lists");
            }
            std::string grant = grant_key(AccountId(key_tail_u32(key)), row->domain,
                                          {.owner = account_, .mailbox = id});
            return TRY(work_->has(grant)) ? Result<>()
                                          : work_->put(std::move(grant), encode_nothing(),
                                                       "rows that lead to access control lists");
        }));
    return settle_seen();
}

Result<> AccountRepair::settle_seen() {
    SeenTotals totals;
    TRY(work_->each(account_prefix(Family::SeenBy, account_),
                    [this, &totals](std::string_view key, std::string_view value) -> Result<> {
                        const MailboxId id(second_of(key));
                        if (is_leaving(id)) {
                            return {};
                        }
                        const AccountId user(key_tail_u32(key));
                        const auto found = mailboxes_.find(id);
                        const Result<SeenRow> row = decode_seen_row(key, value);
                        const bool has_place = found != mailboxes_.end() && found->second.fixed &&
                                               TRY(work_->has(access_key(account_, id, user)));
                        if (has_place && row) {
                            totals.add(*row);
                            return {};
                        }
                        work_->lose({.what = "what a visitor has seen", .detail = key_text(key)});
                        return work_->erase(std::string(key), "rows of what visitors have seen");
                    }));
    for (const auto& [whose, total] : totals.all()) {
        const auto& [owner, mailbox, user] = whose;
        if (!total.is_right()) {
            TRY(work_->put(seen_count_key(owner, mailbox, user), encode_number(total.marks),
                           "counts of what visitors have seen"));
        }
    }
    return {};
}

Result<> repair_grants(RepairState& state) {
    RepairWork& work = state.work;
    constexpr char kFamily = static_cast<char>(Family::Grant);
    return work.each(
        std::string_view(&kFamily, 1), [&work](std::string_view key, std::string_view) -> Result<> {
            const bool leads_on =
                TRY(is_grant_of(key, [&work](const std::string& row) { return work.has(row); }));
            return leads_on
                       ? Result<>()
                       : work.erase(std::string(key), "rows that lead to access control lists");
        });
}

}  // namespace godwit::store
