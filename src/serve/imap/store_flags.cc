// Serves STORE and UID STORE. RFC 3501 6.4.6, 6.4.8; RFC 2180 4.2; RFC 7162 3.1.3 (UNCHANGEDSINCE).
// Q13, Q31.
#include <algorithm>
#include <iterator>

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

// RFC 4314 4: the rights that the flags named want; one of them is enough to go on.
store::Rights wanted_rights(const imap::StoreArguments& arguments) {
    constexpr auto kOthers =
        static_cast<std::uint8_t>(31 & ~(static_cast<int>(imap::SystemFlag::Seen) |
                                         static_cast<int>(imap::SystemFlag::Deleted)));
    const bool is_all = arguments.mode == imap::StoreMode::Replace;
    store::Rights rights;
    if (is_all || arguments.flags.has(imap::SystemFlag::Seen)) {
        rights = rights | store::Right::Seen;
    }
    if (is_all || arguments.flags.has(imap::SystemFlag::Deleted)) {
        rights = rights | store::Right::DeleteMessages;
    }
    if (is_all || (arguments.flags.system & kOthers) != 0 || !arguments.flags.keywords.empty()) {
        rights = rights | store::Right::Write;
    }
    return rights;
}

// RFC 3501 6.4.6: as if a FETCH of the flags was done.
net::Task<Result<>> tell_rows(Conversation* c, const std::vector<Uid>* uids, RowItems items) {
    imap::ResponseWriter& out = c->out();
    std::size_t at = 0;
    while (at < uids->size()) {
        const Selected& selected = *c->selected();
        const auto rows = selected.view().rows();
        for (; at < uids->size() && !out.should_drain(); ++at) {
            const std::size_t index = selected.view().lower_bound((*uids)[at]);
            if (index < rows.size() && rows[index].uid == (*uids)[at]) {
                selected.write_row(out, index, rows[index], items);
            }
        }
        CO_TRY(co_await c->drain());
    }
    co_return Result<>();
}

// What the answer tells of messages that were named and are there. RFC 7162 3.1.3: who gives
// UNCHANGEDSINCE is told MODSEQ of all that passed, .SILENT or not; others who know of
// mod-sequences of those that changed (3.1.4.2, example 14). The flags of those that did not pass
// are told unasked.
net::Task<Result<>> tell_outcome(Conversation* c, const imap::StoreArguments* arguments,
                                 const FlagOutcome* done, const std::vector<Uid>* uids,
                                 Numbering numbering) {
    RowItems items = c->selected()->update_items(numbering);
    items.flags = !arguments->silent;
    if (!arguments->unchanged_since) {
        if (items.flags || items.mod_seq) {
            CO_TRY(co_await tell_rows(c, items.flags ? uids : &done->changed, items));
        }
        co_return Result<>();
    }
    std::vector<Uid> passed;
    std::ranges::set_difference(*uids, done->rejected, std::back_inserter(passed));
    CO_TRY(co_await tell_rows(c, &passed, items));
    items.flags = true;
    CO_TRY(co_await tell_rows(c, &done->rejected, items));
    co_return Result<>();
}

// RFC 7162 3.1.3: numbers or uids, as the command named them.
std::string modified_code(const Selected& selected, const std::vector<Uid>& rejected,
                          Numbering numbering) {
    imap::NumberSet set;
    for (const Uid uid : rejected) {
        const std::size_t index = selected.view().lower_bound(uid);
        set.add(numbering == Numbering::Uid ? uid.value() : selected.number_at(index, uid));
    }
    return imap::code::modified(set);
}

}  // namespace

AnswerTask run_store(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::StoreArguments> arguments = imap::parse_store(lexer);
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    if (auto forbidden = forbid_change(c, {})) {
        co_return *std::move(forbidden);
    }
    const store::Rights wanted = wanted_rights(*arguments);
    if (!wanted.is_empty() && !c->selected()->rights().has_any(wanted)) {
        co_return no(imap::code::kNoPerm, "You may not change these flags here");
    }
    const Numbering numbering = command.uid ? Numbering::Uid : Numbering::Sequence;
    std::optional<Targets> targets = c->selected()->resolve(arguments->set, numbering);
    if (!targets) {
        co_return bad("No message has such a number");
    }
    if (arguments->unchanged_since) {
        c->follow_mod_seqs();
    }
    // The answer (or .SILENT) tells what we did; what others did meanwhile is told as ever.
    const FlagOutcome done =
        co_await change_flags(c, targets->uids, as_change(arguments->mode),
                              as_names(arguments->flags), arguments->unchanged_since);
    if (done.failure) {
        RowItems items = c->selected()->update_items(numbering);
        items.flags = true;
        CO_TRY(co_await tell_rows(c, &done.changed, items));
        co_return refusal(*done.failure, "STORE");
    }
    if (!arguments->silent || !done.rejected.empty()) {
        const Result<> fresh = co_await c->selected()->room().refresh_keywords();
        if (!fresh) {
            co_return refusal(fresh.error(), "STORE");
        }
        c->selected()->tell_keywords(c->out());
    }
    CO_TRY(co_await tell_outcome(c, &*arguments, &done, &targets->uids, numbering));
    const std::string modified =
        done.rejected.empty() ? "" : modified_code(*c->selected(), done.rejected, numbering);
    if (targets->has_gone) {
        co_return no(modified.empty() ? imap::code::kExpungeIssued : modified,
                     "Some of the messages are gone");
    }
    Answer answer = ok(command.uid ? "UID STORE completed" : "STORE completed");
    answer.code = modified;
    answer.once_written = &crash_point<"imap.store_answered">;
    co_return answer;
}

}  // namespace godwit::serve::imap_desk
