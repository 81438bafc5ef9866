#include "store/directory/directory.h"

#include "store/directory/schema.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/schema.h"

namespace godwit::store {

namespace {
/// All rows of a directory kind, decoded.
template <class T>
Result<std::vector<T>> list_rows(const Snapshot& snapshot, ReadTier tier, const std::string& prefix,
                                 Result<T> (*decode)(std::string_view)) {
    std::vector<T> rows;
    const std::string upper = prefix_end(prefix);
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    for (cursor->seek(prefix); cursor->is_valid(); cursor->next()) {
        // One damaged row must not hide the others.
        if (auto row = TRY(if_sound(cursor->key(), decode(cursor->value())))) {
            rows.push_back(*std::move(row));
        }
    }
    TRY(cursor->status());
    return rows;
}
}  // namespace

Result<std::optional<Alias>> find_alias(const Snapshot& snapshot, ReadTier tier,
                                        std::string_view key) {
    const std::optional<std::string> row = TRY(snapshot.get(alias_row_key(key), tier));
    if (!row) {
        return std::nullopt;
    }
    return TRY(decode_alias(*row));
}

Result<std::optional<Account>> find_account_by_key(const Snapshot& snapshot, ReadTier tier,
                                                   std::string_view key) {
    const std::optional<std::string> row = TRY(snapshot.get(login_row_key(key), tier));
    if (!row) {
        return std::nullopt;
    }
    const std::uint64_t id = TRY(decode_number(*row, "login"));
    return read_account(snapshot, tier, AccountId(static_cast<std::uint32_t>(id)));
}

Result<std::optional<Domain>> find_domain(const Snapshot& snapshot, ReadTier tier,
                                          std::string_view name) {
    const std::optional<std::string> row = TRY(snapshot.get(domain_row_key(name), tier));
    if (!row) {
        return std::nullopt;
    }
    return TRY(decode_domain(*row));
}

Result<std::vector<Domain>> list_domains(const Snapshot& snapshot, ReadTier tier) {
    return list_rows<Domain>(snapshot, tier, domain_rows_prefix(), decode_domain);
}
Result<std::vector<Account>> list_accounts(const Snapshot& snapshot, ReadTier tier) {
    return list_rows<Account>(snapshot, tier, account_rows_prefix(), decode_account);
}
Result<std::size_t> count_without_sha1(const Snapshot& snapshot, ReadTier tier) {
    const std::vector<Account> accounts = TRY(list_accounts(snapshot, tier));
    return static_cast<std::size_t>(std::ranges::count_if(accounts, [](const Account& account) {
        return !account.credentials.scram.stored_key.empty() &&
               account.credentials.scram_sha1.stored_key.empty();
    }));
}
Result<std::vector<Alias>> list_aliases(const Snapshot& snapshot, ReadTier tier) {
    return list_rows<Alias>(snapshot, tier, alias_rows_prefix(), decode_alias);
}

Result<std::optional<Account>> find_account(const Snapshot& snapshot, ReadTier tier,
                                            std::string_view login,
                                            std::string_view default_domain) {
    const Result<mail::Address> address = login.find('@') != std::string_view::npos
                                              ? mail::parse_address(login)
                                              : mail::make_address(login, default_domain);
    if (!address) {
        return std::nullopt;
    }
    return find_account_by_key(snapshot, tier, mail::account_key(*address));
}

Result<std::optional<Account>> read_account(const Snapshot& snapshot, ReadTier tier, AccountId id) {
    const std::optional<std::string> row = TRY(snapshot.get(account_row_key(id), tier));
    if (!row) {
        return std::nullopt;
    }
    return TRY(decode_account(*row));
}

Result<std::optional<Domain>> answering_domain(const Snapshot& snapshot, ReadTier tier,
                                               std::string_view name) {
    std::optional<Domain> domain = TRY(find_domain(snapshot, tier, name));
    // One step: what a domain is an alias of is no alias (plan_add_domain).
    if (domain && !domain->alias_of.empty()) {
        return find_domain(snapshot, tier, domain->alias_of);
    }
    return domain;
}

}  // namespace godwit::store
