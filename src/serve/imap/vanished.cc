// VANISHED (EARLIER), and the QRESYNC parameter of SELECT and EXAMINE.
// RFC 7162 3.2.5, 3.2.6, 3.2.10.1. Q26. Costs what changed since, but for one walk over the rows in
// memory; the change log only makes the answer shorter, never true.
#include "serve/imap/vanished.h"

#include <algorithm>

#include "base/log.h"
#include "base/probe.h"
#include "flow/read.h"
#include "serve/imap/sequence_match.h"

namespace godwit::serve::imap_desk {

namespace {

// A line holds at most so many ranges: about 8 KiB (RFC 7162 4).
constexpr std::size_t kLineRangesMax = 375;

// Those of `uids` that the log says went after `since`; `uids` when it cannot say.
net::Task<imap::NumberSet> read_gone(Conversation* c, imap::NumberSet uids, ModSeq since) {
    const AccountId account = c->selected()->view().account();
    const MailboxId mailbox = c->selected()->view().mailbox();
    const Result<std::optional<std::vector<Uid>>> logged = co_await flow::read(
        c->services(),
        [account, mailbox, since](const store::Snapshot& snapshot, store::ReadTier tier) {
            return store::read_expunged(snapshot, tier, account, mailbox, since);
        });
    if (!logged) {
        log::warn("imap.change_log_unread", {{"error", logged.error().text}});
        co_return uids;
    }
    if (!*logged) {
        probe<"imap.change_log_too_short">();
        co_return uids;
    }
    imap::NumberSet gone;
    for (const Uid uid : **logged) {
        gone.add(uid.value());
    }
    co_return gone.intersected(uids);
}

// Whatever the log says, what is there is not gone; and what the client takes for there is told by
// VANISHED without (EARLIER), RFC 7162 3.2.10.
imap::NumberSet without_present(const Selected& selected, const imap::NumberSet& uids) {
    imap::NumberSet present;
    for (const store::MessageRow& row : selected.view().rows()) {
        present.add(row.uid.value());
    }
    std::vector<imap::NumberRange> ghosts;
    for (const Uid ghost : selected.ghosts()) {
        ghosts.push_back({ghost.value(), ghost.value()});
    }
    return uids.without(present).without(imap::NumberSet::from_ranges(std::move(ghosts)));
}

net::Task<Result<>> write_vanished(Conversation* c, const imap::NumberSet* gone) {
    const auto ranges = gone->ranges();
    for (std::size_t at = 0; at < ranges.size(); at += kLineRangesMax) {
        imap::NumberSet line;
        for (const imap::NumberRange& range :
             ranges.subspan(at, std::min(kLineRangesMax, ranges.size() - at))) {
            line.add(range.first, range.last);
        }
        c->out().raw("* VANISHED (EARLIER) ").raw(line.to_string()).crlf();
        CO_TRY(co_await c->drain());
    }
    co_return Result<>();
}

// Flags and mod-sequences of those in `uids` that changed after `since`.
net::Task<Result<>> tell_changed(Conversation* c, const imap::NumberSet* uids, ModSeq since) {
    RowItems items = c->selected()->update_items(Numbering::Uid);
    items.flags = true;
    imap::ResponseWriter& out = c->out();
    Uid next(1);
    for (;;) {
        // The view stands still until the next wait.
        const Selected& selected = *c->selected();
        const auto rows = selected.view().rows().first(selected.known_rows());
        std::size_t at = selected.view().lower_bound(next);
        for (; at < rows.size() && !out.should_drain(); ++at) {
            if (rows[at].mod_seq > since && uids->contains(rows[at].uid.value())) {
                selected.write_row(out, at, rows[at], items);
            }
        }
        if (at >= rows.size()) {
            co_return Result<>();
        }
        next = rows[at].uid;
        CO_TRY(co_await c->drain());
    }
}

}  // namespace

imap::NumberSet uids_ever(Conversation* c, const imap::SequenceSet* set) {
    const std::uint32_t last = c->selected()->view().uid_next().value() - 1;
    imap::NumberSet ever;
    ever.add(1, last);
    return last == 0 ? imap::NumberSet() : c->selected()->uids_of(*set, last).intersected(ever);
}

net::Task<Result<>> tell_vanished_earlier(Conversation* c, imap::NumberSet uids, ModSeq since) {
    if (uids.empty() || c->selected()->view().highest_mod_seq() <= since) {
        co_return Result<>();
    }
    const imap::NumberSet logged = co_await read_gone(c, std::move(uids), since);
    const imap::NumberSet gone = without_present(*c->selected(), logged);
    CO_TRY(co_await write_vanished(c, &gone));
    co_return Result<>();
}

net::Task<Result<>> resynchronise(Conversation* c, imap::QresyncArguments known) {
    const store::MailboxView& view = c->selected()->view();
    const ModSeq since(known.mod_seq);
    if (known.uid_validity != view.uid_validity().value() || view.highest_mod_seq() <= since) {
        co_return Result<>();
    }
    imap::NumberSet uids;
    if (view.uid_next() > Uid(1)) {
        uids.add(1, view.uid_next().value() - 1);
    }
    if (known.known_uids) {
        uids = uids.intersected(*known.known_uids);
    }
    imap::NumberSet settled;
    if (const std::uint32_t up_to = last_match(view.rows(), known); up_to != 0) {
        settled.add(1, up_to);
    }
    CO_TRY(co_await tell_vanished_earlier(c, uids.without(settled), since));
    const Result<> fresh = co_await c->selected()->room().refresh_keywords();
    if (!fresh) {
        log::warn("imap.keywords_unread", {{"error", fresh.error().text}});
    }
    c->selected()->tell_keywords(c->out());
    CO_TRY(co_await tell_changed(c, &uids, since));
    co_return Result<>();
}

}  // namespace godwit::serve::imap_desk
