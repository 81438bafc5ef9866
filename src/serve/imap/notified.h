// What a session asked to be told of by NOTIFY, and what of it waits to be told. RFC 5465. Own
// shard. The account's own mailboxes only: those of others are never matched.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "net/io/task.h"
#include "store/mailbox/mailbox.h"
#include "wire/imap/notify.h"

namespace godwit::serve::imap_desk {

class Conversation;
struct Inventory;

/// Entries of annotations that may wait to be told; past it NOTIFICATIONOVERFLOW ends all.
inline constexpr std::size_t notified_entries_max = 1000;

class Notified {
public:
    explicit Notified(imap::NotifyArguments asked);

    /// Of the selected mailbox; none: nothing is told of its messages.
    [[nodiscard]] const std::optional<imap::NotifySelected>& selected() const {
        return asked_.selected;
    }
    /// Takes in what a commit did, `selected` being the session's mailbox (0: none). True when
    /// there is something for tell().
    bool note(const store::AccountChange& change, MailboxId selected);
    /// Reads what is there, to tell differences from it; with STATUS in the command, tells that.
    net::Task<Result<>> take_stock(Conversation* c);
    /// Tells what was noted; what the store cannot say now waits on. Errors: the connection is
    /// lost.
    net::Task<Result<>> tell(Conversation* c);
    [[nodiscard]] bool has_news() const {
        return is_ready_ && (!messages_.empty() || has_list_news_ || !entries_.empty());
    }
    /// More happened than is kept: the client must be told that it is told nothing more.
    [[nodiscard]] bool has_overflown() const { return has_overflown_; }

private:
    struct Known {
        std::string name;
        bool is_selectable = true;
        bool operator==(const Known&) const = default;
    };
    using Mailboxes = std::map<MailboxId, Known>;
    struct Changed {
        std::set<std::string> names;
        std::map<std::string, std::string> old_names;  ///< By the new one.
    };

    void note_one(const store::MailboxChange& change, MailboxId selected, AccountId user);
    [[nodiscard]] imap::NotifyEvents events_of(const std::string& name) const;
    [[nodiscard]] bool wants(imap::NotifyEvent event) const;
    [[nodiscard]] Changed difference(const Mailboxes& now) const;
    void tell_list(Conversation* c, const Inventory& inventory);
    void write_list(Conversation* c, const Inventory& inventory, const std::string& name,
                    const std::string* old_name) const;
    void tell_entries(Conversation* c);
    using Noted = std::map<MailboxId, imap::NotifyEvents>;
    net::Task<Result<>> tell_messages(Conversation* c, const Noted* noted,
                                      const std::vector<store::MailboxState>* mailboxes);
    [[nodiscard]] std::vector<MailboxId> wanted_mailboxes(const Noted& noted) const;
    void note_again(const Noted& noted);

    imap::NotifyArguments asked_;
    imap::NotifyEvents wanted_ = 0;  ///< By any group.
    Mailboxes known_;
    std::set<std::string> subscribed_;
    bool is_ready_ = false;
    Noted messages_;
    bool has_list_news_ = false;
    std::set<std::pair<MailboxId, std::string>> entries_;
    bool has_overflown_ = false;
};

/// Tells what the client may hear now: of the selected mailbox, as Conversation::announce() does,
/// and what NOTIFY asked for.
enum class Expunges : std::uint8_t;
net::Task<Result<>> tell_news(Conversation* c, Expunges expunges);
/// The same between commands, where nobody asked: only after NOTIFY. RFC 5465 3.1.
net::Task<Result<>> tell_unasked(Conversation* c);

}  // namespace godwit::serve::imap_desk
