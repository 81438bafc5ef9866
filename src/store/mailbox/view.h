// One mailbox in memory: what FETCH FLAGS, SEARCH and STORE work on. Shared by all sessions of a
// shard that have the mailbox open; grows and shrinks by the changes that commits publish.
// It begins as a head (how many messages, which number is next), which SELECT needs and which costs
// the same for any mailbox; rows come when somebody asks for them.
// Thread rule: one shard. Never written but by load, adopt and apply.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/limits.h"
#include "store/mailbox/change.h"
#include "store/mailbox/mailbox.h"

namespace godwit::store {

/// The rows of a mailbox as of one snapshot, while they are being read. May be read on any thread,
/// one at a time; a view takes it when it is whole.
class RowsReading {
public:
    /// For the view of `user`, who may not be the owner.
    RowsReading(AccountId account, MailboxId mailbox, AccountId user)
        : account_(account), mailbox_(mailbox), user_(user) {}
    RowsReading(AccountId account, MailboxId mailbox) : RowsReading(account, mailbox, account) {}
    /// One bounded step from `snapshot` (always the same one until done); true when done. NotFound
    /// when there is no such mailbox, or it holds no messages by its nature.
    Result<bool> step(const Snapshot& snapshot, ReadTier tier,
                      std::size_t rows_max = limits::scan_rows_max);
    [[nodiscard]] const MailboxState& state() const { return state_; }

private:
    friend class MailboxView;
    Result<> load_seen(const Snapshot& snapshot, ReadTier tier, std::size_t from);
    AccountId account_;
    MailboxId mailbox_;
    AccountId user_;
    std::vector<MessageRow> rows_;
    std::vector<Uid> damaged_;
    MailboxState state_{};
    CommitSeq seq_;
    Uid from_{1};
    bool has_begun_ = false;
    bool is_whole_ = false;
};

class MailboxView {
public:
    /// As `user` sees it: with his own \Seen, where he is not the owner (mailbox/access.h).
    MailboxView(AccountId account, MailboxId mailbox, AccountId user)
        : account_(account), mailbox_(mailbox), user_(user) {}
    MailboxView(AccountId account, MailboxId mailbox) : MailboxView(account, mailbox, account) {}

    /// Becomes a head: what was true at `seq`. Once, and not once rows are there.
    void begin(const MailboxState& state, CommitSeq seq);
    [[nodiscard]] bool has_begun() const { return has_begun_; }
    /// Takes rows that were read to their end. Where the view has begun it must know of all that
    /// the reading saw (highest_mod_seq() says so). Changes that came since the reading began are
    /// to be given in order: those it did not see are applied to the rows.
    void adopt(RowsReading&& reading, std::span<const std::shared_ptr<const AccountChange>> since);

    [[nodiscard]] bool is_loaded() const { return is_loaded_; }

    /// Applies what a commit did to this mailbox; others' changes are ignored, and those that are
    /// in it already. In commit order.
    void apply(const AccountChange& change);

    /// How many there are, loaded or not.
    [[nodiscard]] std::size_t messages() const { return is_loaded_ ? rows_.size() : messages_; }
    /// The last commit that is in it.
    [[nodiscard]] CommitSeq seq() const { return seq_; }
    /// All messages, rising by uid; empty before they are loaded. Valid until the next apply().
    [[nodiscard]] std::span<const MessageRow> rows() const { return rows_; }
    /// Index of the first row with uid >= `uid`; rows().size() when there is none.
    [[nodiscard]] std::size_t lower_bound(Uid uid) const;
    [[nodiscard]] const MessageRow* find(Uid uid) const;
    /// Those whose rows could not be read when the others were loaded: the head counts them.
    /// Rising.
    [[nodiscard]] std::span<const Uid> damaged() const { return damaged_; }
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
    void apply_to_head(const MailboxChange& one);
    void apply_to_rows(const MailboxChange& one);
    void put(MessageRow row);
    void note_seen(const SeenChanged& change);
    [[nodiscard]] bool is_visited() const { return user_ != account_; }

    AccountId account_;
    MailboxId mailbox_;
    AccountId user_;
    std::vector<MessageRow> rows_;
    std::vector<Uid> damaged_;
    std::size_t messages_ = 0;  ///< While rows are not loaded.
    CommitSeq seq_;
    ModSeq highest_mod_seq_;
    Uid uid_next_{1};
    UidValidity uid_validity_;
    bool has_begun_ = false;
    bool is_loaded_ = false;
    bool is_deleted_ = false;
};

}  // namespace godwit::store
