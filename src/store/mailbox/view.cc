#include "store/mailbox/view.h"

#include <algorithm>

#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/access.h"
#include "store/mailbox/schema.h"

namespace godwit::store {

namespace {
void set_seen(MessageRow& row, bool is_seen) {
    constexpr auto kBit = static_cast<std::uint8_t>(SystemFlag::Seen);
    row.flags.system =
        static_cast<std::uint8_t>(is_seen ? row.flags.system | kBit : row.flags.system & ~kBit);
}
}  // namespace

// A visitor has a \Seen of his own: that of the rows from `from` on.
Result<> RowsReading::load_seen(const Snapshot& snapshot, ReadTier tier, std::size_t from) {
    std::optional<std::uint32_t> loaded;
    SeenChunk chunk;
    for (MessageRow& row : std::span(rows_).subspan(from)) {
        const std::uint32_t number = SeenChunk::number_of(row.uid);
        if (loaded != number) {
            chunk = TRY(read_seen(snapshot, tier, account_, mailbox_, number, user_));
            loaded = number;
        }
        set_seen(row, chunk.has(row.uid));
    }
    return {};
}

Result<bool> RowsReading::step(const Snapshot& snapshot, ReadTier tier, std::size_t rows_max) {
    if (!has_begun_) {
        std::optional<MailboxState> state = TRY(read_mailbox(snapshot, tier, account_, mailbox_));
        if (!state || !state->is_selectable) {
            return peer_error(ErrorCode::NotFound, "no such mailbox");
        }
        seq_ = TRY(read_commit_seq(snapshot, tier));
        state_ = *std::move(state);
        rows_.reserve(state_.messages);
        has_begun_ = true;
    }
    const std::string upper = prefix_end(mailbox_key(Family::Message, account_, mailbox_));
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    // What one step began and could not end is read again by the next.
    const std::size_t known = rows_.size();
    const std::size_t known_damaged = damaged_.size();
    Uid next = from_;
    const auto take_back = [&](Error error) {
        rows_.resize(known);
        damaged_.resize(known_damaged);
        return std::unexpected(std::move(error));
    };
    cursor->seek(message_key(account_, mailbox_, from_));
    for (std::size_t taken = 0; cursor->is_valid() && taken < rows_max; ++taken, cursor->next()) {
        const Uid uid(key_tail_u32(cursor->key()));
        const auto row = TRY(if_sound(cursor->key(), decode_row(uid, cursor->value())));
        if (row) {
            rows_.push_back(*row);
        } else {
            damaged_.push_back(uid);
        }
        next = Uid(uid.value() + 1);
    }
    if (const Result<> read = cursor->status(); !read) {
        return take_back(read.error());
    }
    if (user_ != account_) {
        if (const Result<> seen = load_seen(snapshot, tier, known); !seen) {
            return take_back(seen.error());
        }
    }
    from_ = next;
    is_whole_ = !cursor->is_valid();
    return is_whole_;
}

std::size_t MailboxView::lower_bound(Uid uid) const {
    if (rows_.empty() || uid <= rows_.front().uid) {
        return 0;
    }
    // Uids rise by one at the least: no row is further from the first than its uid is, and where
    // nothing was expunged it is just there.
    const std::size_t bound =
        std::min<std::size_t>(uid.value() - rows_.front().uid.value(), rows_.size());
    if (bound < rows_.size() && rows_[bound].uid == uid) {
        return bound;
    }
    const auto end = rows_.begin() + static_cast<std::ptrdiff_t>(bound);
    const auto at = std::ranges::lower_bound(rows_.begin(), end, uid, {}, &MessageRow::uid);
    return static_cast<std::size_t>(at - rows_.begin());
}

const MessageRow* MailboxView::find(Uid uid) const {
    const std::size_t index = lower_bound(uid);
    return index < rows_.size() && rows_[index].uid == uid ? &rows_[index] : nullptr;
}

void MailboxView::put(MessageRow row) {
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

void MailboxView::begin(const MailboxState& state, CommitSeq seq) {
    check(!has_begun_, "a view begins once");
    seq_ = seq;
    messages_ = state.messages;
    highest_mod_seq_ = state.highest_mod_seq;
    uid_next_ = state.uid_next;
    uid_validity_ = state.uid_validity;
    has_begun_ = true;
}

void MailboxView::adopt(RowsReading&& reading,
                        std::span<const std::shared_ptr<const AccountChange>> since) {
    check(reading.is_whole_ && !is_loaded_, "rows are adopted once, when they are whole");
    if (!has_begun_) {
        begin(reading.state_, reading.seq_);
    }
    rows_ = std::move(reading.rows_);
    damaged_ = std::move(reading.damaged_);
    is_loaded_ = true;
    seq_ = std::max(seq_, reading.seq_);
    for (const auto& change : since) {
        if (change->account != account_ || change->seq <= reading.seq_) {
            continue;
        }
        for (const MailboxChange& one : change->mailboxes) {
            if (one.mailbox == mailbox_) {
                apply_to_head(one);
                apply_to_rows(one);
            }
        }
        seq_ = std::max(seq_, change->seq);
    }
}

void MailboxView::apply(const AccountChange& change) {
    if (change.account != account_ || change.seq <= seq_) {
        return;
    }
    seq_ = change.seq;
    for (const MailboxChange& one : change.mailboxes) {
        if (one.mailbox == mailbox_) {
            apply_to_head(one);
            if (is_loaded_) {
                apply_to_rows(one);
            }
        }
    }
}

// Rising numbers and a sign stay as they are when a change comes to them again; `messages_` is of
// no use any more once there are rows.
void MailboxView::apply_to_head(const MailboxChange& one) {
    if (const auto* appended = std::get_if<MessagesAppended>(&one.what)) {
        messages_ += appended->rows.size();
        for (const MessageRow& row : appended->rows) {
            highest_mod_seq_ = std::max(highest_mod_seq_, row.mod_seq);
            uid_next_ = std::max(uid_next_, Uid(row.uid.value() + 1));
        }
    } else if (const auto* changed = std::get_if<MessageFlagsChanged>(&one.what)) {
        for (const MessageRow& row : changed->rows) {
            highest_mod_seq_ = std::max(highest_mod_seq_, row.mod_seq);
        }
    } else if (const auto* expunged = std::get_if<MessagesExpunged>(&one.what)) {
        messages_ -= std::min(messages_, expunged->uids.size());
        highest_mod_seq_ = std::max(highest_mod_seq_, expunged->mod_seq);
    } else if (const auto* list = std::get_if<MailboxListChanged>(&one.what)) {
        is_deleted_ = is_deleted_ || list->was_deleted;
        uid_validity_ = list->uid_validity.value_or(uid_validity_);
        uid_next_ = std::max(uid_next_, list->uid_next.value_or(uid_next_));
    }
}

void MailboxView::apply_to_rows(const MailboxChange& one) {
    if (const auto* appended = std::get_if<MessagesAppended>(&one.what)) {
        std::ranges::for_each(appended->rows, [this](const MessageRow& row) { put(row); });
    } else if (const auto* changed = std::get_if<MessageFlagsChanged>(&one.what)) {
        for (const MessageRow& row : changed->rows) {
            const std::size_t index = lower_bound(row.uid);
            if (index < rows_.size() && rows_[index].uid == row.uid) {
                const bool was_seen = rows_[index].flags.has(SystemFlag::Seen);
                rows_[index] = row;
                if (is_visited()) {
                    set_seen(rows_[index], was_seen);
                }
            }
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
    } else if (const auto* seen = std::get_if<SeenChanged>(&one.what)) {
        note_seen(*seen);
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

std::size_t MailboxView::memory_size() const {
    return sizeof(*this) + rows_.capacity() * sizeof(MessageRow);
}

}  // namespace godwit::store
