// Repairs the directory: domains, accounts, logins, aliases, counts. Passwords and the targets of
// aliases stand nowhere else: those are listed.
#include <algorithm>

#include "base/bytes.h"
#include "mail/address/address.h"
#include "store/directory/address_keys.h"
#include "store/directory/schema.h"
#include "store/repair/work.h"

namespace godwit::store {
namespace {

constexpr auto kDirectory = static_cast<char>(Family::Directory);

std::string directory_prefix(char kind) {
    return std::string{kDirectory, kind};
}

struct Directory {
    std::map<std::uint32_t, Account> accounts;
    std::map<std::string, std::uint32_t> logins;
    std::vector<std::string> aliases;
    std::set<std::uint32_t> damaged_accounts;
};

Result<Directory> load(RepairWork& work) {
    Directory found;
    TRY(work.each(
        directory_prefix('n'), [&](std::string_view key, std::string_view value) -> Result<> {
            const auto id = decode_number(value, "login");
            if (id && *id != 0 && *id <= UINT32_MAX) {
                found.logins[std::string(key.substr(2))] = static_cast<std::uint32_t>(*id);
            }
            return {};
        }));
    TRY(work.each(account_rows_prefix(),
                  [&](std::string_view key, std::string_view value) -> Result<> {
                      if (key.size() != 6) {
                          return work.erase(std::string(key), "rows with a strange key");
                      }
                      auto account = decode_account(value);
                      if (account && account->id.value() == key_tail_u32(key)) {
                          found.accounts[key_tail_u32(key)] = *std::move(account);
                      } else {
                          found.damaged_accounts.insert(key_tail_u32(key));
                      }
                      return {};
                  }));
    TRY(work.each(alias_rows_prefix(),
                  [&](std::string_view key, std::string_view value) -> Result<> {
                      if (decode_alias(value)) {
                          found.aliases.emplace_back(key.substr(2));
                          return {};
                      }
                      work.lose({.what = "alias",
                                 .message = std::string(key.substr(2)),
                                 .detail = "add it again with its targets"});
                      return work.erase(std::string(key), "damaged aliases");
                  }));
    // Accounts of which only mail or a login is left.
    for (const auto& [name, id] : found.logins) {
        if (!found.accounts.contains(id)) {
            found.damaged_accounts.insert(id);
        }
    }
    for (const AccountId account : TRY(accounts_with_rows(work))) {
        const bool is_leaving = TRY(work.has(mailbox_key(Family::Remains, account, MailboxId(0))));
        if (account.value() != 0 && !is_leaving && !found.accounts.contains(account.value())) {
            found.damaged_accounts.insert(account.value());
        }
    }
    return found;
}

Result<std::string> any_domain(RepairWork& work) {
    std::string domain = "localhost.localdomain";
    TRY(work.each(domain_rows_prefix(), [&](std::string_view key, std::string_view) -> Result<> {
        domain = key.substr(2);
        return {};
    }));
    return domain;
}

Result<> rebuild_account(RepairWork& work, Directory& found, std::uint32_t id) {
    Account account;
    account.id = AccountId(id);
    const auto login =
        std::ranges::find_if(found.logins, [id](const auto& entry) { return entry.second == id; });
    account.name = login != found.logins.end()
                       ? login->first
                       : "recovered-" + std::to_string(id) + "@" + TRY(any_domain(work));
    account.created_at = unix_seconds(work.options().now);
    // Whoever was proved with the old row is not proved by the new one.
    account.auth_epoch = static_cast<std::uint64_t>(account.created_at);
    work.lose({.what = "passwords and quota of an account",
               .account = account.id,
               .message = account.name,
               .detail = "set a password: godwit account passwd " + account.name});
    TRY(work.put(account_row_key(account.id), encode(account), "accounts"));
    found.accounts[id] = std::move(account);
    return {};
}

Result<> settle_domains(RepairWork& work, const std::map<std::string, std::uint64_t>& members) {
    TRY(work.each(
        domain_rows_prefix(), [&](std::string_view key, std::string_view value) -> Result<> {
            if (decode_domain(value)) {
                return {};
            }
            Domain domain;
            domain.name = key.substr(2);
            work.lose({.what = "catch-all and delimiter of a domain", .message = domain.name});
            return work.put(std::string(key), encode(domain), "domains");
        }));
    for (const auto& [name, count] : members) {
        if (!TRY(work.has(domain_row_key(name)))) {
            Domain domain;
            domain.name = name;
            work.lose({.what = "catch-all and delimiter of a domain", .message = name});
            TRY(work.put(domain_row_key(name), encode(domain), "domains"));
        }
        TRY(work.put(domain_members_key(name), encode_number(count), "counts of domains"));
    }
    return work.each(
        directory_prefix('m'), [&](std::string_view key, std::string_view value) -> Result<> {
            const auto count = decode_number(value, "domain members");
            const bool is_right =
                members.contains(std::string(key.substr(2))) || (count && *count == 0);
            return is_right ? Result<>() : work.erase(std::string(key), "counts of domains");
        });
}

/// New keys are drawn with the next address that is signed.
Result<> settle_address_keys(RepairWork& work) {
    const auto row = TRY(work.get(address_keys_key()));
    if (!row || decode_address_keys(*row)) {
        return {};
    }
    work.lose({.what = "keys that sign return addresses",
               .detail = "reports about mail forwarded so far will be refused"});
    return work.erase(address_keys_key(), "keys of return addresses");
}

}  // namespace

Result<> repair_directory(RepairState& state) {
    RepairWork& work = state.work;
    Directory found = TRY(load(work));
    for (const std::uint32_t id : found.damaged_accounts) {
        TRY(rebuild_account(work, found, id));
    }
    std::map<std::string, std::uint64_t> members;
    std::uint64_t next = 1;
    std::set<std::string> names;
    for (const auto& [id, account] : found.accounts) {
        next = std::max<std::uint64_t>(next, id + 1);
        const auto address = mail::parse_address(account.name);
        if (!address) {
            continue;
        }
        const std::string key = mail::account_key(*address);
        names.insert(key);
        ++members[address->domain];
        TRY(work.put(login_row_key(key), encode_number(id), "logins"));
    }
    for (const std::string& alias : found.aliases) {
        if (const auto address = mail::parse_address(alias)) {
            ++members[address->domain];
        }
    }
    TRY(work.each(directory_prefix('n'), [&](std::string_view key, std::string_view) -> Result<> {
        return names.contains(std::string(key.substr(2))) ? Result<>()
                                                          : work.erase(std::string(key), "logins");
    }));
    TRY(work.each(domain_rows_prefix(), [&](std::string_view, std::string_view value) -> Result<> {
        const auto domain = decode_domain(value);
        if (domain && !domain->alias_of.empty()) {
            ++members[domain->alias_of];
        }
        return {};
    }));
    TRY(settle_domains(work, members));
    TRY(settle_address_keys(work));
    const auto row = TRY(work.get(next_account_key()));
    const auto number = row ? decode_number(*row, "next account") : Result<std::uint64_t>(0);
    if (next > 1 && (!row || !number || *number < next)) {
        // Numbers of accounts that are gone must not come again.
        const std::uint64_t margin = row && number ? 0 : 1024;
        TRY(work.put(next_account_key(), encode_number(next + margin), "next account"));
    }
    return {};
}

}  // namespace godwit::store
