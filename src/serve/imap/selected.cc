#include "serve/imap/selected.h"

#include <algorithm>
#include <iterator>

#include "base/limits.h"

namespace godwit::serve::imap_desk {

namespace {

// T88: past it the view is compared by mod-sequence instead.
constexpr std::size_t kChangesMax = 4096;
}  // namespace

Selected::Selected(std::shared_ptr<AccountRoom> room, Opened opened, std::string name,
                   Access access, store::Rights rights, const Features* features,
                   std::move_only_function<void()> wake)
    : room_(std::move(room)),
      mailbox_(std::move(opened.mailbox)),
      name_(std::move(name)),
      access_(access),
      rights_(rights),
      features_(features),
      wake_(std::move(wake)) {
    watcher_.on_change = [this](const store::AccountChange& change) { on_change(change); };
    room_->watch(watcher_);
    told_url_key_resets_ = mailbox_->url_key_resets();
    // His rights were read before the rows, and may have gone since: they are asked again when
    // SELECT is answered.
    access_changes_ = is_visited() ? 1 : 0;
    since_ = view().seq();
    known_ = view().messages();
    meet_keywords(view().rows());
    if (view().is_loaded()) {
        is_settled_ = true;
        last_uid_ = known_ == 0 ? Uid(0) : view().rows().back().uid;
    } else {
        later_ = opened.later;
        last_uid_ = Uid(view().uid_next().value() - 1);
    }
    take_recent();
}

// The head counts messages whose rows turn out to be damaged: to the client they are expunged.
bool Selected::settle() {
    check(view().is_loaded(), "a mailbox is settled when its rows are there");
    if (is_settled_) {
        return true;
    }
    for (const Uid uid : view().damaged()) {
        if (uid <= last_uid_ && !std::ranges::binary_search(ghosts_, uid)) {
            ghosts_.insert(std::ranges::lower_bound(ghosts_, uid), uid);
            known_ -= std::min<std::size_t>(known_, 1);
        }
    }
    const std::size_t rows = view().lower_bound(Uid(last_uid_.value() + 1));
    const bool is_as_told = rows == known_;
    known_ = rows;
    // "*" is the last message, and not the last number that was given.
    last_uid_ = std::max(known_ == 0 ? Uid(0) : view().rows()[known_ - 1].uid,
                         ghosts_.empty() ? Uid(0) : ghosts_.back());
    is_settled_ = true;
    later_.reset();
    return is_as_told;
}

// Messages above the mailbox's mark are \Recent here; a read-only session leaves them to others.
void Selected::take_recent() {
    const Uid from = std::max(mailbox_->recent_after(), Uid(recent_.largest()));
    if (from < last_uid_) {
        recent_.add(from.value() + 1, last_uid_.value());
    }
    if (!is_told_read_only()) {
        mailbox_->claim_recent(last_uid_);
    }
}

bool Selected::is_told_read_only() const {
    using store::Right;
    return is_read_only() ||
           !rights_.has_any(Right::Insert | Right::Expunge | Right::Write | Right::DeleteMessages);
}

// T83: keywords are the account's. One's own are all told of, those of somebody else as far as they
// are seen here.
void Selected::meet_keywords(std::span<const store::MessageRow> rows) {
    if (!is_visited()) {
        return;
    }
    auto& met = met_keywords_.words();
    for (const store::MessageRow& row : rows) {
        for (std::size_t word = 0; word < met.size(); ++word) {
            met[word] |= row.flags.keywords.words()[word];
        }
    }
}

std::vector<std::string> Selected::shown_keywords() const {
    return is_visited() ? room_->keywords().names_of(met_keywords_) : room_->keywords().all();
}

std::uint32_t Selected::recent_count() const {
    if (later_) {
        return later_->recent;
    }
    std::size_t count = 0;
    for (const imap::NumberRange& range : recent_.ranges()) {
        const std::size_t end = range.last == UINT32_MAX ? view().rows().size()
                                                         : view().lower_bound(Uid(range.last + 1));
        count += std::min(end, known_) - std::min(view().lower_bound(Uid(range.first)), known_);
    }
    for (const Uid ghost : ghosts_) {
        count += is_recent(ghost) ? 1 : 0;
    }
    return static_cast<std::uint32_t>(count);
}

std::optional<std::uint32_t> Selected::first_unseen() const {
    if (later_) {
        return later_->before_unseen ? std::optional(*later_->before_unseen + 1) : std::nullopt;
    }
    const auto rows = view().rows().first(known_);
    const auto found = std::ranges::find_if(
        rows, [](const store::MessageRow& row) { return !row.flags.has(store::SystemFlag::Seen); });
    if (found == rows.end()) {
        return std::nullopt;
    }
    return number_at(static_cast<std::size_t>(found - rows.begin()), found->uid);
}

std::uint32_t Selected::number_at(std::size_t index, Uid uid) const {
    if (ghosts_.empty()) {
        return static_cast<std::uint32_t>(index + 1);
    }
    const auto below = std::ranges::lower_bound(ghosts_, uid) - ghosts_.begin();
    return static_cast<std::uint32_t>(index + 1 + static_cast<std::size_t>(below));
}

std::optional<Targets> Selected::resolve(const imap::SequenceSet& set, Numbering numbering) const {
    Targets targets;
    const auto rows = view().rows().first(known_);
    if (numbering == Numbering::Uid || set.is_saved()) {
        for (const imap::NumberRange& range : uids_of(set, last_uid_.value()).ranges()) {
            for (std::size_t at = view().lower_bound(Uid(range.first));
                 at < rows.size() && rows[at].uid.value() <= range.last; ++at) {
                targets.uids.push_back(rows[at].uid);
            }
        }
        return targets;
    }
    if (set.largest_written() > exists()) {
        return std::nullopt;
    }
    const imap::NumberSet numbers = set.resolve(exists());
    if (ghosts_.empty()) {
        for (const imap::NumberRange& range : numbers.ranges()) {
            for (std::uint32_t number = range.first; number <= range.last; ++number) {
                targets.uids.push_back(rows[number - 1].uid);
            }
        }
        return targets;
    }
    std::size_t row = 0;
    std::size_t ghost = 0;
    for (std::uint32_t number = 1; number <= exists(); ++number) {
        const bool is_ghost =
            ghost < ghosts_.size() && (row >= rows.size() || ghosts_[ghost] < rows[row].uid);
        if (numbers.contains(number)) {
            if (is_ghost) {
                targets.has_gone = true;
            } else {
                targets.uids.push_back(rows[row].uid);
            }
        }
        is_ghost ? ++ghost : ++row;
    }
    return targets;
}

void Selected::on_change(const store::AccountChange& change) {
    if (!change.mailboxes.empty() && change.seq <= since_) {
        return;  // It was late: what the client was told had it.
    }
    // Its account may be gone, and with it all that it let others do.
    access_changes_ += is_visited() && change.credentials_changed ? 1 : 0;
    for (const store::MailboxChange& one : change.mailboxes) {
        if (one.mailbox != view().mailbox()) {
            continue;
        }
        if (const auto* flags = std::get_if<store::MessageFlagsChanged>(&one.what)) {
            meet_keywords(flags->rows);
            touch_live_searches(*flags);
            note_flags(*flags);
        } else if (const auto* expunged = std::get_if<store::MessagesExpunged>(&one.what)) {
            note_expunged(*expunged);
        } else if (std::holds_alternative<store::AccessChanged>(one.what)) {
            // The owner's rights never change.
            access_changes_ += is_visited() ? 1 : 0;
        } else if (const auto* arrived = std::get_if<store::MessagesAppended>(&one.what)) {
            meet_keywords(arrived->rows);
            note_arrived(*arrived);
            for (const store::MessageRow& row : arrived->rows) {
                live_searches_.touch(row.uid);
            }
        }
    }
    if (is_settled_) {
        known_ = view().lower_bound(Uid(last_uid_.value() + 1));
    }
    if (has_news()) {
        wake_();
    }
}

// What another has seen changes nothing for this client but the mod-sequence.
bool Selected::is_others_seen(const store::MessageFlagsChanged& changed, Uid uid) const {
    return changed.seen_by != view().user() && !features_->has(Feature::Condstore) &&
           std::ranges::binary_search(changed.only_seen, uid);
}

void Selected::touch_live_searches(const store::MessageFlagsChanged& changed) {
    for (const store::MessageRow& row : changed.rows) {
        if (!is_others_seen(changed, row.uid)) {
            live_searches_.touch(row.uid);
        }
    }
}

void Selected::note_flags(const store::MessageFlagsChanged& changed) {
    if (resync_from_) {
        return;
    }
    for (const store::MessageRow& row : changed.rows) {
        if (row.uid > last_uid_ || is_others_seen(changed, row.uid)) {
            continue;
        }
        if (changes_.size() >= kChangesMax) {
            // Everything noted so far is at or above its lowest number too.
            ModSeq lowest = row.mod_seq;
            for (const FlagChange& noted : changes_) {
                lowest = std::min(lowest, noted.mod_seq);
            }
            resync_from_ = ModSeq(lowest.value() - 1);
            resync_at_ = Uid(1);
            changes_.clear();
            return;
        }
        changes_.push_back({row.uid, row.mod_seq});
    }
}

void Selected::note_expunged(const store::MessagesExpunged& expunged) {
    std::vector<Uid> merged;
    merged.reserve(ghosts_.size() + expunged.uids.size());
    const auto known_end = std::ranges::upper_bound(expunged.uids, last_uid_);
    if (!is_settled_) {
        known_ -= std::min(known_, static_cast<std::size_t>(known_end - expunged.uids.begin()));
    }
    std::merge(ghosts_.begin(), ghosts_.end(), expunged.uids.begin(), known_end,
               std::back_inserter(merged));
    ghosts_ = std::move(merged);
    if (!ghosts_.empty()) {
        ghosts_from_ = std::min(ghosts_from_.value_or(expunged.mod_seq), expunged.mod_seq);
    }
}

void Selected::note_arrived(const store::MessagesAppended& arrived) {
    for (const store::MessageRow& row : arrived.rows) {
        if (!is_settled_ && row.uid > last_uid_) {
            arrived_from_ = std::min(arrived_from_.value_or(row.mod_seq), row.mod_seq);
        }
    }
}

ModSeq Selected::told_mod_seq() const {
    ModSeq told = view().highest_mod_seq();
    const auto leave_out = [&told](ModSeq untold) {
        told = std::min(told, ModSeq(untold.value() - 1));
    };
    if (ghosts_from_) {
        leave_out(*ghosts_from_);
    }
    for (const FlagChange& change : changes_) {
        leave_out(change.mod_seq);
    }
    if (resync_from_) {
        told = std::min(told, *resync_from_);
    }
    if (!is_settled_) {
        leave_out(arrived_from_.value_or(ModSeq(told.value() + 1)));
        return told;
    }
    for (const store::MessageRow& row : view().rows().subspan(known_)) {
        leave_out(row.mod_seq);
    }
    return told;
}

}  // namespace godwit::serve::imap_desk
