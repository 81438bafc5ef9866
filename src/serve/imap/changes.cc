#include "serve/imap/changes.h"

#include <algorithm>

#include "base/probe.h"
#include "flow/commit.h"
#include "serve/imap/place.h"

namespace godwit::serve::imap_desk {

store::FlagNames as_names(const imap::FlagSet& flags) {
    return {flags.system, flags.keywords};
}

std::optional<Answer> forbid_read(Conversation* c) {
    if (c->selected()->is_deleted()) {
        return no(imap::code::kNonExistent, "The selected mailbox was deleted");
    }
    return std::nullopt;
}

std::optional<Answer> forbid_change(Conversation* c, store::Rights needed) {
    if (std::optional<Answer> gone = forbid_read(c)) {
        return gone;
    }
    if (c->selected()->is_read_only()) {
        return no(imap::code::kReadOnly, "The mailbox was opened with EXAMINE");
    }
    if ((c->selected()->rights() & needed) != needed) {
        return no(imap::code::kNoPerm, "You may not do that in this mailbox");
    }
    return std::nullopt;
}

std::vector<Uid> slice(const std::vector<Uid>& uids, std::size_t from, std::size_t count) {
    const std::size_t end = std::min(uids.size(), from + count);
    return {uids.begin() + static_cast<std::ptrdiff_t>(from),
            uids.begin() + static_cast<std::ptrdiff_t>(end)};
}

net::Task<FlagOutcome> change_flags(Conversation* c, std::vector<Uid> uids,
                                    store::FlagChange change, store::FlagNames flags,
                                    std::optional<std::uint64_t> unchanged_since) {
    FlagOutcome outcome;
    for (std::size_t at = 0; at < uids.size(); at += limits::plan_rows_max) {
        store::ChangeFlags step;
        step.account = c->selected()->view().account();
        step.mailbox = c->selected()->view().mailbox();
        step.uids = slice(uids, at, limits::plan_rows_max);
        step.may = flag_mask(c->selected()->rights());
        step.user = c->account();
        step.change = change;
        step.flags = flags;
        if (unchanged_since) {
            step.unchanged_since = ModSeq(*unchanged_since);
        }
        store::Plan plan;
        plan.steps.emplace_back(std::move(step));
        crash_point<"imap.store_planned">();
        store::CommitResult result = co_await flow::commit(c->services()->store, std::move(plan));
        if (!result) {
            outcome.failure = std::move(result.error().error);
            break;
        }
        crash_point<"imap.store_committed">();
        const auto& done = std::get<store::FlagsChanged>(result->results.at(0));
        // Piece by piece: a session remembers no more changes than one commit brings (T88).
        c->selected()->forget_change(done.changed, done.mod_seq);
        outcome.changed.insert(outcome.changed.end(), done.changed.begin(), done.changed.end());
        outcome.rejected.insert(outcome.rejected.end(), done.rejected.begin(), done.rejected.end());
        co_await c->tell_progress(at + limits::plan_rows_max, uids.size());
    }
    co_return outcome;
}

net::Task<Result<std::size_t>> expunge_deleted(Conversation* c,
                                               std::optional<imap::NumberSet> uids) {
    std::vector<Uid> doomed;
    for (const store::MessageRow& row : c->selected()->view().rows()) {
        if (row.flags.has(store::SystemFlag::Deleted) &&
            (!uids || uids->contains(row.uid.value()))) {
            doomed.push_back(row.uid);
        }
    }
    for (std::size_t at = 0; at < doomed.size(); at += limits::plan_rows_max) {
        store::ExpungeMessages step;
        step.account = c->selected()->view().account();
        step.mailbox = c->selected()->view().mailbox();
        step.uids = slice(doomed, at, limits::plan_rows_max);
        store::Plan plan;
        plan.steps.emplace_back(std::move(step));
        crash_point<"imap.expunge_planned">();
        CO_TRY(co_await flow::commit_all(c->services()->store, std::move(plan)));
        crash_point<"imap.expunge_committed">();
        co_await c->tell_progress(at + limits::plan_rows_max, doomed.size());
    }
    co_return doomed.size();
}

}  // namespace godwit::serve::imap_desk
