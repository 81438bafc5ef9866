// Who but its owner may do what with a mailbox, and what each of them has seen there.
// RFC 4314 (access control lists); SECURITY.md T83, T84. Rows a, g and s; law: docs/storage.md.
//
// Row a says what somebody may do; row g leads from him to it, so that LIST need not ask every
// mailbox of the store. The two come and go together. A row a without rights is no entry of the
// list: it stays for whoever has, or had, a \Seen of his own there, so that all of it is found when
// he or the mailbox goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "store/kv/kv.h"
#include "store/mailbox/keys.h"
#include "store/mailbox/rights.h"

namespace godwit::store {

/// Entries of one mailbox's list.
inline constexpr std::size_t access_entries_max = 128;
/// Mailboxes of others that are listed to one account.
inline constexpr std::size_t grants_max = 2000;

/// An entry of a list.
struct AccessEntry {
    AccountId grantee;  ///< kAnyone: the owner's domain.
    Rights rights;
    bool operator==(const AccessEntry&) const = default;
};
/// A mailbox of somebody else.
struct Grant {
    AccountId owner;
    MailboxId mailbox;
    auto operator<=>(const Grant&) const = default;
};

/// The list of a mailbox, by grantee; what its owner may is not in it.
Result<std::vector<AccessEntry>> read_access(const Snapshot& snapshot, ReadTier tier,
                                             AccountId owner, MailboxId mailbox);
/// What `user` may do with a mailbox of `owner`: all when they are the same; else what the list
/// gives to him and to anyone of the owner's domain. None when one of them is no account.
Result<Rights> read_rights(const Snapshot& snapshot, ReadTier tier, AccountId owner,
                           MailboxId mailbox, AccountId user);
/// Mailboxes that some list names `user` for, or anyone of his domain; rising, without doubles, at
/// most grants_max. What he may there, read_rights() says: it may be nothing.
Result<std::vector<Grant>> list_grants(const Snapshot& snapshot, ReadTier tier, AccountId user);

// Rows.

std::string access_prefix(AccountId owner, MailboxId mailbox);
std::string access_key(AccountId owner, MailboxId mailbox, AccountId grantee);
/// `domain` for kAnyone, empty else.
std::string grant_prefix(AccountId grantee, std::string_view domain);
std::string grant_key(AccountId grantee, std::string_view domain, Grant grant);
/// Grant of a key of `prefix`, which is a grant_prefix(); nullopt when the key is too short.
std::optional<Grant> parse_grant_key(std::string_view key, std::string_view prefix);

/// The row a that a row g leads to; empty when it is no such key.
std::string access_key_of_grant(std::string_view key);
/// Whether `has` (key -> Result<bool>) knows the row that a row g leads to.
template <class Has>
Result<bool> is_grant_of(std::string_view key, Has has) {
    const std::string row = access_key_of_grant(key);
    return row.empty() ? Result<bool>(false) : has(row);
}

/// Row a.
struct AccessRow {
    Rights rights;
    std::string domain;  ///< Of kAnyone, whose row g it leads to.
};
std::string encode(const AccessRow& row);
Result<AccessRow> decode_access(std::string_view value);

/// Row s: which messages of one stretch of uids somebody has seen. A stretch costs half a KiB
/// whatever is in it, so that marking one message costs the same in every mailbox.
class SeenChunk {
public:
    static constexpr std::uint32_t kUids = 4096;
    static std::uint32_t number_of(Uid uid) { return uid.value() / kUids; }

    /// Corrupt when it is no such row.
    static Result<SeenChunk> decode(std::string_view value);
    [[nodiscard]] std::string encode() const;
    [[nodiscard]] bool has(Uid uid) const;
    void set(Uid uid, bool is_seen);
    [[nodiscard]] bool is_empty() const;
    /// Messages that are marked.
    [[nodiscard]] std::uint32_t count() const;

private:
    std::string bits_ = std::string(kUids / 8, '\0');
};
std::string seen_prefix(AccountId owner, MailboxId mailbox);
std::string seen_prefix(AccountId owner, MailboxId mailbox, std::uint32_t chunk);
std::string seen_key(AccountId owner, MailboxId mailbox, std::uint32_t chunk, AccountId user);
/// How many messages that are there `user` has seen: encode_number().
std::string seen_count_key(AccountId owner, MailboxId mailbox, AccountId user);
/// What a row s says: a stretch of marks, or how many there are of one visitor in one mailbox.
struct SeenRow {
    AccountId owner;
    MailboxId mailbox;
    AccountId user;
    bool is_count = false;
    std::uint64_t count = 0;
};
/// Corrupt when it is none.
Result<SeenRow> decode_seen_row(std::string_view key, std::string_view value);
/// Those of one walk over rows s, added up by mailbox and visitor.
class SeenTotals {
public:
    using Whose = std::tuple<AccountId, MailboxId, AccountId>;
    struct Total {
        std::uint64_t marks = 0;
        std::optional<std::uint64_t> told;  ///< As the row that counts has it.
        [[nodiscard]] bool is_right() const { return told.value_or(0) == marks; }
    };
    void add(const SeenRow& row);
    [[nodiscard]] const std::map<Whose, Total>& all() const { return totals_; }

private:
    std::map<Whose, Total> totals_;
};

Result<SeenChunk> read_seen(const Snapshot& snapshot, ReadTier tier, AccountId owner,
                            MailboxId mailbox, std::uint32_t chunk, AccountId user);
Result<std::uint32_t> read_seen_count(const Snapshot& snapshot, ReadTier tier, AccountId owner,
                                      MailboxId mailbox, AccountId user);

}  // namespace godwit::store
