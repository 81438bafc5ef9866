// Domains, accounts, addresses, aliases: who is local and where mail for an address goes.
// Reading from a snapshot; changing by plans (ChangeRows) made here. RFC 5321 4.5.1 (postmaster),
// RFC 2142 (abuse), RFC 5233 (subaddress), RFC 5321 3.9 (aliases and lists). Keys: DECISIONS
// "Addresses".
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
#include "store/directory/quota.h"
#include "store/kv/kv.h"

namespace godwit::store {

/// Characters of one domain that split user and detail; each costs a look-up where it stands.
inline constexpr std::size_t subaddress_delimiters_max = 4;
/// Places of one local part at which it is tried to split it: "a-b-c" may be a, a-b or a-b-c.
inline constexpr std::size_t subaddress_cuts_max = 8;
/// Addresses that one account's mail is forwarded to; more are a group's work.
inline constexpr std::size_t forward_targets_max = 20;
/// Addresses and domains that one account may send as beside its own.
inline constexpr std::size_t send_as_max = 100;

struct Domain {
    std::string name{};       ///< A-label form, lower case.
    std::string catch_all{};  ///< Address that takes what nobody else does; empty = none.
    /// Each of its characters splits user and detail; empty turns subaddresses off.
    std::string subaddress_delimiter = "+";
    std::int64_t created_at = 0;
    /// All addresses of this local domain are valid here too; it has accounts and aliases of its
    /// own no more. Empty: a domain in its own right.
    std::string alias_of{};
    /// With alias_of: submitted mail from here is from there (a domain that has moved).
    bool rewrites_senders = false;
    std::string archive_inbound{};   ///< Gets a copy of what comes for the domain; empty = none.
    std::string archive_outbound{};  ///< Gets a copy of what its accounts submit; empty = none.
    bool tags_senders = false;       ///< Mail that leaves is tagged, reports are checked (BATV).
    Quota account_quota{};           ///< Of each account that has no bound of its own.
    Quota quota{};                   ///< Of all its accounts together; never of mailboxes.
    /// Login name of the account whose mailboxes are the domain's "Shared/" ones; empty = none.
    std::string shared_mailboxes{};
};

struct Account {
    AccountId id;
    std::string name;  ///< Login name: the primary address ("alice@example.test").
    std::string full_name;
    Quota quota;                  ///< What it does not bound, its domain may (Domain).
    std::int64_t created_at = 0;  ///< Since when it has its owner; 0: not known (RFC 7293).
    bool is_disabled = false;
    std::uint64_t auth_epoch = 1;  ///< Rises with each change of credentials (SECURITY.md T46).
    Credentials credentials;
    std::vector<std::string> forward_to;  ///< Where its mail goes; empty = into its mailboxes.
    bool forward_keeps = false;           ///< With forward_to: into its mailboxes too.
    /// What it may send as beside its own addresses: "boss@example.test" or "@example.test".
    std::vector<std::string> send_as;
};

/// An alias, or a group when it has several targets.
struct Alias {
    std::string address;               ///< "sales@example.test".
    std::vector<std::string> targets;  ///< Local or remote addresses.
    /// Reverse-path of what goes on to remote targets (RFC 5321 3.9.2); empty = the sender's.
    std::string owner{};
};

/// Where one recipient address leads.
struct LocalTarget {
    AccountId account;
    std::string account_name;
    std::string detail;     ///< The subaddress ("tag" of user+tag), or empty.
    mail::Address address;  ///< The address that matched, for Delivered-To.
};
struct RemoteTarget {
    mail::Address address;
    /// It came here for an address of ours and goes on (alias, group, forwarding): its reverse-path
    /// is ours to answer for.
    bool is_forwarded = false;
    std::optional<mail::Address> owner{};  ///< Of the group that leads here: gets the reports.
    /// The account whose forwarding leads here, for Delivered-To (G2).
    std::optional<mail::Address> forwarder{};
    bool has_kept_copy = false;  ///< The forwarder's mailbox has it too.
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
    /// Account::created_at of those whose address it is, itself or as an alias of theirs; not of
    /// those they forward to (RFC 7293).
    std::vector<std::int64_t> owned_since{};
    std::string archive{};  ///< archive_inbound of the address's domain.
};

/// Expands aliases and forwarding (bounded: limits::alias_depth_max, alias_expansion_max), domain
/// aliases, catch-all, subaddress. postmaster, abuse and mailer-daemon of a local domain (and bare
/// `postmaster`) always lead somewhere: an alias or account of that name, else the catch-all, else
/// the oldest account (`default_domain`'s first). RFC 5321 4.5.1, RFC 2142 2, G11.
Result<Recipient> resolve_recipient(const Snapshot& snapshot, ReadTier tier,
                                    const mail::Address& address, std::string_view default_domain);
Result<std::optional<Domain>> find_domain(const Snapshot& snapshot, ReadTier tier,
                                          std::string_view name);
Result<std::vector<Domain>> list_domains(const Snapshot& snapshot, ReadTier tier);
/// By login name: full, or bare (then in `default_domain`). Case as in account_key.
Result<std::optional<Account>> find_account(const Snapshot& snapshot, ReadTier tier,
                                            std::string_view login,
                                            std::string_view default_domain);
/// By mail::account_key.
Result<std::optional<Account>> find_account_by_key(const Snapshot& snapshot, ReadTier tier,
                                                   std::string_view key);
Result<std::optional<Alias>> find_alias(const Snapshot& snapshot, ReadTier tier,
                                        std::string_view key);
Result<std::optional<Account>> read_account(const Snapshot& snapshot, ReadTier tier, AccountId id);
Result<std::vector<Account>> list_accounts(const Snapshot& snapshot, ReadTier tier);
/// How many accounts have a password but no SCRAM-SHA-1 keys. Reads every account: at start and
/// reload only.
Result<std::size_t> count_without_sha1(const Snapshot& snapshot, ReadTier tier);
Result<std::vector<Alias>> list_aliases(const Snapshot& snapshot, ReadTier tier);
/// The domain that answers for `name`: itself, or the one it is an alias of. nullopt: not local.
Result<std::optional<Domain>> answering_domain(const Snapshot& snapshot, ReadTier tier,
                                               std::string_view name);
/// postmaster, abuse, mailer-daemon.
bool is_role(std::string_view local);
/// May this account write as `address`: its own name, an alias or group that leads to it alone or
/// among others, what it was granted (Account::send_as), each with a subaddress. T47, K4. A
/// catch-all and forwarding give no such right.
Result<bool> may_send_as(const Snapshot& snapshot, ReadTier tier, AccountId account,
                         const mail::Address& address);

/// Plans. Each checks against the snapshot, so that the error names what is wrong, and again at the
/// stamp by the rows' expected values (a rival gives Stale: plan again).
Result<Plan> plan_add_domain(const Snapshot& snapshot, const Domain& domain);
/// All but its name and age. It becomes an alias of another only while nobody is in it.
Result<Plan> plan_change_domain(const Snapshot& snapshot, const Domain& domain);
/// Refused while accounts, aliases or alias domains are in it.
Result<Plan> plan_remove_domain(const Snapshot& snapshot, std::string_view name);
/// `account.id` is drawn here; makes INBOX and the usual folders (Drafts, Sent, Trash, Junk,
/// Archive with their special use, subscribed).
Result<Plan> plan_add_account(const Snapshot& snapshot, Account account);
/// Adds SCRAM-SHA-1 keys made from the password that the account had at `auth_epoch`; an error when
/// it has another by now. Ends no session.
Result<Plan> plan_complete_keys(const Snapshot& snapshot, AccountId id, std::uint64_t auth_epoch,
                                const ScramKeys& scram_sha1);
Result<Plan> plan_change_account(const Snapshot& snapshot, const Account& account);
/// Removes the account's directory rows; its mail goes in bounded later steps (see
/// mailbox/removal).
Result<Plan> plan_remove_account(const Snapshot& snapshot, std::string_view login);
Result<Plan> plan_add_alias(const Snapshot& snapshot, const Alias& alias);
/// Replaces targets and owner of one that is there.
Result<Plan> plan_change_alias(const Snapshot& snapshot, const Alias& alias);
Result<Plan> plan_remove_alias(const Snapshot& snapshot, std::string_view address);

}  // namespace godwit::store
