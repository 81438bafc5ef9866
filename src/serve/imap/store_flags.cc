// Serves STORE and UID STORE. RFC 3501 6.4.6, 6.4.8; RFC 2180 4.2. Q13.
#include <algorithm>

#include "base/probe.h"
#include "serve/imap/changes.h"
#include "wire/imap/arguments.h"

namespace godwit::serve::imap_desk {

namespace {

store::FlagChange as_change(imap::StoreMode mode) {
    switch (mode) {
        case imap::StoreMode::Add: return store::FlagChange::Add;
        case imap::StoreMode::Remove: return store::FlagChange::Remove;
        case imap::StoreMode::Replace: break;
    }
    return store::FlagChange::Replace;
}

// RFC 3501 6.4.6: as if a FETCH of the flags was done.
net::Task<Result<>> tell_flags(Conversation* c, const std::vector<Uid>* uids, Numbering numbering) {
    imap::ResponseWriter& out = c->out();
    std::size_t at = 0;
    while (at < uids->size()) {
        const Selected& selected = *c->selected();
        const auto rows = selected.view().rows();
        for (; at < uids->size() && !out.should_drain(); ++at) {
            const std::size_t index = selected.view().lower_bound((*uids)[at]);
            if (index >= rows.size() || rows[index].uid != (*uids)[at]) {
                continue;
            }
            out.raw("* ").number(selected.number_at(index, rows[index].uid)).raw(" FETCH (");
            if (numbering == Numbering::Uid) {
                out.raw("UID ").number(rows[index].uid.value()).raw(" ");
            }
            selected.write_flags(out, rows[index]);
            out.raw(")\r\n");
        }
        CO_TRY(co_await c->drain());
    }
    co_return Result<>();
}

}  // namespace

AnswerTask run_store(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::StoreArguments> arguments = imap::parse_store(lexer);
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    if (auto forbidden = forbid_change(c)) {
        co_return *std::move(forbidden);
    }
    const Numbering numbering = command.uid ? Numbering::Uid : Numbering::Sequence;
    std::optional<Targets> targets = c->selected()->resolve(arguments->set, numbering);
    if (!targets) {
        co_return bad("No message has such a number");
    }
    // The answer (or .SILENT) tells what we did; what others did meanwhile is told as ever.
    const FlagOutcome done = co_await change_flags(c, targets->uids, as_change(arguments->mode),
                                                   as_names(arguments->flags));
    if (done.failure) {
        CO_TRY(co_await tell_flags(c, &done.changed, numbering));
        co_return refusal(*done.failure, "STORE");
    }
    if (!arguments->silent) {
        const Result<> fresh = co_await c->room().refresh_keywords();
        if (!fresh) {
            co_return refusal(fresh.error(), "STORE");
        }
        c->selected()->tell_keywords(c->out());
        CO_TRY(co_await tell_flags(c, &targets->uids, numbering));
    }
    if (targets->has_gone) {
        co_return no(imap::code::kExpungeIssued, "Some of the messages are gone");
    }
    Answer answer = ok(command.uid ? "UID STORE completed" : "STORE completed");
    answer.once_written = &crash_point<"imap.store_answered">;
    co_return answer;
}

}  // namespace godwit::serve::imap_desk
