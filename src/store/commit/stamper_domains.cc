// Domains in memory, as the stamper counts what their accounts hold: row P u, written once a group.
// A domain that has no row yet (an older program's, or new) is counted from its accounts' heads,
// all domains in one walk.
#include "store/commit/stamper_accounts.h"
#include "store/directory/schema.h"
#include "store/kv/key.h"
#include "store/kv/record.h"

#include <unordered_set>

namespace godwit::store {

Result<> AccountStates::load_limits(StampedDomain& domain) {
    domain.numbers.account_quota = {};
    domain.numbers.quota = {};
    const auto row = TRY(rows_->get(domain_row_key(domain.name)));
    domain.numbers.is_there = row.has_value();
    if (!row) {
        return {};
    }
    // Mail goes on where the row is damaged: a repair gives it back without its bounds.
    if (const auto known = TRY(if_sound(domain_row_key(domain.name), decode_domain(*row)))) {
        domain.numbers.account_quota = known->account_quota;
        domain.numbers.quota = known->quota;
    }
    return {};
}

// Exact for every domain that is not in memory: none of its accounts was changed since.
Result<> AccountStates::count_domains() {
    std::unordered_map<std::string, QuotaUse> counted;
    const std::string prefix = account_rows_prefix();
    TRY(rows_->scan(prefix, prefix_end(prefix),
                    [&](std::string_view key, std::string_view value) -> Result<bool> {
                        const auto account = TRY(if_sound(key, decode_account(value)));
                        if (!account) {
                            return true;
                        }
                        const auto head =
                            TRY(rows_->get(account_prefix(Family::AccountHead, account->id)));
                        const auto sound =
                            head ? TRY(if_sound(key, decode_head(*head))) : std::nullopt;
                        if (sound) {
                            QuotaUse& use = counted[std::string(domain_of(account->name))];
                            use.bytes += sound->bytes_used;
                            use.messages += sound->messages_used;
                        }
                        return true;
                    }));
    counted_ = std::move(counted);
    return {};
}

Result<StampedDomain*> AccountStates::domain(std::string_view name) {
    auto entry = domains_.find(std::string(name));
    if (entry == domains_.end()) {
        auto loaded = std::make_unique<StampedDomain>();
        loaded->name = name;
        TRY(load_limits(*loaded));
        const std::string key = domain_use_key(name);
        const auto row = TRY(rows_->get(key));
        const auto use = row ? TRY(if_sound(key, decode_domain_use(*row))) : std::nullopt;
        if (use) {
            loaded->numbers.used = *use;
        } else {
            if (!counted_) {
                TRY(count_domains());
            }
            const auto counted = counted_->find(loaded->name);
            loaded->numbers.used = counted != counted_->end() ? counted->second : QuotaUse{};
        }
        entry = domains_.emplace(loaded->name, std::move(loaded)).first;
        loaded_domains_.push_back(entry->first);
    }
    save(*entry->second);
    return entry->second.get();
}

void AccountStates::save(StampedDomain& domain) {
    if (domain.saved_in == plan_) {
        return;
    }
    domain.saved_in = plan_;
    domain_undo_.push_back({.domain = &domain, .before = domain.numbers});
    moved_domains_.push_back(&domain);
}

Result<> AccountStates::refresh_domain(std::string_view name) {
    StampedDomain& known = *TRY(domain(name));
    TRY(load_limits(known));
    // Who asks before the stamp reads the row: it is there from the first bound on.
    known.numbers.has_moved = known.numbers.has_moved || known.numbers.quota != Quota{};
    return {};
}

void count_use(StampedAccount& account, std::int64_t bytes, std::int64_t messages) {
    AccountHead& head = account.numbers.head;
    head.bytes_used += static_cast<std::uint64_t>(bytes);
    head.messages_used += static_cast<std::uint64_t>(messages);
    account.numbers.head_moved = true;
    if (account.numbers.is_there && account.numbers.domain != nullptr) {
        StampedDomain::Numbers& domain = account.numbers.domain->numbers;
        domain.used.bytes += static_cast<std::uint64_t>(bytes);
        domain.used.messages += static_cast<std::uint64_t>(messages);
        domain.has_moved = true;
    }
}

void AccountStates::leave_domain(StampedAccount& account) {
    if (account.numbers.domain == nullptr) {
        return;
    }
    StampedDomain::Numbers& domain = account.numbers.domain->numbers;
    domain.used.bytes -= account.numbers.head.bytes_used;
    domain.used.messages -= account.numbers.head.messages_used;
    domain.has_moved = true;
    account.numbers.domain = nullptr;
}

void AccountStates::roll_back_domains() {
    for (; !domain_undo_.empty(); domain_undo_.pop_back()) {
        domain_undo_.back().domain->numbers = domain_undo_.back().before;
    }
    for (const std::string& name : loaded_domains_) {
        const auto entry = domains_.find(name);
        std::erase(moved_domains_, entry->second.get());
        domains_.erase(entry);
    }
    loaded_domains_.clear();
}

void AccountStates::finish_domains() {
    for (StampedDomain* domain : moved_domains_) {
        if (domain->numbers.has_moved && domain->numbers.is_there) {
            rows_->put(domain_use_key(domain->name), encode_domain_use(domain->numbers.used));
        }
        domain->numbers.has_moved = false;
    }
    moved_domains_.clear();
}

void AccountStates::trim_domains() {
    std::unordered_set<const StampedDomain*> used;
    for (const auto& entry : accounts_) {
        used.insert(entry.second->numbers.domain);
    }
    std::erase_if(domains_,
                  [&used](const auto& entry) { return !used.contains(entry.second.get()); });
}

}  // namespace godwit::store
