// One mailbox in memory: what FETCH FLAGS, SEARCH and STORE work on. Shared by all sessions of a
// shard that have the mailbox open; grows and shrinks by the changes that commits publish.
// Thread rule: one shard. Never written but by load and apply.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "store/mailbox/change.h"
#include "store/mailbox/mailbox.h"

namespace godwit::store {

class MailboxView {
public:
    /// As `user` sees it: with his own \Seen, where he is not the owner (mailbox/access.h).
    MailboxView(AccountId account, MailboxId mailbox, AccountId user)
        : account_(account), mailbox_(mailbox), user_(user) {}
    MailboxView(AccountId account, MailboxId mailbox) : MailboxView(account, mailbox, account) {}

    /// One bounded step of loading from `snapshot` (always the same one until done); true when
    /// done. Not to be used before. Changes with seq at most the snapshot's are passed over by
    /// apply().
    Result<bool> load_step(const Snapshot& snapshot, ReadTier tier);
    [[nodiscard]] bool is_loaded() const { return is_loaded_; }

    /// Applies what a commit did to this mailbox; others' changes are ignored. In commit order.
    void apply(const AccountChange& change);

    /// All messages, rising by uid. Valid until the next apply().
    [[nodiscard]] std::span<const MessageRow> rows() const { return rows_; }
    /// Index of the first row with uid >= `uid`; rows().size() when there is none.
    [[nodiscard]] std::size_t lower_bound(Uid uid) const;
    [[nodiscard]] const MessageRow* find(Uid uid) const;
    [[nodiscard]] ModSeq highest_mod_seq() const { return highest_mod_seq_; }
    [[nodiscard]] Uid uid_next() const { return uid_next_; }
    [[nodiscard]] UidValidity uid_validity() const { return uid_validity_; }
    [[nodiscard]] bool is_deleted() const { return is_deleted_; }
    [[nodiscard]] AccountId account() const { return account_; }
    [[nodiscard]] MailboxId mailbox() const { return mailbox_; }
    [[nodiscard]] AccountId user() const { return user_; }
    /// Octets it holds, for the cache's budget.
    [[nodiscard]] std::size_t memory_size() const;

private:
    void put(MessageRow row);
    void apply_one(const MailboxChange& change);
    void note_seen(const SeenChanged& change);
    [[nodiscard]] bool is_visited() const { return user_ != account_; }
    Result<> load_seen(const Snapshot& snapshot, ReadTier tier, std::span<MessageRow> rows) const;

    AccountId account_;
    MailboxId mailbox_;
    AccountId user_;
    std::vector<MessageRow> rows_;
    CommitSeq seq_;
    ModSeq highest_mod_seq_;
    Uid uid_next_{1};
    UidValidity uid_validity_;
    Uid load_from_{1};
    bool is_loaded_ = false;
    bool is_deleted_ = false;
};

}  // namespace godwit::store
