#include "serve/imap/selected.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/limits.h"
#include "base/probe.h"

namespace godwit::serve::imap_desk {

namespace {

static_assert(static_cast<int>(imap::SystemFlag::Seen) ==
                      static_cast<int>(store::SystemFlag::Seen) &&
                  static_cast<int>(imap::SystemFlag::Answered) ==
                      static_cast<int>(store::SystemFlag::Answered) &&
                  static_cast<int>(imap::SystemFlag::Flagged) ==
                      static_cast<int>(store::SystemFlag::Flagged) &&
                  static_cast<int>(imap::SystemFlag::Deleted) ==
                      static_cast<int>(store::SystemFlag::Deleted) &&
                  static_cast<int>(imap::SystemFlag::Draft) ==
                      static_cast<int>(store::SystemFlag::Draft),
              "flags on the wire and in the store have the same bits");

// T88: past it the view is compared by mod-sequence instead.
constexpr std::size_t kChangesMax = 4096;
constexpr std::uint8_t kRecentBit = 32;

// "FLAGS (\Seen" for each set of system flags, without the closing parenthesis.
const std::array<std::string, 64>& flag_texts() {
    static const std::array<std::string, 64> texts = [] {
        std::array<std::string, 64> made;
        for (std::size_t bits = 0; bits < made.size(); ++bits) {
            std::string& text = made[bits];
            text = "FLAGS (";
            const auto add = [&text](std::string_view name) {
                text.append(text.back() == '(' ? "" : " ").append(name);
            };
            for (const imap::SystemFlagName& row : imap::kSystemFlags) {
                if ((bits & static_cast<std::uint8_t>(row.flag)) != 0) {
                    add(row.name);
                }
            }
            if ((bits & kRecentBit) != 0) {
                add("\\Recent");
            }
        }
        return made;
    }();
    return texts;
}

}  // namespace

Selected::Selected(std::shared_ptr<AccountRoom> room, std::shared_ptr<OpenMailbox> mailbox,
                   Access access, std::move_only_function<void()> wake)
    : room_(std::move(room)),
      mailbox_(std::move(mailbox)),
      access_(access),
      wake_(std::move(wake)) {
    watcher_.on_change = [this](const store::AccountChange& change) { on_change(change); };
    room_->watch(watcher_);
    known_ = view().rows().size();
    last_uid_ = known_ == 0 ? Uid(0) : view().rows().back().uid;
    take_recent();
}

// Messages above the mailbox's mark are \Recent here; a read-only session leaves them to others.
void Selected::take_recent() {
    const Uid from = std::max(mailbox_->recent_after(), Uid(recent_.largest()));
    if (from < last_uid_) {
        recent_.add(from.value() + 1, last_uid_.value());
    }
    if (access_ == Access::ReadWrite) {
        mailbox_->claim_recent(last_uid_);
    }
}

std::uint32_t Selected::recent_count() const {
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
    if (numbering == Numbering::Uid) {
        for (const imap::NumberRange& range : set.resolve(last_uid_.value()).ranges()) {
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

void Selected::write_flags(imap::ResponseWriter& out, const store::MessageRow& row) const {
    const std::size_t bits = (row.flags.system & 31U) | (is_recent(row.uid) ? kRecentBit : 0U);
    const std::string& text = flag_texts()[bits];
    out.raw(text);
    if (!row.flags.keywords.is_empty()) {
        bool is_first = text.back() == '(';
        for (std::size_t word = 0; word < row.flags.keywords.words().size(); ++word) {
            std::uint64_t left = row.flags.keywords.words()[word];
            for (; left != 0; left &= left - 1) {
                const auto id = static_cast<std::uint8_t>(
                    word * 64 + static_cast<std::size_t>(__builtin_ctzll(left)));
                const std::string& name = room_->keywords().name(id);
                if (!name.empty()) {
                    out.raw(is_first ? "" : " ").raw(name);
                    is_first = false;
                }
            }
        }
    }
    out.raw(")");
}

void Selected::write_flag_lists(imap::ResponseWriter& out) {
    imap::FlagSet all;
    all.system = 31;
    all.keywords = room_->keywords().all();
    told_keywords_ = room_->keywords().count();
    out.raw("* FLAGS ").flags(all).crlf();
    // Q13: new keywords may be made. RFC 3501 6.3.2: EXAMINE allows no change.
    out.raw("* OK [PERMANENTFLAGS ");
    if (is_read_only()) {
        out.raw("()] No flags can be changed").crlf();
    } else {
        out.permanent_flags(all, true).raw("] Flags that are kept").crlf();
    }
}

void Selected::on_change(const store::AccountChange& change) {
    for (const store::MailboxChange& one : change.mailboxes) {
        if (one.mailbox != view().mailbox()) {
            continue;
        }
        if (const auto* flags = std::get_if<store::MessageFlagsChanged>(&one.what)) {
            note_flags(*flags);
        } else if (const auto* expunged = std::get_if<store::MessagesExpunged>(&one.what)) {
            note_expunged(*expunged);
        }
    }
    known_ = view().lower_bound(Uid(last_uid_.value() + 1));
    if (has_news()) {
        wake_();
    }
}

void Selected::note_flags(const store::MessageFlagsChanged& changed) {
    if (resync_from_) {
        return;
    }
    for (const store::MessageRow& row : changed.rows) {
        if (row.uid > last_uid_) {
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
    std::merge(ghosts_.begin(), ghosts_.end(), expunged.uids.begin(), known_end,
               std::back_inserter(merged));
    ghosts_ = std::move(merged);
}

bool Selected::has_news() const {
    return !ghosts_.empty() || !changes_.empty() || resync_from_ || known_ < view().rows().size() ||
           room_->has_stale_keywords();
}

void Selected::forget_change(const std::vector<Uid>& uids, ModSeq mod_seq) {
    std::erase_if(changes_, [&](const FlagChange& change) {
        return change.mod_seq == mod_seq && std::ranges::binary_search(uids, change.uid);
    });
}

bool Selected::announce(imap::ResponseWriter& out, Expunges expunges) {
    if (is_deleted()) {
        changes_.clear();
        resync_from_.reset();
    }
    tell_keywords(out);
    if (expunges == Expunges::Hold && !ghosts_.empty()) {
        probe<"imap.expunge_held_back">();
    }
    if (expunges == Expunges::Tell && tell_expunges(out)) {
        return true;
    }
    tell_arrivals(out);
    return tell_flags(out);
}

bool Selected::tell_expunges(imap::ResponseWriter& out) {
    std::size_t told = 0;
    while (told < ghosts_.size() && !out.should_drain()) {
        // All ghosts below are gone from the client's numbers already.
        const std::size_t row = view().lower_bound(ghosts_[told]);
        out.numbered(static_cast<std::uint32_t>(row + 1), "EXPUNGE");
        ++told;
    }
    ghosts_.erase(ghosts_.begin(), ghosts_.begin() + static_cast<std::ptrdiff_t>(told));
    return !ghosts_.empty();
}

void Selected::tell_arrivals(imap::ResponseWriter& out) {
    const auto rows = view().rows();
    if (known_ >= rows.size()) {
        return;  // Q6: EXISTS only when it grew.
    }
    last_uid_ = rows.back().uid;
    known_ = rows.size();
    take_recent();
    out.numbered(exists(), "EXISTS");
    out.numbered(recent_count(), "RECENT");
}

bool Selected::tell_flags(imap::ResponseWriter& out) {
    const auto tell = [&](const store::MessageRow& row, std::size_t index) {
        out.raw("* ")
            .number(number_at(index, row.uid))
            .raw(" FETCH (UID ")
            .number(row.uid.value())
            .raw(" ");
        write_flags(out, row);
        out.raw(")\r\n");
    };
    const auto rows = view().rows();
    if (resync_from_) {
        for (std::size_t at = view().lower_bound(resync_at_); at < known_; ++at) {
            if (out.should_drain()) {
                resync_at_ = rows[at].uid;
                return true;
            }
            if (rows[at].mod_seq > *resync_from_) {
                tell(rows[at], at);
            }
        }
        resync_from_.reset();
    }
    // Once a message, however often it changed.
    std::ranges::sort(changes_, {}, &FlagChange::uid);
    std::size_t told = 0;
    while (told < changes_.size() && !out.should_drain()) {
        const Uid uid = changes_[told].uid;
        const std::size_t index = view().lower_bound(uid);
        if (index < known_ && rows[index].uid == uid) {
            probe<"imap.flags_of_others_told">();
            tell(rows[index], index);
        }
        while (told < changes_.size() && changes_[told].uid == uid) {
            ++told;
        }
    }
    changes_.erase(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(told));
    return !changes_.empty();
}

}  // namespace godwit::serve::imap_desk
