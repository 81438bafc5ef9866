// What all IMAP sessions of one user on one shard share of one account, his own or another: its
// open mailboxes, its keywords, and the one subscription through which commits reach them.
// ARCHITECTURE.md "home shard"; SECURITY.md T46, T88; RFC 3501 2.3.2 (keywords, \Recent).
// Thread rule: one shard. A room lives as long as a session holds it.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "flow/services.h"
#include "net/io/list.h"
#include "net/io/sync.h"
#include "net/io/task.h"
#include "store/mailbox/change.h"
#include "store/mailbox/view.h"

namespace godwit::serve::imap_desk {

/// Told of each change on the room's shard, after the open mailboxes have taken it in.
struct Watcher : net::ListNode {
    /// Mutable: a list hands out const nodes.
    mutable std::move_only_function<void(const store::AccountChange&)> on_change;
};

/// One mailbox that sessions have open.
class OpenMailbox {
public:
    OpenMailbox(AccountId account, MailboxId mailbox, AccountId user)
        : view_(account, mailbox, user) {}

    [[nodiscard]] const store::MailboxView& view() const { return view_; }
    /// The next load: uids above are \Recent to whoever claims them first.
    [[nodiscard]] Uid recent_after() const { return recent_after_; }
    /// Up to here \Recent has been given to some session; `is_saved` once that is durable.
    void claim_recent(Uid up_to);
    [[nodiscard]] bool has_unsaved_claim() const { return saved_after_ < recent_after_; }
    void claim_is_saved(Uid up_to) { saved_after_ = std::max(saved_after_, up_to); }
    /// How often the key of its URLs was replaced or forgotten while it was open. RFC 4467 7.
    [[nodiscard]] std::uint64_t url_key_resets() const { return url_key_resets_; }

private:
    friend class AccountRoom;
    store::MailboxView view_;
    bool is_loading_ = false;
    net::Notify loading_ended_;
    std::vector<std::shared_ptr<const store::AccountChange>> early_;  ///< Came while loading.
    Uid recent_after_;
    Uid saved_after_;
    std::uint64_t url_key_resets_ = 0;
};

/// How much of a mailbox SELECT needs.
enum class Rows : std::uint8_t { Now, Later };

/// What SELECT says that a head does not know; only where rows are not loaded.
struct OpenedLater {
    std::uint32_t recent = 0;  ///< Above the mark as it was before anybody claims them.
    std::optional<std::uint32_t> before_unseen;
};
struct Opened {
    std::shared_ptr<OpenMailbox> mailbox;
    std::optional<OpenedLater> later;  ///< Rows are not there: load_rows() brings them.
};

/// Keywords of an account by number, as text that is ready to be sent.
class KeywordTable {
public:
    static constexpr std::size_t kCapacity = 256;
    void assign(const store::KeywordNames& names);
    /// Empty when unknown.
    [[nodiscard]] const std::string& name(std::uint8_t id) const { return names_[id]; }
    /// The set of the one keyword of that name in any case; empty when there is none.
    [[nodiscard]] store::KeywordSet find(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> all() const;
    /// Of those in `set` that have a name.
    [[nodiscard]] std::vector<std::string> names_of(const store::KeywordSet& set) const;

private:
    std::array<std::string, kCapacity> names_;
};

/// A mailbox that stays loaded though no session may have it open, and its share of what the server
/// spends on that.
class KeptMailbox {
public:
    KeptMailbox(std::shared_ptr<OpenMailbox> mailbox, std::size_t size)
        : mailbox_(std::move(mailbox)), size_(size) {}
    KeptMailbox(KeptMailbox&& other) noexcept
        : mailbox_(std::move(other.mailbox_)), size_(std::exchange(other.size_, 0)) {}
    KeptMailbox& operator=(KeptMailbox&& other) noexcept {
        std::swap(mailbox_, other.mailbox_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~KeptMailbox();
    [[nodiscard]] const std::shared_ptr<OpenMailbox>& mailbox() const { return mailbox_; }

private:
    std::shared_ptr<OpenMailbox> mailbox_;
    std::size_t size_;
};

class AccountRoom : public std::enable_shared_from_this<AccountRoom> {
public:
    /// The account's room, as `user` sees it, on the shard that runs now; subscribed before it
    /// returns.
    static std::shared_ptr<AccountRoom> enter(flow::Services* services, AccountId account,
                                              AccountId user);
    /// Use enter().
    AccountRoom(flow::Services* services, AccountId account, AccountId user);
    ~AccountRoom();
    AccountRoom(const AccountRoom&) = delete;
    AccountRoom& operator=(const AccountRoom&) = delete;

    /// The mailbox; shared with whoever has it open. It knows of what `at_least` stands for: what
    /// its row in the store said when the caller looked. A large one that nobody has loaded comes
    /// without its rows when `rows` allows that. NotFound when it is not there (any more) or cannot
    /// be selected. The caller keeps the room alive, and takes the mailbox before it waits again.
    net::Task<Result<Opened>> open(MailboxId mailbox, ModSeq at_least, Rows rows);
    /// Sees to it that the mailbox has its rows.
    net::Task<Result<>> load_rows(std::shared_ptr<OpenMailbox> mailbox);
    /// Null when no session has it open.
    [[nodiscard]] std::shared_ptr<OpenMailbox> find_open(MailboxId mailbox) const;

    /// Reads the keywords again when a commit added some. Before flags are written.
    net::Task<Result<>> refresh_keywords();
    [[nodiscard]] bool has_stale_keywords() const { return keywords_read_ < keywords_changed_; }
    [[nodiscard]] const KeywordTable& keywords() const { return keywords_; }

    void watch(Watcher& watcher) { watchers_.push_back(watcher); }
    /// Sessions that have the mailbox open (nullopt: any) shall tell that its URLs have another
    /// key.
    void reset_url_keys(std::optional<MailboxId> mailbox);
    [[nodiscard]] AccountId account() const { return account_; }

private:
    void subscribe();
    void take(const std::shared_ptr<const store::AccountChange>& change);
    net::Task<Result<>> load(std::shared_ptr<OpenMailbox> mailbox);
    net::Task<bool> hear_of(OpenMailbox* mailbox, ModSeq at_least);
    net::Task<void> catch_up(MailboxId mailbox, ModSeq at_least);
    net::Task<Result<std::optional<OpenedLater>>> glance(std::shared_ptr<OpenMailbox> mailbox);
    void keep(std::shared_ptr<OpenMailbox> mailbox);

    flow::Services* services_;
    AccountId account_;
    AccountId user_;
    unsigned shard_;
    store::ChangeBus::Token token_ = 0;
    std::map<MailboxId, std::weak_ptr<OpenMailbox>> mailboxes_;
    /// Opened last, the newest in front: who comes back to one finds it loaded and up to date.
    std::deque<KeptMailbox> kept_;
    net::List<Watcher> watchers_;
    std::uint64_t taken_ = 0;  ///< Changes so far.
    KeywordTable keywords_;
    /// Commits that added keywords, and how many of them `keywords_` knows. Not a flag: one session
    /// must not take the table for fresh while the read of another is under way.
    std::uint64_t keywords_changed_ = 1;
    std::uint64_t keywords_read_ = 0;
};

}  // namespace godwit::serve::imap_desk
