// Reading mailboxes from a snapshot: the account's list, one mailbox's counters, rows, records.
// All functions are bounded steps over one snapshot; WouldBlock under Cached means run again on the
// offload pool. The keys and values are in mailbox/schema.h and docs/storage.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "store/commit/plan.h"
#include "store/kv/kv.h"
#include "store/mailbox/change.h"

namespace godwit::store {

/// INBOX is always there and always number 1.
inline constexpr MailboxId kInbox{1};

/// Row A: counters of an account.
struct AccountHead {
    std::uint32_t next_email = 1;
    std::uint32_t next_mailbox = 1;
    std::uint64_t mod_seq = 1;  ///< Last one drawn.
    std::uint64_t bytes_used = 0;
    std::uint64_t messages_used = 0;
    std::uint32_t mailboxes = 0;
    std::uint32_t subscriptions = 0;
    std::uint32_t last_uid_validity = 0;
    std::uint64_t oldest_log = 0;  ///< Change log rows below are trimmed.
};

/// Rows B and N: a mailbox and its counters.
struct MailboxState {
    MailboxId id;
    std::string name;         ///< Full UTF-8 path, '/' separated; "INBOX" for the inbox.
    std::string special_use;  ///< "\\Sent" or empty.
    UidValidity uid_validity;
    Uid uid_next;
    ModSeq highest_mod_seq;
    std::uint32_t messages = 0;
    std::uint32_t unseen = 0;
    std::uint32_t deleted = 0;
    std::uint64_t bytes = 0;
    Uid recent_after;  ///< Messages above are \Recent to the next SELECT (RFC 3501 2.3.2).
    ModSeq created;
    /// False for a name kept only for its inferiors: \Noselect (RFC 3501 6.3.4, RFC 9051 6.3.5).
    bool is_selectable = true;
};

/// Names of the account's keywords by number.
using KeywordNames = std::map<std::uint8_t, std::string>;

Result<std::optional<AccountHead>> read_head(const Snapshot& snapshot, ReadTier tier,
                                             AccountId account);
/// All mailboxes, by name in byte order with INBOX first; those with a damaged row are left out.
Result<std::vector<MailboxState>> list_mailboxes(const Snapshot& snapshot, ReadTier tier,
                                                 AccountId account);
Result<std::optional<MailboxState>> find_mailbox(const Snapshot& snapshot, ReadTier tier,
                                                 AccountId account, std::string_view name);
Result<std::optional<MailboxState>> read_mailbox(const Snapshot& snapshot, ReadTier tier,
                                                 AccountId account, MailboxId mailbox);
Result<std::vector<std::string>> list_subscriptions(const Snapshot& snapshot, ReadTier tier,
                                                    AccountId account);
Result<KeywordNames> read_keywords(const Snapshot& snapshot, ReadTier tier, AccountId account);
/// An entry's name and its value. RFC 5464 3.
using Annotation = std::pair<std::string, std::string>;
/// Annotations of a mailbox (0: of the server) that are shared (`user` 0) or `user`'s own, by name;
/// bounded by annotations_max and annotations_size_max (commit/plan.h).
Result<std::vector<Annotation>> read_annotations(const Snapshot& snapshot, ReadTier tier,
                                                 AccountId account, MailboxId mailbox,
                                                 AccountId user);
/// What SELECT says of a mailbox, at the same cost for any.
struct MailboxGlance {
    MailboxState state;
    CommitSeq seq;  ///< The last commit that is in it.
    /// Messages above the mark that was asked for.
    std::optional<std::uint32_t> above{};
    /// How many messages are before the first without \Seen. Nothing when all have it, and when
    /// neither end of the mailbox tells.
    std::optional<std::uint32_t> before_unseen{};
};
/// Rows looked at from each end.
inline constexpr std::size_t glance_rows_max = 2048;
/// nullopt when there is no such mailbox. A damaged row that is met is Corrupt, unlogged.
Result<std::optional<MailboxGlance>> glance_at(const Snapshot& snapshot, ReadTier tier,
                                               AccountId account, MailboxId mailbox, Uid mark);
/// Rows with uid >= `from`, at most `count` (limits::scan_rows_max), rising. Damaged ones are
/// left out and logged, here and wherever many rows are read.
Result<std::vector<MessageRow>> read_rows(const Snapshot& snapshot, ReadTier tier,
                                          AccountId account, MailboxId mailbox, Uid from,
                                          std::size_t count);
Result<std::optional<MessageRow>> read_row(const Snapshot& snapshot, ReadTier tier,
                                           AccountId account, MailboxId mailbox, Uid uid);
Result<std::optional<MessageRecord>> read_record(const Snapshot& snapshot, ReadTier tier,
                                                 AccountId account, EmailId email);
/// The same for many, in their order; fast when they rise. Bounded by the caller. One whose row
/// is damaged comes back with MessageRecord::is_damaged and nothing else.
Result<std::vector<std::optional<MessageRecord>>> read_records(const Snapshot& snapshot,
                                                               ReadTier tier, AccountId account,
                                                               std::span<const EmailId> emails);
/// Records of many emails, each looked at where it lies; fast when they rise. One thread; the
/// snapshot outlives it.
class RecordWalk {
public:
    RecordWalk(const Snapshot& snapshot, ReadTier tier, AccountId account);
    /// Into the row: dies with the next find().
    struct RecordView {
        std::string_view prefix;
        std::string_view summary;
        std::uint64_t blob_size = 0;
        bool is_damaged = false;  ///< It was logged; nothing else is set.
    };
    /// nullopt: it is gone.
    Result<std::optional<RecordView>> find(EmailId email);

private:
    AccountId account_;
    std::string upper_;
    std::unique_ptr<Cursor> cursor_;
};
/// Uids expunged from the mailbox since `since`, rising; nullopt when the change log no longer
/// reaches back that far, is damaged, lacks a row, or holds more than limits::change_log_scan_max
/// rows since.
Result<std::optional<std::vector<Uid>>> read_expunged(const Snapshot& snapshot, ReadTier tier,
                                                      AccountId account, MailboxId mailbox,
                                                      ModSeq since);
/// The last commit whose rows this snapshot sees.
Result<CommitSeq> read_commit_seq(const Snapshot& snapshot, ReadTier tier);
/// The life of a message, oldest first.
Result<std::vector<TraceEvent>> read_trace(const Snapshot& snapshot, ReadTier tier, MailId mail);

}  // namespace godwit::store
