// Serves STATUS. RFC 3501 6.3.10; RFC 7162 3.1.7. Q33 (the list is never empty), Q39.
#include "flow/read.h"
#include "serve/imap/changes.h"
#include "wire/imap/arguments.h"

namespace godwit::serve::imap_desk {

namespace {

// How many messages above `from` there are; bounded steps over one mailbox.
net::Task<Result<std::uint32_t>> count_above(Conversation* c, MailboxId mailbox, Uid from) {
    const AccountId account = c->account();
    std::uint32_t count = 0;
    Uid next(from.value() + 1);
    for (;;) {
        const std::vector<store::MessageRow> rows = CO_TRY(co_await flow::read(
            c->services(),
            [account, mailbox, next](const store::Snapshot& snapshot, store::ReadTier tier) {
                return store::read_rows(snapshot, tier, account, mailbox, next,
                                        limits::scan_rows_max);
            }));
        count += static_cast<std::uint32_t>(rows.size());
        if (rows.size() < limits::scan_rows_max) {
            co_return count;
        }
        next = Uid(rows.back().uid.value() + 1);
    }
}

net::Task<Result<std::uint32_t>> count_recent(Conversation* c, store::MailboxState state) {
    Uid after = state.recent_after;
    if (const std::shared_ptr<OpenMailbox> open = c->room().find_open(state.id)) {
        after = std::max(after, open->recent_after());
    }
    if (after.value() + 1 >= state.uid_next.value()) {
        co_return 0U;
    }
    co_return co_await count_above(c, state.id, after);
}

}  // namespace

AnswerTask run_status(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    const Result<imap::StatusArguments> arguments = imap::parse_status(lexer, c->spelling());
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    const Result<store::MailboxState> state = co_await find_selectable(c, arguments->mailbox.name);
    if (!state) {
        co_return refusal(state.error(), "STATUS");
    }
    const auto wants = [&](imap::StatusItem item) {
        return (arguments->items & static_cast<std::uint8_t>(item)) != 0;
    };
    if (wants(imap::StatusItem::HighestModSeq)) {
        c->follow_mod_seqs();
    }
    std::uint32_t recent = 0;
    if (wants(imap::StatusItem::Recent)) {
        const Result<std::uint32_t> counted = co_await count_recent(c, *state);
        if (!counted) {
            co_return refusal(counted.error(), "STATUS");
        }
        recent = *counted;
    }
    imap::ResponseWriter& out = c->out();
    out.raw("* STATUS ").mailbox(state->name).raw(" (");
    bool is_first = true;
    const auto write = [&](imap::StatusItem item, std::string_view name, std::uint64_t value) {
        if (wants(item)) {
            out.raw(is_first ? "" : " ").raw(name).raw(" ").number(value);
            is_first = false;
        }
    };
    write(imap::StatusItem::Messages, "MESSAGES", state->messages);
    write(imap::StatusItem::Recent, "RECENT", recent);
    write(imap::StatusItem::UidNext, "UIDNEXT", state->uid_next.value());
    write(imap::StatusItem::UidValidity, "UIDVALIDITY", state->uid_validity.value());
    write(imap::StatusItem::Unseen, "UNSEEN", state->unseen);
    // RFC 7162 3.1.7: what SELECT would say.
    write(imap::StatusItem::HighestModSeq, "HIGHESTMODSEQ",
          std::max<std::uint64_t>(1, state->highest_mod_seq.value()));
    out.raw(")").crlf();
    co_return ok("STATUS completed");
}

}  // namespace godwit::serve::imap_desk
