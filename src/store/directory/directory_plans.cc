// Plans that change the directory. Each reads what it builds on and expects it unchanged at the
// stamp.
#include <array>

#include "base/limits.h"
#include "mail/address/domain.h"
#include "store/directory/directory.h"
#include "store/directory/schema.h"
#include "store/mailbox/removal.h"
#include "store/mailbox/schema.h"

namespace godwit::store {

namespace {
/// Directory plans are rare and made by administrators: they may read the disk.
constexpr ReadTier kTier = ReadTier::Disk;

/// Collects the rows of one plan.
class RowChange {
public:
    explicit RowChange(const Snapshot& snapshot) : snapshot_(snapshot) {}

    /// What the row is now; the plan fits only while it is that.
    Result<std::optional<std::string>> expect(const std::string& key) {
        std::optional<std::string> value = TRY(snapshot_.get(key, kTier));
        rows_.expects.push_back({.key = key, .value = value});
        return value;
    }
    void put(std::string key, std::string value) {
        rows_.entries.push_back({.key = std::move(key), .value = std::move(value)});
    }
    void erase(std::string key) {
        rows_.entries.push_back({.key = std::move(key), .value = std::nullopt});
    }
    void touch(AccountId account) { rows_.accounts.push_back(account); }

    Plan take() && {
        Plan plan;
        plan.steps.emplace_back(std::move(rows_));
        return plan;
    }

private:
    const Snapshot& snapshot_;
    ChangeRows rows_;
};

std::unexpected<Error> no_domain(std::string_view name) {
    return peer_error(ErrorCode::NotFound, "not a local domain: " + std::string(name));
}

/// Counts accounts and aliases of a domain up or down by one.
Result<> count_member(RowChange& change, std::string_view domain, int step) {
    if (!TRY(change.expect(domain_row_key(domain)))) {
        return no_domain(domain);
    }
    const std::string key = domain_members_key(domain);
    const std::optional<std::string> row = TRY(change.expect(key));
    const std::uint64_t members = row ? TRY(decode_number(*row, "domain members")) : 0;
    change.put(key, encode_number(members + static_cast<std::uint64_t>(step)));
    return {};
}

/// Neither an account nor an alias has the address.
Result<> expect_free(RowChange& change, const mail::Address& address) {
    const std::string key = mail::account_key(address);
    if (TRY(change.expect(login_row_key(key)))) {
        return peer_error(ErrorCode::AlreadyExists, "an account has the address: " + key);
    }
    if (TRY(change.expect(alias_row_key(key)))) {
        return peer_error(ErrorCode::AlreadyExists, "an alias has the address: " + key);
    }
    return {};
}

void add_usual_folders(Plan& plan, AccountId account) {
    struct Folder {
        const char* name;
        const char* special_use;
    };
    // INBOX first: it must be mailbox 1. RFC 6154 section 2 has the uses.
    constexpr std::array kFolders = {Folder{"INBOX", ""},      Folder{"Drafts", "\\Drafts"},
                                     Folder{"Sent", "\\Sent"}, Folder{"Trash", "\\Trash"},
                                     Folder{"Junk", "\\Junk"}, Folder{"Archive", "\\Archive"}};
    for (const Folder& folder : kFolders) {
        plan.steps.emplace_back(CreateMailbox{.account = account,
                                              .name = folder.name,
                                              .special_use = folder.special_use,
                                              .subscribed = true});
    }
}
}  // namespace

Result<Plan> plan_add_domain(const Snapshot& snapshot, const Domain& domain) {
    Domain added = domain;
    added.name = TRY(mail::normalize_domain(domain.name));
    if (added.subaddress_delimiter.size() > 1) {
        return peer_error(ErrorCode::Invalid, "the subaddress delimiter is one character or none");
    }
    if (!added.catch_all.empty()) {
        TRY(mail::parse_address(added.catch_all));
    }
    RowChange change(snapshot);
    const std::string key = domain_row_key(added.name);
    if (TRY(change.expect(key))) {
        return peer_error(ErrorCode::AlreadyExists, "domain exists already: " + added.name);
    }
    change.put(key, encode(added));
    return std::move(change).take();
}

Result<Plan> plan_remove_domain(const Snapshot& snapshot, std::string_view name) {
    const std::string domain = TRY(mail::normalize_domain(name));
    RowChange change(snapshot);
    if (!TRY(change.expect(domain_row_key(domain)))) {
        return no_domain(domain);
    }
    const std::optional<std::string> row = TRY(change.expect(domain_members_key(domain)));
    const std::uint64_t members = row ? TRY(decode_number(*row, "domain members")) : 0;
    if (members != 0) {
        return peer_error(ErrorCode::Denied, domain + " still has " + std::to_string(members) +
                                                 " accounts and aliases");
    }
    change.erase(domain_row_key(domain));
    change.erase(domain_members_key(domain));
    return std::move(change).take();
}

Result<Plan> plan_add_account(const Snapshot& snapshot, Account account) {
    const mail::Address address = TRY(mail::parse_address(account.name));
    RowChange change(snapshot);
    TRY(count_member(change, address.domain, 1));
    TRY(expect_free(change, address));
    const std::optional<std::string> next = TRY(change.expect(next_account_key()));
    const std::uint64_t id = next ? TRY(decode_number(*next, "next account")) : 1;
    if (id >= UINT32_MAX) {
        return internal_error(ErrorCode::LimitExceeded, "account ids: all numbers are given");
    }
    account.id = AccountId(static_cast<std::uint32_t>(id));
    account.name = address.to_string();
    change.put(next_account_key(), encode_number(id + 1));
    change.put(account_row_key(account.id), encode(account));
    change.put(login_row_key(mail::account_key(address)), encode_number(id));
    change.touch(account.id);
    Plan plan = std::move(change).take();
    add_usual_folders(plan, account.id);
    return plan;
}

Result<Plan> plan_change_account(const Snapshot& snapshot, const Account& account) {
    RowChange change(snapshot);
    const std::string key = account_row_key(account.id);
    const std::optional<std::string> row = TRY(change.expect(key));
    if (!row) {
        return peer_error(ErrorCode::NotFound, "no such account: " + account.name);
    }
    const Account before = TRY(decode_account(*row));
    if (before.name != account.name) {
        return peer_error(ErrorCode::Invalid, "an account keeps its name; give it an alias");
    }
    if (account.credentials.app_passwords.size() > limits::app_passwords_max) {
        return peer_error(ErrorCode::LimitExceeded,
                          "an account has at most " + std::to_string(limits::app_passwords_max) +
                              " app passwords (limits.h: app_passwords_max)");
    }
    Account changed = account;
    changed.auth_epoch = before.auth_epoch;
    const bool proves_otherwise =
        changed.credentials != before.credentials || changed.is_disabled != before.is_disabled;
    changed.auth_epoch += proves_otherwise ? 1 : 0;
    change.put(key, encode(changed));
    change.touch(account.id);
    return std::move(change).take();
}

Result<Plan> plan_remove_account(const Snapshot& snapshot, std::string_view login) {
    const mail::Address address = TRY(mail::parse_address(login));
    RowChange change(snapshot);
    const std::string login_key = login_row_key(mail::account_key(address));
    const std::optional<std::string> row = TRY(change.expect(login_key));
    if (!row) {
        return peer_error(ErrorCode::NotFound, "no such account: " + std::string(login));
    }
    const AccountId id(static_cast<std::uint32_t>(TRY(decode_number(*row, "login"))));
    TRY(change.expect(account_row_key(id)));
    TRY(count_member(change, address.domain, -1));
    change.erase(login_key);
    change.erase(account_row_key(id));
    change.touch(id);
    Plan plan = std::move(change).take();
    // The first step of the removal leaves a mark when there is more: see mailbox/removal.h.
    plan.steps.emplace_back(PurgeRemains{.account = id, .messages_max = kRemovalMessagesMax});
    return plan;
}

Result<Plan> plan_add_alias(const Snapshot& snapshot, const Alias& alias) {
    const mail::Address address = TRY(mail::parse_address(alias.address));
    if (alias.targets.empty() || alias.targets.size() > limits::alias_expansion_max) {
        return peer_error(ErrorCode::Invalid, "an alias has 1 to " +
                                                  std::to_string(limits::alias_expansion_max) +
                                                  " targets (limits.h: alias_expansion_max)");
    }
    Alias added{.address = address.to_string(), .targets = {}};
    for (const std::string& target : alias.targets) {
        added.targets.push_back(TRY(mail::parse_address(target)).to_string());
    }
    RowChange change(snapshot);
    TRY(count_member(change, address.domain, 1));
    TRY(expect_free(change, address));
    change.put(alias_row_key(mail::account_key(address)), encode(added));
    return std::move(change).take();
}

Result<Plan> plan_remove_alias(const Snapshot& snapshot, std::string_view text) {
    const mail::Address address = TRY(mail::parse_address(text));
    RowChange change(snapshot);
    const std::string key = alias_row_key(mail::account_key(address));
    if (!TRY(change.expect(key))) {
        return peer_error(ErrorCode::NotFound, "no such alias: " + std::string(text));
    }
    TRY(count_member(change, address.domain, -1));
    change.erase(key);
    return std::move(change).take();
}

}  // namespace godwit::store
