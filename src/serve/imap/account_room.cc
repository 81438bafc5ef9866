#include "serve/imap/account_room.h"

#include <tuple>

#include "base/ascii.h"
#include "flow/read.h"
#include "net/io/locked.h"
#include "store/store.h"

namespace godwit::serve::imap_desk {

namespace {

// Rooms by server, shard, account and user. They remove themselves; the table owns none.
using RoomKey = std::tuple<const flow::Services*, unsigned, AccountId, AccountId>;
using RoomTable = std::map<RoomKey, std::weak_ptr<AccountRoom>>;

net::Locked<RoomTable>& rooms() {
    static net::Locked<RoomTable> table;
    return table;
}

// Octets of all mailboxes that rooms keep.
net::Locked<std::size_t>& kept_size() {
    static net::Locked<std::size_t> size(std::size_t{0});
    return size;
}

// A few: clients go to and fro between INBOX and one or two others. The rest of a large account's
// mailboxes, and what goes past the server's bound, is loaded when it is opened.
constexpr std::size_t kKeptMailboxesMax = 3;
constexpr std::size_t kKeptSizeMax = 32 * 1024 * 1024;

// Gives the place of the one who loads free again, also when its session is torn down.
class LoadingTurn {
public:
    LoadingTurn(bool* is_loading, net::Notify* ended) : is_loading_(is_loading), ended_(ended) {
        *is_loading_ = true;
    }
    ~LoadingTurn() {
        *is_loading_ = false;
        ended_->notify_all();
    }
    LoadingTurn(const LoadingTurn&) = delete;
    LoadingTurn& operator=(const LoadingTurn&) = delete;

private:
    bool* is_loading_;
    net::Notify* ended_;
};

}  // namespace

KeptMailbox::~KeptMailbox() {
    kept_size().with([this](std::size_t& all) { all -= size_; });
}

void OpenMailbox::claim_recent(Uid up_to) {
    recent_after_ = std::max(recent_after_, up_to);
}

void KeywordTable::assign(const store::KeywordNames& names) {
    count_ = 0;
    for (const auto& [id, name] : names) {
        names_[id] = name;
        ++count_;
    }
}

store::KeywordSet KeywordTable::find(std::string_view name) const {
    store::KeywordSet set;
    for (std::size_t id = 0; id < names_.size(); ++id) {
        if (!names_[id].empty() && equals_ignore_case(names_[id], name)) {
            set.add(static_cast<std::uint8_t>(id));
        }
    }
    return set;
}

std::vector<std::string> KeywordTable::all() const {
    std::vector<std::string> found;
    for (const std::string& name : names_) {
        if (!name.empty()) {
            found.push_back(name);
        }
    }
    return found;
}

std::shared_ptr<AccountRoom> AccountRoom::enter(flow::Services* services, AccountId account,
                                                AccountId user) {
    const RoomKey key{services, net::Shard::here().index(), account, user};
    return rooms().with([&](RoomTable& table) {
        std::weak_ptr<AccountRoom>& place = table[key];
        if (std::shared_ptr<AccountRoom> known = place.lock()) {
            return known;
        }
        auto room = std::make_shared<AccountRoom>(services, account, user);
        room->subscribe();
        place = room;
        return room;
    });
}

AccountRoom::AccountRoom(flow::Services* services, AccountId account, AccountId user)
    : services_(services), account_(account), user_(user), shard_(net::Shard::here().index()) {}

AccountRoom::~AccountRoom() {
    services_->store->changes().unsubscribe(token_);
    rooms().with([this](RoomTable& table) {
        const auto found = table.find({services_, shard_, account_, user_});
        if (found != table.end() && found->second.expired()) {
            table.erase(found);
        }
    });
}

void AccountRoom::subscribe() {
    net::Shard* shard = &net::Shard::here();
    // Weak, and looked at on the shard alone: the bus must not keep the room, nor end it.
    token_ = services_->store->changes().subscribe(
        account_, [shard, weak = weak_from_this()](
                      const std::shared_ptr<const store::AccountChange>& change) {
            shard->post([weak, change] {
                if (const std::shared_ptr<AccountRoom> room = weak.lock()) {
                    room->take(change);
                }
            });
        });
}

void AccountRoom::take(const std::shared_ptr<const store::AccountChange>& change) {
    for (const store::MailboxChange& one : change->mailboxes) {
        keywords_changed_ += std::holds_alternative<store::KeywordsAdded>(one.what) ? 1 : 0;
    }
    for (auto at = mailboxes_.begin(); at != mailboxes_.end();) {
        const std::shared_ptr<OpenMailbox> mailbox = at->second.lock();
        if (mailbox == nullptr) {
            at = mailboxes_.erase(at);
            continue;
        }
        if (mailbox->is_ready_) {
            mailbox->view_->apply(*change);
        } else {
            mailbox->early_.push_back(change);
        }
        ++at;
    }
    watchers_.each([&change](const Watcher& watcher) { watcher.on_change(*change); });
}

void AccountRoom::reset_url_keys(std::optional<MailboxId> mailbox) {
    for (const auto& [id, weak] : mailboxes_) {
        const std::shared_ptr<OpenMailbox> open = weak.lock();
        if (open != nullptr && (!mailbox || id == *mailbox)) {
            ++open->url_key_resets_;
        }
    }
    // Nothing in the store that a view would show: an empty change has the sessions look.
    store::AccountChange nothing;
    nothing.account = account_;
    watchers_.each([&nothing](const Watcher& watcher) { watcher.on_change(nothing); });
}

std::shared_ptr<OpenMailbox> AccountRoom::find_open(MailboxId mailbox) const {
    const auto found = mailboxes_.find(mailbox);
    return found == mailboxes_.end() ? nullptr : found->second.lock();
}

// A commit that another session was told of may still be on its way to this shard. When waiting a
// little does not help and no session has the mailbox open, it is loaded anew.
net::Task<void> AccountRoom::catch_up(MailboxId id, ModSeq at_least) {
    constexpr int kTurnsMax = 64;
    const auto is_behind = [&](const std::shared_ptr<OpenMailbox>& mailbox) {
        return mailbox != nullptr && mailbox->is_ready_ &&
               mailbox->view().highest_mod_seq() < at_least;
    };
    for (int turn = 0; turn < kTurnsMax && is_behind(find_open(id)); ++turn) {
        co_await net::yield_now();
    }
    if (is_behind(find_open(id))) {
        std::erase_if(kept_, [id](const KeptMailbox& kept) {
            return kept.mailbox()->view().mailbox() == id;
        });
    }
}

net::Task<Result<std::shared_ptr<OpenMailbox>>> AccountRoom::open(MailboxId id, ModSeq at_least) {
    co_await catch_up(id, at_least);
    std::shared_ptr<OpenMailbox> mailbox = find_open(id);
    if (mailbox == nullptr) {
        mailbox = std::make_shared<OpenMailbox>(account_, id, user_);
        mailboxes_[id] = mailbox;
    }
    while (!mailbox->is_ready_) {
        if (mailbox->is_loading_) {
            co_await mailbox->loading_ended_.wait();
            continue;
        }
        CO_TRY(co_await load(mailbox));
    }
    if (mailbox->view_->is_deleted()) {
        co_return peer_error(ErrorCode::NotFound, "no such mailbox");
    }
    keep(mailbox);
    co_return mailbox;
}

void AccountRoom::keep(std::shared_ptr<OpenMailbox> mailbox) {
    std::erase_if(kept_, [&mailbox](const KeptMailbox& kept) {
        return kept.mailbox() == mailbox || kept.mailbox()->view().is_deleted();
    });
    while (kept_.size() >= kKeptMailboxesMax) {
        kept_.pop_back();
    }
    const std::size_t size = mailbox->view().memory_size();
    const bool has_room = kept_size().with([size](std::size_t& all) {
        const bool fits = size <= kKeptSizeMax && all <= kKeptSizeMax - size;
        all += fits ? size : 0;
        return fits;
    });
    if (has_room) {
        kept_.emplace_front(std::move(mailbox), size);
    }
}

net::Task<Result<>> AccountRoom::load(std::shared_ptr<OpenMailbox> mailbox) {
    const LoadingTurn turn(&mailbox->is_loading_, &mailbox->loading_ended_);
    // A load that failed half-way cannot be gone on with: its snapshot is gone.
    mailbox->view_ =
        std::make_shared<store::MailboxView>(account_, mailbox->view_->mailbox(), user_);
    mailbox->early_.clear();
    const std::shared_ptr<store::MailboxView> view = mailbox->view_;
    // Shared with steps on the pool; every step reads from this one, as load_step demands.
    const std::shared_ptr<const store::Snapshot> snapshot = services_->store->snapshot();
    for (;;) {
        Result<bool> done = view->load_step(*snapshot, store::ReadTier::Cached);
        if (!done && done.error().code == ErrorCode::WouldBlock) {
            done = co_await net::offload(services_->offload, [view, snapshot] {
                return view->load_step(*snapshot, store::ReadTier::Disk);
            });
        }
        if (CO_TRY(std::move(done))) {
            break;
        }
        co_await net::yield_now();
    }
    const AccountId account = account_;
    const MailboxId id = view->mailbox();
    const std::optional<store::MailboxState> state = CO_TRY(co_await flow::read(
        services_, [account, id](const store::Snapshot& now, store::ReadTier tier) {
            return store::read_mailbox(now, tier, account, id);
        }));
    mailbox->recent_after_ = state ? state->recent_after : Uid(0);
    mailbox->saved_after_ = mailbox->recent_after_;
    for (const auto& change : std::exchange(mailbox->early_, {})) {
        mailbox->view_->apply(*change);
    }
    mailbox->is_ready_ = true;
    co_return Result<>();
}

net::Task<Result<>> AccountRoom::refresh_keywords() {
    if (!has_stale_keywords()) {
        co_return Result<>();
    }
    // Of before the read: what comes during it is for the next.
    const std::uint64_t covered = keywords_changed_;
    const auto step = [account = account_](const store::Snapshot& snapshot, store::ReadTier tier) {
        return store::read_keywords(snapshot, tier, account);
    };
    Result<store::KeywordNames> names = co_await flow::read(services_, step);
    if (!names && names.error().code == ErrorCode::Io) {
        // A STORE that is done already should not be answered NO for a read that may work now.
        names = co_await flow::read(services_, step);
    }
    if (!names) {
        co_return std::unexpected(std::move(names.error()));
    }
    // A read that began later may have come back before.
    if (covered > keywords_read_) {
        keywords_.assign(*names);
        keywords_read_ = covered;
    }
    co_return Result<>();
}

}  // namespace godwit::serve::imap_desk
