// A look at a mailbox from both ends: what SELECT says without reading all rows.
// RFC 3501 6.3.1 (UNSEEN, which may be left out), 2.3.2 (\Recent).
#include "store/kv/key.h"
#include "store/mailbox/mailbox.h"
#include "store/mailbox/schema.h"

namespace godwit::store {

namespace {

// Walks over the rows of one mailbox from one end to the other, or glance_rows_max of them.
class Walk {
public:
    Walk(const Snapshot& snapshot, ReadTier tier, AccountId account, MailboxId mailbox)
        : first_(mailbox_key(Family::Message, account, mailbox)),
          last_(message_key(account, mailbox, Uid(UINT32_MAX))),
          upper_(prefix_end(first_)),
          cursor_(snapshot.cursor(tier, upper_)) {}

    /// Calls `visit(row)` until it says false. True when it did, or all rows were visited.
    template <class Visit>
    Result<bool> forwards(Visit visit) {
        cursor_->seek(first_);
        return run(visit, [this] { cursor_->next(); });
    }
    template <class Visit>
    Result<bool> backwards(Visit visit) {
        cursor_->seek_back(last_);
        return run(visit, [this] { cursor_->previous(); });
    }

private:
    template <class Visit, class Move>
    Result<bool> run(Visit visit, Move move) {
        for (std::size_t count = 0; count < glance_rows_max; ++count, move()) {
            if (!cursor_->is_valid() || !cursor_->key().starts_with(first_)) {
                TRY(cursor_->status());
                return true;
            }
            if (!visit(TRY(decode_row(Uid(key_tail_u32(cursor_->key())), cursor_->value())))) {
                return true;
            }
        }
        return false;
    }

    std::string first_;
    std::string last_;
    std::string upper_;
    std::unique_ptr<Cursor> cursor_;
};

Result<std::optional<std::uint32_t>> count_above(Walk& walk, const MailboxState& state, Uid mark) {
    const std::uint32_t numbers = state.uid_next.value() - 1;
    if (mark.value() == 0 || mark.value() >= numbers) {
        return mark.value() == 0 ? state.messages : 0;
    }
    if (state.messages == numbers) {
        return numbers - mark.value();  // None ever went.
    }
    std::uint32_t above = 0;
    if (TRY(walk.backwards([&](const MessageRow& row) {
            above += row.uid > mark ? 1 : 0;
            return row.uid > mark;
        }))) {
        return above;
    }
    std::uint32_t below = 0;
    if (TRY(walk.forwards([&](const MessageRow& row) {
            below += row.uid <= mark ? 1 : 0;
            return row.uid <= mark;
        }))) {
        return state.messages - std::min(below, state.messages);
    }
    return std::nullopt;
}

// New mail is at the end, and what is left unread for long is at the beginning or everywhere.
Result<std::optional<std::uint32_t>> count_before_unseen(Walk& walk, const MailboxState& state) {
    if (state.unseen == 0) {
        return std::nullopt;
    }
    std::uint32_t seen = 0;
    bool is_found = false;
    TRY(walk.forwards([&](const MessageRow& row) {
        is_found = !row.flags.has(SystemFlag::Seen);
        seen += is_found ? 0 : 1;
        return !is_found;
    }));
    if (is_found) {
        return seen;
    }
    std::uint32_t passed = 0;
    std::uint32_t left = state.unseen;
    TRY(walk.backwards([&](const MessageRow& row) {
        ++passed;
        left -= row.flags.has(SystemFlag::Seen) ? 0 : 1;
        return left != 0;
    }));
    if (left != 0 || passed > state.messages) {
        return std::nullopt;
    }
    return state.messages - passed;
}

}  // namespace

Result<std::optional<MailboxGlance>> glance_at(const Snapshot& snapshot, ReadTier tier,
                                               AccountId account, MailboxId mailbox, Uid mark) {
    std::optional<MailboxState> state = TRY(read_mailbox(snapshot, tier, account, mailbox));
    if (!state || !state->is_selectable) {
        return std::nullopt;
    }
    MailboxGlance glance{.state = *std::move(state), .seq = TRY(read_commit_seq(snapshot, tier))};
    Walk walk(snapshot, tier, account, mailbox);
    glance.above = TRY(count_above(walk, glance.state, std::max(mark, glance.state.recent_after)));
    glance.before_unseen = TRY(count_before_unseen(walk, glance.state));
    return glance;
}

}  // namespace godwit::store
