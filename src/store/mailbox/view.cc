#include "store/mailbox/view.h"

#include <algorithm>

#include "base/limits.h"

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
    const std::vector<MessageRow> rows =
        TRY(read_rows(snapshot, tier, account_, mailbox_, load_from_, limits::scan_rows_max));
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

void MailboxView::put(const MessageRow& row) {
    highest_mod_seq_ = std::max(highest_mod_seq_, row.mod_seq);
    if (row.uid >= uid_next_) {
        uid_next_ = Uid(row.uid.value() + 1);
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

void MailboxView::apply(const AccountChange& change) {
    if (change.account != account_ || change.seq <= seq_) {
        return;
    }
    seq_ = change.seq;
    for (const MailboxChange& one : change.mailboxes) {
        if (one.mailbox != mailbox_) {
            continue;
        }
        if (const auto* appended = std::get_if<MessagesAppended>(&one.what)) {
            std::ranges::for_each(appended->rows, [this](const MessageRow& row) { put(row); });
        } else if (const auto* changed = std::get_if<MessageFlagsChanged>(&one.what)) {
            for (const MessageRow& row : changed->rows) {
                const std::size_t index = lower_bound(row.uid);
                if (index < rows_.size() && rows_[index].uid == row.uid) {
                    rows_[index] = row;
                }
                highest_mod_seq_ = std::max(highest_mod_seq_, row.mod_seq);
            }
        } else if (const auto* expunged = std::get_if<MessagesExpunged>(&one.what)) {
            const auto is_gone = [expunged](const MessageRow& row) {
                return std::ranges::binary_search(expunged->uids, row.uid);
            };
            // Nothing below the first expunged uid moves.
            const std::size_t first =
                expunged->uids.empty() ? rows_.size() : lower_bound(expunged->uids[0]);
            const auto from = rows_.begin() + static_cast<std::ptrdiff_t>(first);
            rows_.erase(std::remove_if(from, rows_.end(), is_gone), rows_.end());
            highest_mod_seq_ = std::max(highest_mod_seq_, expunged->mod_seq);
        } else if (const auto* list = std::get_if<MailboxListChanged>(&one.what)) {
            is_deleted_ = is_deleted_ || list->was_deleted;
            uid_validity_ = list->uid_validity.value_or(uid_validity_);
            uid_next_ = std::max(uid_next_, list->uid_next.value_or(uid_next_));
        }
    }
}

std::size_t MailboxView::memory_size() const {
    return sizeof(*this) + rows_.capacity() * sizeof(MessageRow);
}

}  // namespace godwit::store
