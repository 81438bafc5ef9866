// A plan says what shall happen, as plain data; the stamp (commit/stamper.h) makes it happen.
// Law: ARCHITECTURE.md house rule 1, STORE.md "The commit path". A plan is all or nothing. It holds
// no lock, no reservation and no view: it may be built anywhere, waited with, and dropped.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "store/blob/blob.h"
#include "store/mailbox/flags.h"
#include "store/mailbox/rights.h"
#include "store/queue/queue.h"

namespace godwit::store {

/// One event in the life of a message (`godwit message show`), kept for trace.keep days.
struct TraceEvent {
    MailId mail;
    WallTime at;
    std::string kind;  ///< Stable dotted name: "accepted", "delivered", "deferred", "bounced" ...
    std::string
        detail;  ///< One JSON object as text; bounded by limits::queue_error_text_size_max * 2.
};

/// What the mailbox needs to know of a message beside its body: made at delivery from the one
/// parse.
struct MessageRecord {
    BlobId blob;
    std::uint64_t blob_size = 0;
    /// Header lines put before the body on reading: Return-Path, Delivered-To, Received. CRLF ends.
    std::string prefix;
    /// mail::MessageSummary, encoded. Offsets are relative to the body (after `prefix`).
    std::string summary;
    /// 64-bit hashes for threading: of the own Message-ID, of References in their order, of
    /// In-Reply-To where it names others.
    std::vector<std::uint64_t> reference_hashes;
    std::int64_t sent_at = 0;  ///< Date header, unix seconds; 0 when absent.
    /// On reading: the row cannot be read; nothing else is set. Never in a plan.
    bool is_damaged = false;
};

struct AppendMessage {
    AccountId account;
    MailboxId mailbox;
    MessageRecord record;
    FlagNames flags;
    std::int64_t internal_date = 0;  ///< Unix seconds.
    MailId mail;                     ///< 0 when it came by IMAP APPEND.
    /// With queue mail: exactly once (RELIABILITY.md P3); 0 = none.
    std::uint64_t once_key = 0;
    /// What POP3 calls it (mailbox/unique_ids.h) where it had a name before it came here; empty:
    /// as all others. One that another email of the account has, or may get, is left out.
    std::string unique_id{};
    /// Whose the \Seen among `flags` is (mailbox/access.h); 0, or `account`: the owner's.
    AccountId user{};
    /// Which message of another server, or of a file, this is (mailbox/origins.h); empty: of none.
    /// One that came to the account before is not appended again: Appended::was_duplicate.
    std::string origin{};
    /// The number it has where it comes from. Denied when the mailbox has given it already.
    std::optional<Uid> uid{};
};

/// Flags that somebody may set and clear. RFC 4314 4.
struct FlagMask {
    bool seen = true;
    bool deleted = true;
    bool others = true;  ///< Keywords too.
};

enum class FlagChange : std::uint8_t { Add, Remove, Replace };
struct ChangeFlags {
    AccountId account;
    MailboxId mailbox;
    std::vector<Uid> uids;  ///< Rising. Uids that are gone are passed over.
    FlagChange change = FlagChange::Add;
    FlagNames flags;
    std::optional<ModSeq> unchanged_since;  ///< RFC 7162 3.1.3: others are reported, not changed.
    FlagMask may{};                         ///< What is not in it stays as it is.
    /// Whose \Seen is meant (mailbox/access.h); 0, or `account`: the owner's.
    AccountId user{};
};

struct ExpungeMessages {
    AccountId account;
    MailboxId mailbox;
    std::vector<Uid> uids;       ///< Rising.
    bool only_deleted = true;    ///< Skip those without \Deleted (RFC 3501 6.4.3, RFC 4315 2.1).
    bool must_be_there = false;  ///< NotFound when one of them is gone (RFC 8508 3.4).
};

/// COPY, or MOVE when `move` (RFC 6851): at no point is a message in neither mailbox.
struct CopyMessages {
    AccountId account;
    MailboxId source;
    MailboxId target;
    std::vector<Uid> uids;
    bool move = false;
    FlagMask may{};    ///< Flags that the copies keep.
    AccountId user{};  ///< Whose \Seen is carried over beside the owner's; 0: nobody's.
};

struct CreateMailbox {
    AccountId account;
    std::string name;  ///< UTF-8, NFC, '/' between levels; parents must exist or be created before
                       ///< it in the plan.
    std::string special_use;  ///< "\\Sent" ... or empty.
    bool subscribed = false;
    /// Q4: an account has one mailbox of a role. When there is one already: Denied, else it is made
    /// without the role.
    bool must_have_use = false;
};
struct RenameMailbox {
    AccountId account;
    MailboxId mailbox;
    std::string name;  ///< Inferiors move along. Renaming INBOX moves its messages (RFC
                       ///< 3501 6.3.5): see stamper.
};
struct DeleteMailbox {
    AccountId account;
    MailboxId mailbox;
};
/// RFC 3501 6.3.6: a name may be subscribed that does not exist.
struct SubscribeMailbox {
    AccountId account;
    std::string name;
    bool subscribed = true;
};

/// RFC 6154 5.4: the mailbox's role, or none. Another mailbox that has it loses it (Q4).
struct SetSpecialUse {
    AccountId account;
    MailboxId mailbox;
    std::string special_use;
};
/// A mailbox goes on with the numbers it had on another server. Another UIDVALIDITY is taken by a
/// mailbox that never held a message alone (Denied), and up to adopted_uid_validity_max (Invalid).
/// UIDNEXT only rises.
struct AdoptUids {
    AccountId account;
    MailboxId mailbox;
    std::optional<UidValidity> uid_validity;
    std::optional<Uid> uid_next;
};
/// Later mailboxes of the account draw greater numbers: some must be left.
inline constexpr std::uint32_t adopted_uid_validity_max = UINT32_MAX - 65536;

/// RFC 5464 4.3: sets and removes entries, all or none. LimitExceeded past annotations_max and
/// annotations_size_max.
struct SetAnnotations {
    struct Entry {
        std::string name;                  ///< Lower case, checked by the caller.
        std::optional<std::string> value;  ///< nullopt removes it.
    };
    AccountId account;
    MailboxId mailbox;  ///< 0: of the server, as the account sees it.
    AccountId user;     ///< Whose private entries; 0: shared ones.
    std::vector<Entry> entries;
};
/// Annotations of an account's mailboxes together: entries, and octets of their names and values.
inline constexpr std::size_t annotations_max = 1000;
inline constexpr std::size_t annotations_size_max = 1024 * 1024;
/// What one who is not the owner may keep there for himself.
inline constexpr std::size_t annotations_of_visitor_max = 50;
inline constexpr std::size_t annotations_of_visitor_size_max = 64 * 1024;

/// RFC 4314 3.1, 3.2: what somebody may do with a mailbox; nothing: his entry goes. LimitExceeded
/// past access_entries_max, NotFound when there is no such grantee (any more), Denied for the
/// owner.
struct SetAccess {
    AccountId account;
    MailboxId mailbox;
    AccountId grantee;  ///< kAnyone: the owner's domain.
    Rights rights;
};

/// RFC 3501 2.3.2: messages that came since the last claim are \Recent to the session that claims
/// them, and to no other.
struct ClaimRecent {
    AccountId account;
    MailboxId mailbox;
};

/// Removes what deleted mailboxes (or a deleted account) left behind, at most `messages_max`
/// messages; repeat until Purged::is_done. See mailbox/removal.h.
struct PurgeRemains {
    AccountId account;
    std::size_t messages_max = 0;
};
/// Drops change log rows written before `before`, oldest first, at most `rows_max`. Clients whose
/// last state is older synchronise in full (RFC 7162 3.2.5.2).
struct TrimChangeLog {
    AccountId account;
    WallTime before;
    std::size_t rows_max = 0;
};
/// Drops trace events (and spent once-keys) of messages accepted before `before`.
struct TrimTrace {
    WallTime before;
    std::size_t rows_max = 0;
};

/// Raw rows with what must hold before: directory changes and the like. Only rows of families that
/// the stamper does not keep itself (schema.h: is_open_family).
struct ChangeRows {
    struct Expect {
        std::string key;
        std::optional<std::string> value;  ///< nullopt: must be absent. Else: must be this.
    };
    std::vector<Expect> expects;
    std::vector<Batch::Entry> entries;
    /// Directory accounts touched: sessions of these are told (auth epoch).
    std::vector<AccountId> accounts;
};

/// Rows of an account's search index (store/search), which follow from its emails. Stale unless row
/// F of the account is `state`.
struct ChangeIndex {
    AccountId account;
    std::optional<std::string> state;  ///< nullopt: absent.
    std::vector<Batch::Entry> entries;
};

struct AddToQueue {
    QueueMessage message;
    std::vector<QueueDelivery> deliveries;
};
/// Replaces deliveries of a queued message (by number); those that are `done` go away, and with the
/// last one the message and its body's link. One that is no longer there gives Stale.
struct UpdateQueue {
    MailId mail;
    std::vector<QueueDelivery> deliveries;
    /// Set when this is what came of an attempt: the time its delivery was due. A row that is held,
    /// or due at another time, has had an order of an operator meanwhile, which then stands.
    std::optional<WallTime> attempted_due{};
};
/// Operators: removes the message with all that is left of it.
struct RemoveFromQueue {
    MailId mail;
};

using PlanStep =
    std::variant<AppendMessage, ChangeFlags, ExpungeMessages, CopyMessages, CreateMailbox,
                 RenameMailbox, DeleteMailbox, SubscribeMailbox, SetSpecialUse, AdoptUids,
                 SetAnnotations, SetAccess, ClaimRecent, PurgeRemains, TrimChangeLog, TrimTrace,
                 ChangeRows,
                 ChangeIndex, AddToQueue, UpdateQueue, RemoveFromQueue, TraceEvent>;

struct Plan {
    std::vector<PlanStep> steps;
    /// Bodies that the steps refer to by BlobId and that may not be stored yet. One that no step
    /// links is stored anew where it is stored already and damaged, and else dropped.
    std::vector<NewBody> bodies;
    /// Nobody waits for it: it rides in the next group instead of causing one, at the latest after
    /// kCommitPatience. For the queue's own book-keeping (STORE.md: deletes ride the next batch).
    bool may_wait = false;
};

struct Appended {
    UidValidity uid_validity;
    Uid uid;
    EmailId email;
    ModSeq mod_seq;
    bool was_duplicate = false;  ///< once_key or origin was seen before: nothing was appended.
};
struct FlagsChanged {
    std::vector<Uid> changed;   ///< Those that differ now; how, is in the published change.
    std::vector<Uid> rejected;  ///< MODIFIED (RFC 7162 3.1.3).
    ModSeq mod_seq;
};
struct Expunged {
    std::vector<Uid> uids;
    ModSeq mod_seq;
};
struct Copied {
    UidValidity uid_validity;
    std::vector<Uid> source{};  ///< Same length as target, same order.
    std::vector<Uid> target{};
};
struct MailboxCreated {
    MailboxId mailbox;
    UidValidity uid_validity;
};
struct RecentClaimed {
    Uid after;  ///< Messages with a greater Uid were recent; 0 = all.
};
struct Purged {
    std::size_t messages = 0;
    bool is_done = false;  ///< Nothing is left.
};
struct Trimmed {
    std::size_t rows = 0;
    bool is_done = false;
};
struct Done {};
using StepResult = std::variant<Done, Appended, FlagsChanged, Expunged, Copied, MailboxCreated,
                                RecentClaimed, Purged, Trimmed>;

/// What a durable plan became. One result a step, in order.
struct CommitReceipt {
    CommitSeq seq;
    std::vector<StepResult> results;
};

/// Why a plan was dropped whole. `step` is the index of the step that did not fit.
struct PlanFailure {
    Error
        error;  ///< NotFound, AlreadyExists, OverQuota, LimitExceeded, Stale, DiskFull, Closed ...
    std::size_t step = 0;
    /// The plan itself, when it was not stamped: whoever plans again takes the bodies from it. May
    /// be null.
    std::unique_ptr<Plan> plan{};
};
using CommitResult = std::expected<CommitReceipt, PlanFailure>;

}  // namespace godwit::store
