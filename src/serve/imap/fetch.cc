// Serves FETCH and UID FETCH.
// RFC 3501 6.4.5, 7.4.2; RFC 2180 4.1 (messages expunged meanwhile); RFC 5530 3;
// RFC 7162 3.1.4, 3.2.6; RFC 9394 3.3. Q1, Q2, Q8, Q16, Q21, Q33-Q35. Flags, dates and sizes come
// from the view; envelope and structure from the stored summary; bodies stream in steps of 64 KiB.
// Sets \Seen by a plan before the data is sent.
#include <algorithm>

#include "base/log.h"
#include "base/probe.h"
#include "serve/imap/fetching.h"
#include "serve/imap/object_id.h"
#include "serve/imap/vanished.h"

namespace godwit::serve::imap_desk {

void Fetching::note_failure(Error error, Uid uid) {
    if (error.code == ErrorCode::Unsupported) {
        // RFC 3516 4.3: the message is as it is; the request fails.
        if (!failure_) {
            failure_ = std::move(error);
        }
        return;
    }
    log::error("imap.fetch_failed", {{"account", c_->selected()->view().account().value()},
                                     {"mailbox", c_->selected()->view().mailbox().value()},
                                     {"uid", uid.value()},
                                     {"error", error.text}});
    ++failures_;
    if (!failure_) {
        failed_ = uid;
        failure_ = std::move(error);
    }
}

// RFC 3501 6.4.5: reading a body sets \Seen. Reading goes on where that is not possible (a full
// disk); where nobody knows whether it was set, no flags can be told, and the command fails.
net::Task<void> Fetching::set_seen(std::vector<Uid> uids) {
    std::vector<Uid> unseen;
    for (const Uid uid : uids) {
        const store::MessageRow* row = c_->selected()->view().find(uid);
        if (row != nullptr && !row->flags.has(store::SystemFlag::Seen)) {
            unseen.push_back(uid);
        }
    }
    if (unseen.empty()) {
        co_return;
    }
    store::FlagNames seen;
    seen.system = static_cast<std::uint8_t>(store::SystemFlag::Seen);
    FlagOutcome done =
        co_await change_flags(c_, std::move(unseen), store::FlagChange::Add, std::move(seen));
    if (done.failure) {
        log::warn("imap.seen_not_set", {{"error", done.failure->text}});
        if (done.failure->code == ErrorCode::Closed) {
            probe<"imap.seen_unknown">();
            failure_ = std::move(done.failure);
        }
    }
    seen_now_ = std::move(done.changed);
}

// "* n FETCH (" and what the row knows. The closing parenthesis is the caller's.
void Fetching::begin_row(std::size_t index, const store::MessageRow& row) {
    imap::ResponseWriter& out = c_->out();
    c_->selected()->begin_fetch(out, index, row.uid);
    is_first_item_ = true;
    RowItems items;
    if (!seen_now_.empty() && std::ranges::binary_search(seen_now_, row.uid)) {
        items = c_->selected()->update_items(numbering_);
        items.flags = true;
    }
    if (attributes_.uid || items.uid) {
        begin_item();
        out.raw("UID ").number(row.uid.value());
    }
    if (attributes_.flags || items.flags) {
        begin_item();
        c_->selected()->write_flags(out, row);
    }
    if (attributes_.mod_seq || items.mod_seq) {
        begin_item();
        out.raw("MODSEQ (").number(row.mod_seq.value()).raw(")");
    }
    if (attributes_.internal_date) {
        begin_item();
        out.raw("INTERNALDATE ").date_time(from_unix_seconds(row.internal_date));
    }
    if (attributes_.size) {
        begin_item();
        out.raw("RFC822.SIZE ").number(row.size);
    }
    if (attributes_.save_date) {
        begin_item();
        out.raw("SAVEDATE ").date_time(from_unix_seconds(row.saved_at));
    }
    const AccountId account = c_->selected()->view().account();
    if (attributes_.email_id) {
        begin_item();
        out.raw("EMAILID (").raw(object_id(ObjectKind::Email, account, row.email.value())).raw(")");
    }
    if (attributes_.thread_id) {
        begin_item();
        out.raw("THREADID (");
        out.raw(object_id(ObjectKind::Thread, account, row.thread.value())).raw(")");
    }
}

net::Task<Result<>> Fetching::send_rows(const std::vector<Uid>* uids) {
    imap::ResponseWriter& out = c_->out();
    std::size_t at = 0;
    while (at < uids->size()) {
        // The view stands still until the next wait.
        const auto rows = c_->selected()->view().rows();
        std::size_t index = c_->selected()->view().lower_bound((*uids)[at]);
        for (; at < uids->size() && !out.should_drain(); ++at) {
            const Uid uid = (*uids)[at];
            while (index < rows.size() && rows[index].uid < uid) {
                ++index;
            }
            if (index >= rows.size() || rows[index].uid != uid) {
                has_gone_ = true;
                continue;
            }
            begin_row(index, rows[index]);
            out.raw(")\r\n");
        }
        CO_TRY(co_await c_->drain());
    }
    co_return Result<>();
}

net::Task<Result<>> Fetching::send_records(const std::vector<Uid>* uids) {
    const AccountId account = c_->selected()->view().account();
    for (std::size_t at = 0; at < uids->size(); at += kRecordBatch) {
        std::vector<store::MessageRow> rows;
        std::vector<EmailId> emails;
        for (const Uid uid : slice(*uids, at, kRecordBatch)) {
            if (const store::MessageRow* row = c_->selected()->view().find(uid)) {
                rows.push_back(*row);
                emails.push_back(row->email);
            } else {
                has_gone_ = true;
            }
        }
        auto records = co_await read_records(c_->services(), account, std::move(emails));
        if (!records) {
            note_failure(std::move(records.error()), (*uids)[at]);
            co_return Result<>();
        }
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (!(*records)[i]) {
                has_gone_ = true;
                continue;
            }
            Loaded message{rows[i], *std::move((*records)[i]), {}};
            Result<mail::MessageSummary> summary =
                mail::MessageSummary::decode(message.record.summary);
            if (!summary) {
                note_failure(std::move(summary.error()), message.row.uid);
                continue;
            }
            message.summary = std::move(*summary);
            CO_TRY(co_await send_message(&message));
            CO_TRY(co_await c_->drain());
        }
        co_await net::yield_now();
    }
    co_return Result<>();
}

// RFC 5530 3, CORRUPTION. Who reads the text shall know what is missing.
Answer Fetching::damaged() const {
    std::string text = "The message with UID " + std::to_string(failed_.value());
    if (failures_ > 1) {
        text += " and " + std::to_string(failures_ - 1) + " more";
    }
    return no(imap::code::kCorruption, text + " cannot be read; the others were given");
}

AnswerTask Fetching::run(Targets targets) {
    has_gone_ = targets.has_gone;
    if (attributes_.sets_seen() && !c_->selected()->is_read_only() &&
        c_->selected()->rights().has(store::Right::Seen)) {
        co_await set_seen(targets.uids);
        if (failure_) {
            co_return refusal(*failure_, "FETCH");
        }
    }
    const Result<> fresh = co_await c_->selected()->room().refresh_keywords();
    if (!fresh) {
        co_return refusal(fresh.error(), "FETCH");
    }
    c_->selected()->tell_keywords(c_->out());
    if (!attributes_.bodies.empty()) {
        CO_TRY(co_await send_records(&targets.uids));
    } else if (needs_record()) {
        CO_TRY(co_await send_summaries(&targets.uids));
    } else {
        CO_TRY(co_await send_rows(&targets.uids));
    }
    if (failure_ && failure_->code == ErrorCode::Corrupt && failed_ != Uid()) {
        co_return damaged();
    }
    if (failure_ && failure_->code == ErrorCode::Unsupported) {
        co_return no(imap::code::kUnknownCte, failure_->text);
    }
    if (failure_) {
        co_return refusal(*failure_, "FETCH");
    }
    if (has_gone_ && numbering_ == Numbering::Sequence) {
        co_return no(imap::code::kExpungeIssued, "Some of the messages are gone");
    }
    co_return ok(numbering_ == Numbering::Uid ? "UID FETCH completed" : "FETCH completed");
}

namespace {

// Why the modifiers cannot be given here. RFC 7162 3.2.6; RFC 9394 3.3.
const char* refuse_modifiers(const Conversation& c, bool is_uid,
                             const imap::FetchModifiers& modifiers) {
    if (modifiers.partial && !is_uid) {
        return "PARTIAL is for UID FETCH";
    }
    if (!modifiers.vanished) {
        return nullptr;
    }
    if (!is_uid) {
        return "VANISHED is for UID FETCH";
    }
    if (!modifiers.changed_since) {
        return "VANISHED needs CHANGEDSINCE";
    }
    return c.has_enabled(Feature::Qresync) ? nullptr : "VANISHED needs ENABLE QRESYNC";
}

// RFC 9394 3.4: first the page, then which of it changed.
void keep_page(const imap::PartialRange& page, Targets& targets) {
    const imap::PartialRange::Span span = page.within(targets.uids.size());
    targets.uids = slice(targets.uids, span.begin, span.end - span.begin);
}

// RFC 7162 3.1.4.1. Q2: every mod-sequence is above 0.
void leave_unchanged(const Selected& selected, ModSeq since, Targets& targets) {
    if (selected.view().highest_mod_seq() <= since) {
        targets.uids.clear();
        return;
    }
    // Both rise: one walk.
    const auto rows = selected.view().rows();
    std::size_t at = 0;
    std::erase_if(targets.uids, [&](Uid uid) {
        while (at < rows.size() && rows[at].uid < uid) {
            ++at;
        }
        return at < rows.size() && rows[at].uid == uid && rows[at].mod_seq <= since;
    });
}

}  // namespace

AnswerTask run_fetch(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::FetchArguments> arguments = imap::parse_fetch(lexer);
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    const imap::FetchModifiers modifiers = arguments->modifiers;
    if (const char* wrong = refuse_modifiers(*c, command.uid, modifiers)) {
        co_return bad(wrong);
    }
    arguments->attributes.mod_seq =
        arguments->attributes.mod_seq || modifiers.changed_since.has_value();
    if (auto forbidden = forbid_read(c)) {
        co_return *std::move(forbidden);
    }
    const Numbering numbering = command.uid ? Numbering::Uid : Numbering::Sequence;
    std::optional<Targets> targets = c->selected()->resolve(arguments->set, numbering);
    if (!targets) {
        co_return bad("No message has such a number");
    }
    if (arguments->attributes.mod_seq || modifiers.changed_since) {
        c->follow_mod_seqs();
    }
    if (modifiers.vanished) {
        // RFC 7162 3.2.6: before the first FETCH response.
        CO_TRY(co_await tell_vanished_earlier(c, uids_ever(c, &arguments->set),
                                              ModSeq(*modifiers.changed_since)));
    }
    if (modifiers.partial) {
        keep_page(*modifiers.partial, *targets);
    }
    if (modifiers.changed_since) {
        leave_unchanged(*c->selected(), ModSeq(*modifiers.changed_since), *targets);
    }
    Fetching fetching(c, std::move(arguments->attributes), numbering);
    co_return co_await fetching.run(*std::move(targets));
}

}  // namespace godwit::serve::imap_desk
