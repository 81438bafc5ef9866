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

/// Counts accounts, aliases and alias domains of a domain up or down by one.
Result<> count_member(RowChange& change, std::string_view domain, int step) {
    const std::optional<std::string> domain_row = TRY(change.expect(domain_row_key(domain)));
    if (!domain_row) {
        return no_domain(domain);
    }
    // What cannot be read is no alias domain as far as anybody knows.
    const Result<Domain> known = decode_domain(*domain_row);
    if (step > 0 && known && !known->alias_of.empty()) {
        return peer_error(ErrorCode::Denied, std::string(domain) + " is an alias of " +
                                                 known->alias_of + ": add it there");
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

namespace {
Result<> check_delimiters(std::string_view delimiters) {
    // What may stand in a local part without quotes (RFC 5321 4.1.2) and is no letter or digit.
    constexpr std::string_view kAllowed = "!#$%&'*+-/=?^_`{|}~";
    if (delimiters.size() > subaddress_delimiters_max ||
        delimiters.find_first_not_of(kAllowed) != std::string_view::npos) {
        return peer_error(ErrorCode::Invalid, "subaddress delimiters: expected at most " +
                                                  std::to_string(subaddress_delimiters_max) +
                                                  " of " + std::string(kAllowed) + ", found \"" +
                                                  std::string(delimiters) + "\"");
    }
    return {};
}

Result<std::string> checked_address(std::string_view text) {
    return text.empty() ? std::string() : TRY(mail::parse_address(text)).to_string();
}

/// With all names in their normal form.
Result<Domain> checked(const Domain& domain) {
    Domain out = domain;
    out.name = TRY(mail::normalize_domain(domain.name));
    TRY(check_delimiters(out.subaddress_delimiter));
    out.catch_all = TRY(checked_address(domain.catch_all));
    out.archive_inbound = TRY(checked_address(domain.archive_inbound));
    out.archive_outbound = TRY(checked_address(domain.archive_outbound));
    if (!domain.alias_of.empty()) {
        out.alias_of = TRY(mail::normalize_domain(domain.alias_of));
        if (!out.catch_all.empty() || !out.archive_inbound.empty() ||
            !out.archive_outbound.empty() || out.tags_senders) {
            return peer_error(
                ErrorCode::Invalid,
                "an alias domain has no settings of its own: they are those of " + out.alias_of);
        }
    } else if (out.rewrites_senders) {
        return peer_error(ErrorCode::Invalid, "only an alias domain rewrites senders");
    }
    return out;
}

/// Counts `domain` as a member of what it is an alias of. That one must be a domain in its own
/// right, so that there is one step and no circle.
Result<> join_target(RowChange& change, const Domain& domain) {
    if (domain.alias_of == domain.name) {
        return peer_error(ErrorCode::Invalid, domain.name + " cannot be an alias of itself");
    }
    return count_member(change, domain.alias_of, 1);
}
}  // namespace

Result<Plan> plan_add_domain(const Snapshot& snapshot, const Domain& domain) {
    const Domain added = TRY(checked(domain));
    RowChange change(snapshot);
    const std::string key = domain_row_key(added.name);
    if (TRY(change.expect(key))) {
        return peer_error(ErrorCode::AlreadyExists, "domain exists already: " + added.name);
    }
    if (!added.alias_of.empty()) {
        TRY(join_target(change, added));
    }
    change.put(key, encode(added));
    return std::move(change).take();
}

Result<Plan> plan_change_domain(const Snapshot& snapshot, const Domain& domain) {
    Domain changed = TRY(checked(domain));
    RowChange change(snapshot);
    const std::string key = domain_row_key(changed.name);
    const std::optional<std::string> row = TRY(change.expect(key));
    if (!row) {
        return no_domain(changed.name);
    }
    const Domain before = TRY(decode_domain(*row));
    changed.created_at = before.created_at;
    if (changed.alias_of != before.alias_of) {
        const std::optional<std::string> count =
            TRY(change.expect(domain_members_key(changed.name)));
        const std::uint64_t members = count ? TRY(decode_number(*count, "domain members")) : 0;
        if (!changed.alias_of.empty() && members != 0) {
            return peer_error(ErrorCode::Denied, changed.name + " still has " +
                                                     std::to_string(members) +
                                                     " accounts, aliases and alias domains");
        }
        if (!before.alias_of.empty()) {
            TRY(count_member(change, before.alias_of, -1));
        }
        if (!changed.alias_of.empty()) {
            TRY(join_target(change, changed));
        }
    }
    change.put(key, encode(changed));
    return std::move(change).take();
}

Result<Plan> plan_remove_domain(const Snapshot& snapshot, std::string_view name) {
    const std::string domain = TRY(mail::normalize_domain(name));
    RowChange change(snapshot);
    const std::optional<std::string> domain_row = TRY(change.expect(domain_row_key(domain)));
    if (!domain_row) {
        return no_domain(domain);
    }
    const std::optional<std::string> row = TRY(change.expect(domain_members_key(domain)));
    const std::uint64_t members = row ? TRY(decode_number(*row, "domain members")) : 0;
    if (members != 0) {
        return peer_error(ErrorCode::Denied, domain + " still has " + std::to_string(members) +
                                                 " accounts, aliases and alias domains");
    }
    if (const Result<Domain> known = decode_domain(*domain_row);
        known && !known->alias_of.empty()) {
        TRY(count_member(change, known->alias_of, -1));
    }
    change.erase(domain_row_key(domain));
    change.erase(domain_members_key(domain));
    change.erase(domain_use_key(domain));
    return std::move(change).take();
}

namespace {
/// Forwarding and grants in their normal form.
Result<> settle_addresses(Account& account) {
    if (account.forward_to.size() > forward_targets_max) {
        return peer_error(ErrorCode::LimitExceeded, "mail is forwarded to at most " +
                                                        std::to_string(forward_targets_max) +
                                                        " addresses; a group leads to more");
    }
    if (account.send_as.size() > send_as_max) {
        return peer_error(ErrorCode::LimitExceeded, "an account may send as at most " +
                                                        std::to_string(send_as_max) +
                                                        " addresses and domains of others");
    }
    const std::string own = mail::account_key(TRY(mail::parse_address(account.name)));
    for (std::string& target : account.forward_to) {
        const mail::Address address = TRY(mail::parse_address(target));
        if (mail::account_key(address) == own) {
            return peer_error(ErrorCode::Invalid,
                              "forwarding to the account itself: keep its copies instead");
        }
        target = address.to_string();
    }
    for (std::string& granted : account.send_as) {
        granted = granted.starts_with('@')
                      ? "@" + TRY(mail::normalize_domain(std::string_view(granted).substr(1)))
                      : TRY(mail::parse_address(granted)).to_string();
    }
    return {};
}
}  // namespace

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
    TRY(settle_addresses(account));
    change.put(next_account_key(), encode_number(id + 1));
    change.put(account_row_key(account.id), encode(account));
    change.put(login_row_key(mail::account_key(address)), encode_number(id));
    change.touch(account.id);
    Plan plan = std::move(change).take();
    add_usual_folders(plan, account.id);
    return plan;
}

Result<Plan> plan_complete_keys(const Snapshot& snapshot, AccountId id, std::uint64_t auth_epoch,
                                const ScramKeys& scram_sha1) {
    RowChange change(snapshot);
    const std::string key = account_row_key(id);
    const std::optional<std::string> row = TRY(change.expect(key));
    if (!row) {
        return peer_error(ErrorCode::NotFound, "no such account any more");
    }
    Account account = TRY(decode_account(*row));
    if (account.auth_epoch != auth_epoch) {
        return temporary_error(ErrorCode::Stale, "the password was changed meanwhile");
    }
    account.credentials.scram_sha1 = scram_sha1;
    change.put(key, encode(account));
    return std::move(change).take();
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
    TRY(settle_addresses(changed));
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

namespace {
Result<Alias> checked(const Alias& alias) {
    if (alias.targets.empty() || alias.targets.size() > limits::alias_expansion_max) {
        return peer_error(ErrorCode::Invalid, "an alias has 1 to " +
                                                  std::to_string(limits::alias_expansion_max) +
                                                  " targets (limits.h: alias_expansion_max)");
    }
    Alias out{.address = TRY(mail::parse_address(alias.address)).to_string(), .targets = {}};
    for (const std::string& target : alias.targets) {
        out.targets.push_back(TRY(mail::parse_address(target)).to_string());
    }
    out.owner = TRY(checked_address(alias.owner));
    return out;
}
}  // namespace

Result<Plan> plan_add_alias(const Snapshot& snapshot, const Alias& alias) {
    const Alias added = TRY(checked(alias));
    const mail::Address address = TRY(mail::parse_address(added.address));
    RowChange change(snapshot);
    TRY(count_member(change, address.domain, 1));
    TRY(expect_free(change, address));
    change.put(alias_row_key(mail::account_key(address)), encode(added));
    return std::move(change).take();
}

Result<Plan> plan_change_alias(const Snapshot& snapshot, const Alias& alias) {
    const Alias changed = TRY(checked(alias));
    const mail::Address address = TRY(mail::parse_address(changed.address));
    RowChange change(snapshot);
    const std::string key = alias_row_key(mail::account_key(address));
    if (!TRY(change.expect(key))) {
        return peer_error(ErrorCode::NotFound, "no such alias: " + changed.address);
    }
    change.put(key, encode(changed));
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
