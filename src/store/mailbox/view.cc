#include "store/mailbox/view.h"

#include <algorithm>

#include "base/limits.h"
#include "store/mailbox/access.h"

namespace godwit::store {

Result<bool> MailboxView::load_step(const Snapshot& snapshot, ReadTier tier) {
    if (is_loaded_) {
        return true;
    }
    if (uid_validity_.value() == 0) {
        const std::optional<MailboxState> state =
            TRY(read_mailbox(snapshot, tier, account_, mailbox_));
        if (!state || !state->is_selectable) {
            return peer_error(ErrorCode::NotFound, "no such mailbox");
        }
        seq_ = TRY(read_commit_seq(snapshot, tier));
        highest_mod_seq_ = state->highest_mod_seq;
        uid_next_ = state->uid_next;
        rows_.reserve(state->messages);
        uid_validity_ = state->uid_validity;
    }
    std::vector<MessageRow> rows =
        TRY(read_rows(snapshot, tier, account_, mailbox_, load_from_, limits::scan_rows_max));
    if (is_visited()) {
        TRY(load_seen(snapshot, tier, rows));
    }
    rows_.insert(rows_.end(), rows.begin(), rows.end());
    is_loaded_ = rows.size() < limits::scan_rows_max;
    if (!is_loaded_) {
        load_from_ = Uid(rows.back().uid.value() + 1);
    }
    return is_loaded_;
}

std::size_t MailboxView::lower_bound(Uid uid) const {
    const auto at = std::ranges::lower_bound(rows_, uid, {}, &MessageRow::uid);
    return static_cast<std::size_t>(at - rows_.begin());
}

const MessageRow* MailboxView::find(Uid uid) const {
    const std::size_t index = lower_bound(uid);
    return index < rows_.size() && rows_[index].uid == uid ? &rows_[index] : nullptr;
}

namespace {
void set_seen(MessageRow& row, bool is_seen) {
    constexpr auto kBit = static_cast<std::uint8_t>(SystemFlag::Seen);
    row.flags.system =
        static_cast<std::uint8_t>(is_seen ? row.flags.system | kBit : row.flags.system & ~kBit);
}
}  // namespace

Result<> MailboxView::load_seen(const Snapshot& snapshot, ReadTier tier,
                                std::span<MessageRow> rows) const {
    std::optional<std::uint32_t> loaded;
    SeenChunk chunk;
    for (MessageRow& row : rows) {
        const std::uint32_t number = SeenChunk::number_of(row.uid);
        if (loaded != number) {
            chunk = TRY(read_seen(snapshot, tier, account_, mailbox_, number, user_));
            loaded = number;
        }
        set_seen(row, chunk.has(row.uid));
    }
    return {};
}

void MailboxView::put(MessageRow row) {
    highest_mod_seq_ = std::max(highest_mod_seq_, row.mod_seq);
    if (row.uid >= uid_next_) {
        uid_next_ = Uid(row.uid.value() + 1);
    }
    if (is_visited()) {
        set_seen(row, false);  // A change of his own follows where he has.
    }
    if (rows_.empty() || rows_.back().uid < row.uid) {
        rows_.push_back(row);
        return;
    }
    const std::size_t index = lower_bound(row.uid);
    if (rows_[index].uid == row.uid) {
        rows_[index] = row;
    } else {
        rows_.insert(rows_.begin() + static_cast<std::ptrdiff_t>(index), row);
    }
}

void MailboxView::note_seen(const SeenChanged& change) {
    if (change.user != user_ || !is_visited()) {
        return;
    }
    for (const Uid uid : change.uids) {
        const std::size_t index = lower_bound(uid);
        if (index < rows_.size() && rows_[index].uid == uid) {
            set_seen(rows_[index], change.is_seen);
        }
    }
}

void MailboxView::apply(const AccountChange& change) {
    if (change.account != account_ || change.seq <= seq_) {
        return;
    }
    seq_ = change.seq;
    for (const MailboxChange& one : change.mailboxes) {
        if (one.mailbox == mailbox_) {
            apply_one(one);
        }
    }
}

void MailboxView::apply_one(const MailboxChange& change) {
    if (const auto* appended = std::get_if<MessagesAppended>(&change.what)) {
        std::ranges::for_each(appended->rows, [this](const MessageRow& row) { put(row); });
    } else if (const auto* changed = std::get_if<MessageFlagsChanged>(&change.what)) {
        for (const MessageRow& row : changed->rows) {
            const std::size_t index = lower_bound(row.uid);
            if (index < rows_.size() && rows_[index].uid == row.uid) {
                const bool was_seen = rows_[index].flags.has(SystemFlag::Seen);
                rows_[index] = row;
                if (is_visited()) {
                    set_seen(rows_[index], was_seen);
                }
            }
            highest_mod_seq_ = std::max(highest_mod_seq_, row.mod_seq);
        }
    } else if (const auto* expunged = std::get_if<MessagesExpunged>(&change.what)) {
        const auto is_gone = [expunged](const MessageRow& row) {
            return std::ranges::binary_search(expunged->uids, row.uid);
        };
        // Nothing below the first expunged uid moves.
        const std::size_t first =
            expunged->uids.empty() ? rows_.size() : lower_bound(expunged->uids[0]);
        const auto from = rows_.begin() + static_cast<std::ptrdiff_t>(first);
        rows_.erase(std::remove_if(from, rows_.end(), is_gone), rows_.end());
        highest_mod_seq_ = std::max(highest_mod_seq_, expunged->mod_seq);
    } else if (const auto* list = std::get_if<MailboxListChanged>(&change.what)) {
        is_deleted_ = is_deleted_ || list->was_deleted;
        uid_validity_ = list->uid_validity.value_or(uid_validity_);
        uid_next_ = std::max(uid_next_, list->uid_next.value_or(uid_next_));
    } else if (const auto* seen = std::get_if<SeenChanged>(&change.what)) {
        note_seen(*seen);
    }
}

std::size_t MailboxView::memory_size() const {
    return sizeof(*this) + rows_.capacity() * sizeof(MessageRow);
}

}  // namespace godwit::store
