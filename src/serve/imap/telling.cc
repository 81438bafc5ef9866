// What the client of a selected mailbox is told: flags, arrivals, expunges, and up to where it
// knows all changes. RFC 3501 7.2.6, 7.3, 7.4; RFC 7162 3.1.4.2, 3.2, 3.2.4, 3.2.10;
// RFC 9051 7.5.2 (and no RECENT); RFC 9586 3; Q6, Q13, Q41; T88.
#include <algorithm>
#include <array>

#include "base/probe.h"
#include "serve/imap/selected.h"

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

std::uint8_t changeable_flags(store::Rights rights) {
    constexpr auto kSeen = static_cast<std::uint8_t>(imap::SystemFlag::Seen);
    constexpr auto kDeleted = static_cast<std::uint8_t>(imap::SystemFlag::Deleted);
    constexpr std::uint8_t kOthers = 31 & ~(kSeen | kDeleted);
    return static_cast<std::uint8_t>((rights.has(store::Right::Seen) ? kSeen : 0) |
                                     (rights.has(store::Right::DeleteMessages) ? kDeleted : 0) |
                                     (rights.has(store::Right::Write) ? kOthers : 0));
}

constexpr std::uint8_t kRecentBit = 32;
// About 8 KiB at worst (RFC 7162 4).
constexpr std::size_t kVanishedLineMax = 750;

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

void Selected::write_flags(imap::ResponseWriter& out, const store::MessageRow& row) const {
    // RFC 9051 2.3.2: \Recent is no more.
    const bool is_recent_told = is_recent(row.uid) && !features_->has(Feature::Rev2);
    const std::size_t bits = (row.flags.system & 31U) | (is_recent_told ? kRecentBit : 0U);
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
    all.keywords = shown_keywords();
    told_keywords_ = all.keywords.size();
    out.raw("* FLAGS ").flags(all).crlf();
    // Q13: new keywords may be made. RFC 3501 6.3.2: EXAMINE allows no change. RFC 4314 5.1.1.
    const bool may_write = rights_.has(store::Right::Write);
    all.system = changeable_flags(rights_);
    if (!may_write) {
        all.keywords.clear();
    }
    out.raw("* OK [PERMANENTFLAGS ");
    if (is_read_only() || all.system == 0) {
        out.raw("()] No flags can be changed").crlf();
    } else {
        out.permanent_flags(all, may_write).raw("] Flags that are kept").crlf();
    }
}

void Selected::set_rights(store::Rights rights, std::uint64_t covered, imap::ResponseWriter& out) {
    const bool is_other = changeable_flags(rights) != changeable_flags(rights_);
    rights_ = rights;
    access_known_ = std::max(access_known_, covered);
    if (is_other) {
        write_flag_lists(out);
    }
}

void Selected::begin_fetch(imap::ResponseWriter& out, std::size_t index, Uid uid) const {
    if (features_->has(Feature::UidOnly)) {
        out.raw("* ").number(uid.value()).raw(" UIDFETCH (");
        return;
    }
    out.raw("* ").number(number_at(index, uid)).raw(" FETCH (");
}

RowItems Selected::update_items(Numbering numbering) const {
    const bool is_aware = features_->has(Feature::Condstore);
    // In UIDONLY the response begins with the uid.
    const bool is_named = !features_->has(Feature::UidOnly);
    return {.uid = is_named && (is_aware || numbering == Numbering::Uid),
            .flags = false,
            .mod_seq = is_aware};
}

void Selected::write_row(imap::ResponseWriter& out, std::size_t index, const store::MessageRow& row,
                         RowItems items) const {
    begin_fetch(out, index, row.uid);
    if (items.uid) {
        out.raw("UID ").number(row.uid.value());
    }
    if (items.flags) {
        out.raw(items.uid ? " " : "");
        write_flags(out, row);
    }
    if (items.mod_seq) {
        out.raw(items.uid || items.flags ? " " : "");
        out.raw("MODSEQ (").number(row.mod_seq.value()).raw(")");
    }
    out.raw(")\r\n");
}

bool Selected::has_news() const {
    const bool has_flags = !changes_.empty() || resync_from_;
    return (!ghosts_.empty() &&
            (tells(imap::NotifyEvent::MessageExpunge) || tells_own_expunges_)) ||
           (has_flags && tells(imap::NotifyEvent::FlagChange)) ||
           (known_ < view().messages() && tells(imap::NotifyEvent::MessageNew)) ||
           live_searches_.has_touched(last_uid_) || room_->has_stale_keywords() ||
           has_stale_rights() || told_url_key_resets_ != mailbox_->url_key_resets();
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
    if (std::exchange(told_url_key_resets_, mailbox_->url_key_resets()) != told_url_key_resets_) {
        out.untagged(imap::Condition::Ok, imap::code::kUrlMech, "URLs have a new key");
    }
    if (expunges == Expunges::Hold && !ghosts_.empty()) {
        probe<"imap.expunge_held_back">();
    }
    const bool may_tell = tells(imap::NotifyEvent::MessageExpunge) || tells_own_expunges_;
    if (expunges == Expunges::Tell && may_tell) {
        live_searches_.tell_gone(out, *this);
        if (tell_expunges(out)) {
            return true;
        }
    }
    tells_own_expunges_ = false;
    if (tells(imap::NotifyEvent::MessageNew)) {
        tell_arrivals(out);
    }
    if (tells(imap::NotifyEvent::FlagChange) && tell_flags(out)) {
        return true;
    }
    tell_held_back(out);
    return false;
}

// RFC 7162 3.2: a client that learns of mod-sequences above those of expunges it was not told of
// must not believe that it knows all below. With the next command that may tell, it is told that it
// does.
void Selected::tell_held_back(imap::ResponseWriter& out) {
    if (!features_->has(Feature::Condstore)) {
        return;
    }
    if (ghosts_from_) {
        out.untagged(imap::Condition::Ok, imap::code::highest_mod_seq(told_mod_seq()),
                     "Expunges are held back");
    } else if (is_lowered_) {
        out.untagged(imap::Condition::Ok, imap::code::highest_mod_seq(told_mod_seq()),
                     "Nothing is held back");
    }
    is_lowered_ = ghosts_from_.has_value();
}

bool Selected::tell_expunges(imap::ResponseWriter& out) {
    std::size_t told = 0;
    if (features_->has(Feature::Qresync) || features_->has(Feature::UidOnly)) {
        told = tell_vanished(out);
    }
    while (told < ghosts_.size() && !out.should_drain()) {
        // All ghosts below are gone from the client's numbers already.
        const std::size_t row = view().lower_bound(ghosts_[told]);
        out.numbered(static_cast<std::uint32_t>(row + 1), "EXPUNGE");
        ++told;
    }
    ghosts_.erase(ghosts_.begin(), ghosts_.begin() + static_cast<std::ptrdiff_t>(told));
    if (ghosts_.empty()) {
        ghosts_from_.reset();
    }
    return !ghosts_.empty();
}

// RFC 7162 3.2.10.2. Lines of bounded length, for clients that read whole lines.
std::size_t Selected::tell_vanished(imap::ResponseWriter& out) {
    std::size_t told = 0;
    while (told < ghosts_.size() && !out.should_drain()) {
        const std::size_t count = std::min(ghosts_.size() - told, kVanishedLineMax);
        out.raw("* VANISHED ")
            .raw(imap::write_uid_set(std::span(ghosts_).subspan(told, count)))
            .crlf();
        told += count;
    }
    return told;
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
    if (!features_->has(Feature::Rev2)) {
        out.numbered(recent_count(), "RECENT");
    }
}

bool Selected::tell_flags(imap::ResponseWriter& out) {
    RowItems items = update_items(Numbering::Uid);
    items.flags = true;
    const auto tell = [&](const store::MessageRow& row, std::size_t index) {
        write_row(out, index, row, items);
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
