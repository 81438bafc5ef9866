// Domains, accounts, addresses, aliases: who is local and where mail for an address goes.
// Reading from a snapshot; changing by plans (ChangeRows) made here. RFC 5321 4.5.1 (postmaster),
// RFC 2142 (abuse), RFC 5233 (subaddress). Keys: DECISIONS "Addresses".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "mail/address/address.h"
#include "store/commit/plan.h"
#include "store/directory/credential.h"
#include "store/kv/kv.h"

namespace godwit::store {

struct Domain {
    std::string name;       ///< A-label form, lower case.
    std::string catch_all;  ///< Address that takes what nobody else does; empty = none.
    std::string subaddress_delimiter = "+";  ///< One character; empty turns subaddresses off.
    std::int64_t created_at = 0;
};

struct Account {
    AccountId id;
    std::string name;  ///< Login name: the primary address ("alice@example.test").
    std::string full_name;
    std::uint64_t quota_bytes = 0;  ///< 0 = unlimited.
    std::int64_t created_at = 0;
    bool is_disabled = false;
    std::uint64_t auth_epoch = 1;  ///< Rises with each change of credentials (SECURITY.md T46).
    Credentials credentials;
};

struct Alias {
    std::string address;               ///< "sales@example.test".
    std::vector<std::string> targets;  ///< Local or remote addresses.
};

/// Where one recipient address leads.
struct LocalTarget {
    AccountId account;
    std::string account_name;
    std::string detail;  ///< The subaddress ("tag" of user+tag), or empty.
    std::uint64_t quota_bytes = 0;
    mail::Address address;  ///< The address that matched, for Delivered-To.
};
struct RemoteTarget {
    mail::Address address;
};
using Target = std::variant<LocalTarget, RemoteTarget>;

enum class RecipientVerdict : std::uint8_t {
    Local,       ///< In a local domain and known: `targets` says where it goes.
    NoSuchUser,  ///< Local domain, nobody there.
    NotLocal,    ///< Not our domain.
    Disabled,    ///< Account is disabled.
    Loop,        ///< Aliases lead in a circle or too deep.
};
struct Recipient {
    RecipientVerdict verdict = RecipientVerdict::NotLocal;
    std::vector<Target> targets;  ///< Without doubles.
};

/// Expands aliases (bounded: limits::alias_depth_max, alias_expansion_max), catch-all, subaddress.
/// postmaster and abuse of a local domain (and bare `postmaster`) always lead somewhere: an alias
/// or account of that name, else the oldest account (`default_domain`'s first).
Result<Recipient> resolve_recipient(const Snapshot& snapshot, ReadTier tier,
                                    const mail::Address& address, std::string_view default_domain);
Result<std::optional<Domain>> find_domain(const Snapshot& snapshot, ReadTier tier,
                                          std::string_view name);
Result<std::vector<Domain>> list_domains(const Snapshot& snapshot, ReadTier tier);
/// By login name: full, or bare (then in `default_domain`). Case as in account_key.
Result<std::optional<Account>> find_account(const Snapshot& snapshot, ReadTier tier,
                                            std::string_view login,
                                            std::string_view default_domain);
Result<std::optional<Account>> read_account(const Snapshot& snapshot, ReadTier tier, AccountId id);
Result<std::vector<Account>> list_accounts(const Snapshot& snapshot, ReadTier tier);
Result<std::vector<Alias>> list_aliases(const Snapshot& snapshot, ReadTier tier);
/// May this account write as `address`: its own name, an alias that leads to it alone or among
/// others, each with a subaddress. T47, K4.
Result<bool> owns_address(const Snapshot& snapshot, ReadTier tier, AccountId account,
                          const mail::Address& address);

/// Plans. Each checks against the snapshot, so that the error names what is wrong, and again at the
/// stamp by the rows' expected values (a rival gives Stale: plan again).
Result<Plan> plan_add_domain(const Snapshot& snapshot, const Domain& domain);
/// Refused while accounts or aliases are in it.
Result<Plan> plan_remove_domain(const Snapshot& snapshot, std::string_view name);
/// `account.id` is drawn here; makes INBOX and the usual folders (Drafts, Sent, Trash, Junk,
/// Archive with their special use, subscribed).
Result<Plan> plan_add_account(const Snapshot& snapshot, Account account);
Result<Plan> plan_change_account(const Snapshot& snapshot, const Account& account);
/// Removes the account's directory rows; its mail goes in bounded later steps (see
/// mailbox/removal).
Result<Plan> plan_remove_account(const Snapshot& snapshot, std::string_view login);
Result<Plan> plan_add_alias(const Snapshot& snapshot, const Alias& alias);
Result<Plan> plan_remove_alias(const Snapshot& snapshot, std::string_view address);

}  // namespace godwit::store
