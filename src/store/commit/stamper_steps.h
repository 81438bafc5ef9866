// What the steps of a plan share while they are stamped, and one function a kind of step.
// Commit thread only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/recent.h"
#include "base/result.h"
#include "store/commit/plan.h"
#include "store/commit/stamper_accounts.h"
#include "store/commit/stamper_rows.h"
#include "store/mailbox/access.h"
#include "store/mailbox/change.h"
#include "store/mailbox/schema.h"

namespace godwit::store {

/// The open group, and in it the open plan.
struct StampContext {
    explicit StampContext(const Kv* kv) : rows(kv), accounts(&rows) {}

    /// Trace events of a message, at most: what is taken back with a plan stays counted.
    Recent<MailId, std::size_t> trails{kRecentBound};
    /// Links of bodies whose every link was made since they were new.
    Recent<BlobId, std::size_t> body_links{kRecentBound};
    /// Whether any once-key may be stored; not known before the first look.
    std::optional<bool> has_once_keys;

    StampedRows rows;
    AccountStates accounts;
    CommitSeq seq;
    WallTime now{};

    // Grow with the group; a failed plan cuts them back.
    std::vector<std::pair<AccountId, MailboxChange>> changes;
    std::vector<AccountId> credentials;
    std::vector<QueueChange::Item> queue;
    std::vector<BlobId> linked;
    std::vector<BlobId> unlinked;

    std::uint32_t trace_ordinal = 0;  ///< Of the next trace event of the group.
    std::vector<MailId> fresh;        ///< Messages that the open plan brings in, rising.
    const Plan* plan = nullptr;
};

Result<StepResult> stamp_step(StampContext& context, const AppendMessage& step);
Result<StepResult> stamp_step(StampContext& context, const ChangeFlags& step);
Result<StepResult> stamp_step(StampContext& context, const ExpungeMessages& step);
Result<StepResult> stamp_step(StampContext& context, const CopyMessages& step);
Result<StepResult> stamp_step(StampContext& context, const CreateMailbox& step);
Result<StepResult> stamp_step(StampContext& context, const RenameMailbox& step);
Result<StepResult> stamp_step(StampContext& context, const DeleteMailbox& step);
Result<StepResult> stamp_step(StampContext& context, const SubscribeMailbox& step);
Result<StepResult> stamp_step(StampContext& context, const SetSpecialUse& step);
Result<StepResult> stamp_step(StampContext& context, const AdoptUids& step);
Result<StepResult> stamp_step(StampContext& context, const SetAnnotations& step);
Result<StepResult> stamp_step(StampContext& context, const SetAccess& step);
Result<StepResult> stamp_step(StampContext& context, const ClaimRecent& step);
Result<StepResult> stamp_step(StampContext& context, const PurgeRemains& step);
Result<StepResult> stamp_step(StampContext& context, const TrimChangeLog& step);
Result<StepResult> stamp_step(StampContext& context, const TrimTrace& step);
Result<StepResult> stamp_step(StampContext& context, const ChangeRows& step);
Result<StepResult> stamp_step(StampContext& context, const ChangeIndex& step);
Result<StepResult> stamp_step(StampContext& context, const AddToQueue& step);
Result<StepResult> stamp_step(StampContext& context, const UpdateQueue& step);
Result<StepResult> stamp_step(StampContext& context, const RemoveFromQueue& step);
Result<StepResult> stamp_step(StampContext& context, const TraceEvent& step);

// Bodies (stamper_emails.cc).

/// True when the body is in the open plan or something links to it.
Result<bool> is_body_there(const StampContext& context, const BlobId& blob);
void link_body(StampContext& context, const BlobId& blob, std::string key);
void unlink_body(StampContext& context, const BlobId& blob, std::string key);

// Emails (stamper_emails.cc).

/// The hashes that a message is threaded by: without doubles, at most thread_references_max: its
/// own and its parents' first, then the nearest ancestors.
std::vector<std::uint64_t> thread_hashes(const std::vector<std::uint64_t>& hashes);
/// Writes a new email with its link and its place in a thread: the given one, or the one its
/// references lead to, or its own. Gives the thread.
Result<ThreadId> add_email(StampContext& context, AccountId account, EmailId email, EmailRow row,
                           std::optional<ThreadId> thread);
/// Where an email is. Corrupt when there is no such email.
Result<std::vector<EmailPlace>> read_places(const StampContext& context, AccountId account,
                                            EmailId email);
/// What POP3 shall call a new email, where it may: empty when the text is taken, or one that a
/// message without a text of its own has or will have. Invalid when it is no unique id.
Result<std::string> free_unique_id(StampContext& context, StampedAccount& account,
                                   std::string_view text);
void write_places(StampContext& context, AccountId account, EmailId email,
                  const std::vector<EmailPlace>& places);
/// Takes an email out of one place; out of the last one, the email goes with its link and
/// references.
Result<> remove_place(StampContext& context, AccountId account, EmailId email, EmailPlace place);

// Rows of messages (stamper_messages.cc).

Result<std::optional<MessageRow>> read_message(const StampContext& context, AccountId account,
                                               MailboxId mailbox, Uid uid);
/// Uids of a mailbox, rising; at most `count`.
Result<std::vector<Uid>> read_uids(const StampContext& context, AccountId account,
                                   MailboxId mailbox, std::size_t count);
enum class FullDictionary : std::uint8_t { Refuse, LeaveOut };
/// Flags by number; adds names the dictionary lacks.
Result<MessageFlags> intern_flags(StampContext& context, StampedAccount& account, MailboxId mailbox,
                                  const FlagNames& names, FullDictionary full);
/// `flags`, with what is not in `may` as in `before`.
MessageFlags masked(MessageFlags flags, const MessageFlags& before, const FlagMask& may);
void count_in(StampedAccount& account, StampedMailbox& mailbox, const MessageRow& row);
void count_out(StampedAccount& account, StampedMailbox& mailbox, const MessageRow& row);
/// OverQuota when `more` would pass the account's quota or its domain's.
Result<> check_quota(const StampedAccount& account, const QuotaUse& more);
/// Invalid unless strictly rising without 0; LimitExceeded past plan_rows_max.
Result<> check_uids(const std::vector<Uid>& uids);
void write_log(StampContext& context, AccountId account, LogRow row);
void publish(StampContext& context, AccountId account, MailboxChange change);
/// The annotations of a mailbox that is deleted (stamper_annotations.cc).
Result<> erase_annotations(StampContext& context, AccountId account, MailboxId mailbox);
/// RFC 5464 4.1: renaming INBOX leaves its shared and private entries there and copies them.
Result<> copy_annotations(StampContext& context, AccountId account, MailboxId from, MailboxId to);
// Access of others (stamper_access.cc).

/// RFC 4314 4: a new mailbox has the list of the one above it.
Result<> copy_access(StampContext& context, AccountId account, MailboxId from, MailboxId to);
/// The list of a mailbox that is deleted.
Result<> erase_access(StampContext& context, AccountId account, MailboxId mailbox);
/// What others have seen of a mailbox that is deleted: at most `count` rows; how many.
Result<std::size_t> erase_seen(StampContext& context, AccountId account, MailboxId mailbox,
                               std::size_t count);
/// What leads from an account that is removed to mailboxes of others and from others to its own,
/// and what it left there: at most `count` rows; how many.
Result<std::size_t> erase_grants(StampContext& context, AccountId account, std::size_t count);
/// Messages are gone: nobody has seen them.
Result<> forget_seen(StampContext& context, AccountId account, MailboxId mailbox,
                     const std::vector<Uid>& uids);
/// Something of a visitor is kept in a mailbox: it must be found when he goes.
Result<> know_visitor(StampContext& context, AccountId account, MailboxId mailbox, AccountId user);
/// True when `user` has a \Seen of his own in mailboxes of `account`.
inline bool is_visitor(AccountId account, AccountId user) {
    return user != AccountId(0) && user != account;
}

/// What a visitor has seen of a mailbox, to be read and changed by one step; finish() writes it.
class StampedSeen {
public:
    StampedSeen(StampContext& context, AccountId account, MailboxId mailbox, AccountId user)
        : context_(context), account_(account), mailbox_(mailbox), user_(user) {}
    Result<bool> has(Uid uid);
    /// True when that changed anything.
    Result<bool> set(Uid uid, bool is_seen);
    Result<> finish();

private:
    Result<SeenChunk*> chunk_of(Uid uid);

    StampContext& context_;
    AccountId account_;
    MailboxId mailbox_;
    AccountId user_;
    std::map<std::uint32_t, SeenChunk> chunks_;
    std::int64_t added_ = 0;
    bool has_changed_ = false;
};

/// A visitor has seen these, which came just now.
Result<> mark_seen(StampContext& context, AccountId account, MailboxId mailbox, AccountId user,
                   const std::vector<Uid>& uids);

/// What a deleted mailbox left: removes at most `count` of its messages, gives how many.
Result<std::size_t> purge_mailbox(StampContext& context, StampedAccount& account, MailboxId mailbox,
                                  std::size_t count);

}  // namespace godwit::store
