// What a commit changed, as told to those who watch an account: views, IDLE, push, the scheduler.
// Published on the commit thread after the sync and before the callers resume.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "store/mailbox/flags.h"
#include "store/queue/queue.h"

namespace godwit::store {

/// The row of a message in a mailbox (family U), as views keep it.
struct MessageRow {
    Uid uid;
    EmailId email;
    ThreadId thread;
    ModSeq mod_seq;
    MessageFlags flags;
    std::int64_t internal_date = 0;  ///< Unix seconds.
    std::int64_t saved_at = 0;       ///< Unix seconds; RFC 8514.
    std::uint64_t size = 0;          ///< RFC822.SIZE: prefix and body.
};

struct MessagesAppended {
    std::vector<MessageRow> rows;
};
struct MessageFlagsChanged {
    std::vector<MessageRow> rows;  ///< As they are now.
    /// Of those rows: the ones of which nothing changed but what `seen_by` has seen, who is the
    /// owner or somebody else with a \Seen of his own.
    std::vector<Uid> only_seen{};
    AccountId seen_by{};
};
struct MessagesExpunged {
    std::vector<Uid> uids;  ///< Rising.
    ModSeq mod_seq;
};
/// What LIST would say; of mailbox 0 where only a subscription changed, whose name is no mailbox's.
struct MailboxListChanged {
    bool was_deleted = false;  ///< This mailbox is gone.
    bool was_renamed = false;
    /// Its numbers were taken over from another server (AdoptUids).
    std::optional<UidValidity> uid_validity{};
    std::optional<Uid> uid_next{};
};
/// Entries were set or removed; of mailbox 0: the server's. RFC 5464.
struct AnnotationsChanged {
    AccountId user;  ///< Whose private entries; 0: shared ones.
    std::vector<std::string> entries;
};
/// What others than the owner may do changed.
struct AccessChanged {};
/// Somebody's own \Seen, of messages that the change's other parts tell as moved on.
struct SeenChanged {
    AccountId user;
    std::vector<Uid> uids;  ///< Rising.
    bool is_seen = false;
};
struct KeywordsAdded {};  ///< The dictionary grew; names are in the account's rows.

struct MailboxChange {
    MailboxId mailbox;
    std::variant<MessagesAppended, MessageFlagsChanged, MessagesExpunged, MailboxListChanged,
                 KeywordsAdded, AnnotationsChanged, AccessChanged, SeenChanged>
        what;
};

/// All changes that one commit made to one account, in order. Immutable, shared between shards.
struct AccountChange {
    AccountId account;
    CommitSeq seq;
    std::vector<MailboxChange> mailboxes;
    bool credentials_changed = false;  ///< Sessions must end (auth epoch).
};

/// Queue entries that a commit added, changed or removed, for the scheduler.
struct QueueChange {
    CommitSeq seq;
    struct Item {
        MailId mail;
        std::uint32_t delivery = 0;
        std::string site;
        WallTime due{};
        bool is_gone = false;
        bool is_held = false;
    };
    std::vector<Item> items;
};

/// Who is told. subscribe and unsubscribe from any thread; listeners are called on the commit
/// thread, must not block, and usually post to their shard. After unsubscribe() returns, no further
/// call begins (one may be under way: listeners keep what they use alive).
class ChangeBus {
public:
    using AccountListener = std::function<void(const std::shared_ptr<const AccountChange>&)>;
    using QueueListener = std::function<void(const std::shared_ptr<const QueueChange>&)>;
    using Token = std::uint64_t;

    ChangeBus();
    ~ChangeBus();
    Token subscribe(AccountId account, AccountListener listener);
    Token subscribe_queue(QueueListener listener);
    void unsubscribe(Token token);

    /// Commit thread only.
    void publish(std::shared_ptr<const AccountChange> change);
    void publish(std::shared_ptr<const QueueChange> change);

private:
    struct Inner;
    std::unique_ptr<Inner> inner_;
};

}  // namespace godwit::store
