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
    for (const auto& [id, name] : names) {
        names_[id] = name;
    }
}

std::vector<std::string> KeywordTable::names_of(const store::KeywordSet& set) const {
    std::vector<std::string> found;
    for (std::size_t id = 0; id < names_.size(); ++id) {
        if (!names_[id].empty() && set.has(static_cast<std::uint8_t>(id))) {
            found.push_back(names_[id]);
        }
    }
    return found;
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
    ++taken_;
    for (const store::MailboxChange& one : change->mailboxes) {
        keywords_changed_ += std::holds_alternative<store::KeywordsAdded>(one.what) ? 1 : 0;
    }
    for (auto at = mailboxes_.begin(); at != mailboxes_.end();) {
        const std::shared_ptr<OpenMailbox> mailbox = at->second.lock();
        if (mailbox == nullptr) {
            at = mailboxes_.erase(at);
            continue;
        }
        if (mailbox->is_loading_) {
            mailbox->early_.push_back(change);
        }
        if (mailbox->view_.has_begun()) {
            mailbox->view_.apply(*change);
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

// A commit that another session was told of may still be on its way to this shard: waits a little.
net::Task<bool> AccountRoom::hear_of(OpenMailbox* mailbox, ModSeq at_least) {
    constexpr int kTurnsMax = 64;
    constexpr int kSleepsMax = 100;
    const auto is_behind = [&] {
        return !mailbox->view().is_deleted() && mailbox->view().highest_mod_seq() < at_least;
    };
    for (int turn = 0; turn < kTurnsMax && is_behind(); ++turn) {
        co_await net::yield_now();
    }
    for (int turn = 0; turn < kSleepsMax && is_behind(); ++turn) {
        co_await net::sleep_for(std::chrono::milliseconds(1));
    }
    co_return !is_behind();
}

// When waiting does not help and no session has the mailbox open, it is loaded anew.
net::Task<void> AccountRoom::catch_up(MailboxId id, ModSeq at_least) {
    const std::shared_ptr<OpenMailbox> mailbox = find_open(id);
    if (mailbox != nullptr && mailbox->view().has_begun() &&
        !co_await hear_of(mailbox.get(), at_least)) {
        std::erase_if(kept_, [&](const KeptMailbox& kept) { return kept.mailbox() == mailbox; });
    }
}

net::Task<Result<Opened>> AccountRoom::open(MailboxId id, ModSeq at_least, Rows rows) {
    co_await catch_up(id, at_least);
    std::shared_ptr<OpenMailbox> mailbox = find_open(id);
    if (mailbox == nullptr) {
        mailbox = std::make_shared<OpenMailbox>(account_, id, user_);
        mailboxes_[id] = mailbox;
    }
    std::optional<OpenedLater> later;
    if (rows == Rows::Later && !mailbox->view().is_loaded()) {
        later = CO_TRY(co_await glance(mailbox));
    }
    if (!later) {
        CO_TRY(co_await load_rows(mailbox));
    }
    if (mailbox->view().is_deleted()) {
        co_return peer_error(ErrorCode::NotFound, "no such mailbox");
    }
    keep(mailbox);
    co_return Opened{.mailbox = std::move(mailbox), .later = later};
}

// What is read is of use when nothing happened meanwhile: it must go with what the view says now.
// Few rows are loaded as fast as they are looked at; damage and what is not to be seen from the
// ends need all of them.
net::Task<Result<std::optional<OpenedLater>>> AccountRoom::glance(
    std::shared_ptr<OpenMailbox> mailbox) {
    constexpr int kTriesMax = 4;
    const AccountId account = account_;
    const MailboxId id = mailbox->view().mailbox();
    // Rows that are on their way are of an older commit than what is seen now: a view that began
    // here would take what is between for known.
    const auto is_read_by_another = [&mailbox] {
        return mailbox->is_loading_ && !mailbox->view().has_begun();
    };
    for (int tries = 0; tries < kTriesMax && !mailbox->view().is_loaded(); ++tries) {
        if (is_read_by_another()) {
            co_return std::nullopt;
        }
        const std::uint64_t taken = taken_;
        const Uid mark = mailbox->recent_after();
        auto looked = co_await flow::read(
            services_, [account, id, mark](const store::Snapshot& snapshot, store::ReadTier tier) {
                return store::glance_at(snapshot, tier, account, id, mark);
            });
        if (!looked && looked.error().code != ErrorCode::Corrupt) {
            co_return std::unexpected(std::move(looked.error()));
        }
        if (!looked || !*looked || (*looked)->state.messages <= limits::scan_rows_max ||
            !(*looked)->above) {
            co_return std::nullopt;
        }
        const store::MailboxGlance& found = **looked;
        store::MailboxView& view = mailbox->view_;
        if (!view.has_begun() && !mailbox->is_loading_ && taken == taken_) {
            view.begin(found.state, found.seq);
            mailbox->recent_after_ = mailbox->saved_after_ = found.state.recent_after;
        }
        if (view.has_begun() && view.highest_mod_seq() == found.state.highest_mod_seq &&
            mailbox->recent_after() == std::max(mark, found.state.recent_after)) {
            co_return OpenedLater{.recent = *found.above, .before_unseen = found.before_unseen};
        }
        co_await net::yield_now();
    }
    co_return std::nullopt;
}

net::Task<Result<>> AccountRoom::load_rows(std::shared_ptr<OpenMailbox> mailbox) {
    while (!mailbox->view().is_loaded()) {
        if (mailbox->is_loading_) {
            co_await mailbox->loading_ended_.wait();
            continue;
        }
        CO_TRY(co_await load(mailbox));
        keep(mailbox);
    }
    co_return Result<>();
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
    // On the pool, where others need not wait for it: some milliseconds each.
    constexpr std::size_t kRowsInJob = 16 * limits::scan_rows_max;
    const LoadingTurn turn(&mailbox->is_loading_, &mailbox->loading_ended_);
    mailbox->early_.clear();
    // Shared with steps on the pool, whose session may go away; every step reads from this
    // snapshot.
    const auto reading =
        std::make_shared<store::RowsReading>(account_, mailbox->view().mailbox(), user_);
    const std::shared_ptr<const store::Snapshot> snapshot = services_->store->snapshot();
    for (;;) {
        Result<bool> done = reading->step(*snapshot, store::ReadTier::Cached);
        if (!done && done.error().code == ErrorCode::WouldBlock) {
            done = co_await net::offload(services_->offload, [reading, snapshot] {
                return reading->step(*snapshot, store::ReadTier::Disk, kRowsInJob);
            });
        }
        if (CO_TRY(std::move(done))) {
            break;
        }
        co_await net::yield_now();
    }
    store::MailboxView& view = mailbox->view_;
    if (view.has_begun() && !co_await hear_of(mailbox.get(), reading->state().highest_mod_seq)) {
        co_return temporary_error(ErrorCode::Unavailable, "changes of a mailbox are late");
    }
    if (!view.has_begun()) {
        const AccountId account = account_;
        const MailboxId id = view.mailbox();
        const std::optional<store::MailboxState> state = CO_TRY(co_await flow::read(
            services_, [account, id](const store::Snapshot& now, store::ReadTier tier) {
                return store::read_mailbox(now, tier, account, id);
            }));
        mailbox->recent_after_ = state ? state->recent_after : Uid(0);
        mailbox->saved_after_ = mailbox->recent_after_;
    }
    view.adopt(std::move(*reading), mailbox->early_);
    mailbox->early_.clear();
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
